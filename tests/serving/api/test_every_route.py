"""Every route of the application, asked with every kind of token and login, against tables."""

from datetime import timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

import pytest

from serving.access.kept_sessions import SECRET_BYTES, close_session, session_id
from serving.access.tokens import revoke_token
from serving.access.users import Place, disable_user, set_role
from serving.api.app import build_app
from serving.pages.cookies import SESSION

if TYPE_CHECKING:
    from tests.serving.conftest import Served

# Written by hand. Books have the scopes score, read and feedback; Ann has acme, Bob has not.
# `wrong` is a token with another secret, `cut` is no token at all.
EXPECTED = """
    route                  none cut wrong revoked expired score read feedback predict admin Ann Bob
    GET:/livez             200  200 200   200     200     200   200  200      200     200   200 200
    GET:/readyz            200  200 200   200     200     200   200  200      200     200   200 200
    GET:/login             200  200 200   200     200     200   200  200      200     200   200 200
    GET:/login.css         200  200 200   200     200     200   200  200      200     200   200 200
    GET:/tenure.js         200  200 200   200     200     200   200  200      200     200   200 200
    POST:/login            403  403 403   403     403     403   403  403      403     403   403 403
    GET:/login/oidc        404  404 404   404     404     404   404  404      404     404   404 404
    GET:/login/oidc/back   404  404 404   404     404     404   404  404      404     404   404 404
    GET:/                  401  401 401   401     401     401   401  401      401     401   401 401
    GET:/list.csv          401  401 401   401     401     401   401  401      401     401   401 401
    GET:/list.xlsx         401  401 401   401     401     401   401  401      401     401   401 401
    GET:/portfolio         401  401 401   401     401     401   401  401      401     401   401 401
    GET:/operations        401  401 401   401     401     401   401  401      401     401   401 401
    GET:/accounts/acme     401  401 401   401     401     401   401  401      401     401   401 401
    POST:/feedback         401  401 401   401     401     401   401  401      401     401   401 401
    POST:/feedback/undo    401  401 401   401     401     401   401  401      401     401   401 401
    GET:/disagreements     401  401 401   401     401     401   401  401      401     401   401 401
    POST:/disagreements    401  401 401   401     401     401   401  401      401     401   401 401
    POST:/logout           401  401 401   401     401     401   401  401      401     401   401 401
    GET:/healthz           401  401 401   401     401     200   200  200      200     200   200 200
    GET:/metrics           401  401 401   401     401     200   200  200      200     200   200 200
    GET:/openapi.json      401  401 401   401     401     200   200  200      200     200   200 200
    GET:/openapi-3.0.json  401  401 401   401     401     200   200  200      200     200   200 200
    GET:/v1/models         401  401 401   401     401     200   200  200      200     200   200 200
    POST:/v1/scores        401  401 401   401     401     200   403  403      403     200   200 200
    POST:/v1/predict       401  401 401   401     401     403   403  403      200     200   403 403
    GET:/v1/worklist       401  401 401   401     401     403   200  403      403     200   200 200
    GET:/v1/accounts/acme  401  401 401   401     401     403   200  403      403     200   200 404
    GET:/v1/accounts/none  401  401 401   401     401     403   404  403      403     404   404 404
    POST:/v1/feedback      401  401 401   401     401     403   403  200      403     200   200 404
    POST:/v1/feedback/undo 401  401 401   401     401     403   403  404      403     404   404 404
    GET:/nowhere           401  401 401   401     401     404   404  404      404     404   404 404
"""
# The same of who has logged in: Ann, Bob, a lead of Ann's team and of Bob's, an admin; and of
# sessions that open nothing: a user was disabled, logged out, or has another book since.
EXPECTED_OF_PEOPLE = """
    route                  none Ann Bob north south admin disabled out moved forged
    GET:/livez             200  200 200 200   200   200   200      200 200   200
    GET:/readyz            200  200 200 200   200   200   200      200 200   200
    GET:/login             200  200 200 200   200   200   200      200 200   200
    GET:/login.css         200  200 200 200   200   200   200      200 200   200
    GET:/tenure.js         200  200 200 200   200   200   200      200 200   200
    POST:/login            403  403 403 403   403   403   403      403 403   403
    GET:/login/oidc        404  404 404 404   404   404   404      404 404   404
    GET:/login/oidc/back   404  404 404 404   404   404   404      404 404   404
    GET:/                  401  200 200 200   200   200   401      401 401   401
    GET:/list.csv          401  200 200 200   200   200   401      401 401   401
    GET:/list.xlsx         401  200 200 200   200   200   401      401 401   401
    GET:/portfolio         401  200 200 200   200   200   401      401 401   401
    GET:/operations        401  403 403 403   403   200   401      401 401   401
    GET:/accounts/acme     401  200 404 200   404   200   401      401 401   401
    POST:/feedback         401  403 403 403   403   403   401      401 401   401
    POST:/feedback/undo    401  403 403 403   403   403   401      401 401   401
    GET:/disagreements     401  403 403 200   200   200   401      401 401   401
    POST:/disagreements    401  403 403 403   403   403   401      401 401   401
    POST:/logout           401  403 403 403   403   403   401      401 401   401
    GET:/healthz           401  401 401 401   401   401   401      401 401   401
    GET:/metrics           401  401 401 401   401   401   401      401 401   401
    GET:/openapi.json      401  401 401 401   401   401   401      401 401   401
    GET:/openapi-3.0.json  401  401 401 401   401   401   401      401 401   401
    GET:/v1/models         401  401 401 401   401   401   401      401 401   401
    POST:/v1/scores        401  401 401 401   401   401   401      401 401   401
    POST:/v1/predict       401  401 401 401   401   401   401      401 401   401
    GET:/v1/worklist       401  401 401 401   401   401   401      401 401   401
    GET:/v1/accounts/acme  401  401 401 401   401   401   401      401 401   401
    GET:/v1/accounts/none  401  401 401 401   401   401   401      401 401   401
    POST:/v1/feedback      401  401 401 401   401   401   401      401 401   401
    POST:/v1/feedback/undo 401  401 401 401   401   401   401      401 401   401
    GET:/nowhere           401  401 401 401   401   401   401      401 401   401
"""
# Whether a page shows Ann's acme (of an XLSX it cannot be read).
SHOWS_ACME = """
    route                  none Ann Bob north south admin disabled out moved forged
    GET:/                  0    1   0   1     0     1     0        0   0     0
    GET:/list.csv          0    1   0   1     0     1     0        0   0     0
    GET:/accounts/acme     0    1   0   1     0     1     0        0   0     0
"""
TEMPLATES = {
    "/accounts/acme": "/accounts/{account_id:path}",
    "/v1/accounts/acme": "/v1/accounts/{account_id:path}",
    "/v1/accounts/none": "/v1/accounts/{account_id:path}",
}
NOT_A_ROUTE = "GET:/nowhere"
ROW = {
    "usage__active_users__28d": 2.0,
    "support__open_tickets": 4.0,
    "lifecycle__days_to_term_end": None,
    "lifecycle__term_months": None,
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/scores": {"json": {"account_ids": ["acme", "bolt", "none"]}},
    "/v1/predict": {"json": {"model": "churn", "rows": [ROW]}},
    "/v1/feedback": {
        "json": {"account_id": "acme", "kind": "contacted", "idempotency_key": "every route"}
    },
    "/v1/feedback/undo": {"json": {"feedback_id": 999_999}},
    "/login": {"data": {"login": "none"}},
    "/logout": {"data": {"mark": "none"}},
    "/feedback": {"data": {"mark": "none", "account_id": "acme", "kind": "lost"}},
    "/feedback/undo": {"data": {"mark": "none"}},
    "/disagreements": {"data": {"mark": "none"}},
}


def table(text: str = EXPECTED) -> dict[str, dict[str, int]]:
    head, *rows = [line.split() for line in text.strip().splitlines()]
    return {row[0]: dict(zip(head[1:], map(int, row[1:]), strict=True)) for row in rows}


def tokens_of(served: "Served") -> dict[str, str | None]:
    scopes = ("score", "read", "feedback", "predict", "admin")
    of_books = ("score", "read", "feedback")
    revoked, good = served.token("admin"), served.token("admin")
    revoke_token(served.parts.store, revoked.split("_")[1], served.parts.now())
    return {
        "none": None,
        "cut": good[:-1],
        "wrong": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
        "revoked": revoked,
        "expired": served.token("admin", expires_at=served.parts.now() - timedelta(seconds=1)),
        **{scope: served.token(scope) for scope in scopes},
        "Ann": served.token(*of_books, book="Ann"),
        "Bob": served.token(*of_books, book="Bob"),
    }


def test_every_route_answers_each_token_as_the_table_says(served: "Served") -> None:
    found: dict[str, dict[str, int]] = {route: {} for route in table()}
    with served.client() as client:
        for name, token in tokens_of(served).items():
            served.clock.ahead += 60  # logins are limited by address
            headers = {"authorization": f"Bearer {token}"} if token else {}
            for route, statuses in found.items():
                method, _, path = route.partition(":")
                client.cookies.clear()  # what one is given shall not help another
                answer = client.request(method, path, headers=headers, **BODIES.get(path, {}))
                statuses[name] = answer.status_code
    assert found == table()


def people_of(served: "Served") -> dict[str, str]:
    """Give a session's cookie for each column of the tables of people."""
    store, now = served.parts.store, served.parts.now()
    users = {
        "Ann": served.user("csm", book="Ann", team="north"),
        "Bob": served.user("csm", book="Bob", team="south"),
        "north": served.user("lead", team="north"),
        "south": served.user("lead", team="south"),
        "admin": served.user("admin"),
        "disabled": served.user("admin"),
        "out": served.user("admin"),
        "moved": served.user("csm", book="Ann"),
        "forged": served.user("admin"),
    }
    cookies = {name: served.session(user) for name, user in users.items()}
    disable_user(store, users["disabled"].login, now)
    close_session(store, session_id(cookies["out"]))
    set_role(store, users["moved"].login, Place("csm", book="Bob"), now)
    cookies["forged"] = token_urlsafe(SECRET_BYTES)
    return {"none": "", **cookies}


def test_every_route_answers_each_person_as_the_tables_say(served: "Served") -> None:
    expected, shown = table(EXPECTED_OF_PEOPLE), table(SHOWS_ACME)
    found: dict[str, dict[str, int]] = {route: {} for route in expected}
    shows: dict[str, dict[str, int]] = {route: {} for route in shown}
    with served.client() as client:
        for name, cookie in people_of(served).items():
            served.clock.ahead += 60
            for route, statuses in found.items():
                method, _, path = route.partition(":")
                client.cookies.clear()
                headers = {"cookie": f"{SESSION}={cookie}"}
                answer = client.request(method, path, headers=headers, **BODIES.get(path, {}))
                statuses[name] = answer.status_code
                if route in shows:
                    shows[route][name] = int("Acme" in answer.text)
    assert found == expected
    assert shows == shown


def test_the_tables_have_every_route_of_the_application(served: "Served") -> None:
    assert table(EXPECTED_OF_PEOPLE).keys() == table().keys()
    routes = {
        f"{method}:{route.path}"
        for route in build_app(served.parts).routes
        for method in route.methods - {"HEAD"}
    }
    told = {
        f"{method}:{TEMPLATES.get(path, path)}"
        for method, _, path in (route.partition(":") for route in table())
    }
    assert told - {NOT_A_ROUTE} == routes


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_a_live_token_in_another_scheme_is_none(served: "Served", scheme: str) -> None:
    header = f"{scheme} {served.token('admin')}".strip()
    with served.client() as client:
        answer = client.get("/v1/models", headers={"authorization": header})
    assert answer.status_code == 401


def test_two_tokens_at_once_are_none(served: "Served") -> None:
    live = f"Bearer {served.token('admin')}"
    twice = [("authorization", live), ("authorization", live)]
    with served.client() as client:
        assert client.get("/v1/models", headers=twice).status_code == 401
