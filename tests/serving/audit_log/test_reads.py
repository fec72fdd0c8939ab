"""What is written down of reads over a real socket, and that nothing is shown without it."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import httpx
import msgspec
import pytest

from serving.access.kept_sessions import kept_session, session_id
from serving.api.calls import CALLS, Call
from serving.api.guard import address_of
from serving.api.response import Written
from serving.audit_log.account_keys import key_of, pseudonym
from serving.audit_log.check import check, reads_of
from serving.audit_log.heads import heads
from serving.pages.cookies import SESSION

if TYPE_CHECKING:
    from tests.serving.conftest import Log, Served

TELL = {"account_id": "acme", "kind": "contacted", "note": "Called", "idempotency_key": "reads"}


def undone(client: httpx.Client) -> httpx.Response:
    number = client.post("/v1/feedback", json=TELL).json().get("feedback_id", 1)
    return client.post("/v1/feedback/undo", json={"feedback_id": number})


READS: dict[str, tuple[Callable[[httpx.Client], httpx.Response], set[str]]] = {
    "POST /v1/scores": (
        lambda client: client.post("/v1/scores", json={"account_ids": ["acme", "none", "bolt"]}),
        {"acme", "bolt"},
    ),
    "GET /v1/accounts/{account_id}": (lambda client: client.get("/v1/accounts/acme"), {"acme"}),
    "GET /v1/worklist": (
        lambda client: client.get("/v1/worklist?csm=Ann"),
        {"acme", "corn"},
    ),
    "POST /v1/feedback": (lambda client: client.post("/v1/feedback", json=TELL), {"acme"}),
    "POST /v1/feedback/undo": (undone, {"acme"}),
}

PAGES = ["/", "/list.csv", "/list.xlsx"]


def rows_of(served: "Served", request_id: str) -> list[dict[str, Any]]:
    folder = served.parts.settings.home.audit_log
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]
    return [row for row in map(json.loads, lines) if row.get("request") == request_id]


def session_of(served: "Served", browser: httpx.Client) -> str:
    """Give the id of the user who is logged in."""
    session = kept_session(served.parts.store, session_id(browser.cookies[SESSION]))
    assert session is not None
    return session.user.user_id


def called(served: "Served", account_id: str) -> str:
    key = key_of(served.parts.store, account_id)
    assert key is not None
    return pseudonym(account_id, key)


@pytest.mark.parametrize("call", READS)
def test_a_read_is_one_row_that_is_there_when_the_answer_is(served: "Served", call: str) -> None:
    ask, accounts = READS[call]
    token = served.token("admin")
    with served.client() as client:
        client.headers["authorization"] = f"Bearer {token}"
        answer = ask(client)
    (row,) = rows_of(served, answer.headers["x-request-id"])
    assert answer.status_code == 200
    assert (row["token"], row["call"], row["from"]) == (token.split("_")[1], call, "127.0.0.1")
    assert set(row["accounts"]) == {called(served, account) for account in accounts}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_and_a_file_of_it_are_one_row_of_whom_they_show(served: "Served", path: str) -> None:
    with served.browser("csm", book="Ann") as browser:
        answer = browser.get(path)
    (row,) = rows_of(served, answer.headers["x-request-id"])
    who = session_of(served, browser)
    assert answer.status_code == 200
    assert (row["token"], row["call"], row["from"]) == (who, f"GET {path}", "127.0.0.1")
    assert row["accounts"] == [called(served, "acme"), called(served, "corn")]


def test_every_call_whose_answer_names_an_account_is_one_of_these() -> None:
    def names_accounts(kind: Any) -> bool:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            hints = get_type_hints(kind)
            return "account_id" in hints or any(map(names_accounts, hints.values()))
        return any(map(names_accounts, get_args(kind)))

    naming = {f"{call.method} {call.path}" for call in CALLS if names_accounts(call.answers_with)}

    def says_whom_it_shows(call: Call) -> bool:
        return call.shows is not None or get_type_hints(call.answer)["return"] is Written

    assert naming == {f"{call.method} {call.path}" for call in CALLS if says_whom_it_shows(call)}
    assert naming == set(READS)


@pytest.mark.parametrize("path", ["/v1/accounts/none", "/v1/worklist?csm=nobody", "/v1/models"])
def test_what_shows_no_account_leaves_no_row(served: "Served", path: str) -> None:
    with served.client("admin") as client:
        answer = client.get(path)
    assert rows_of(served, answer.headers["x-request-id"]) == []


def test_no_account_stands_in_the_log_by_its_id_or_name(served: "Served") -> None:
    with served.client("admin") as client:
        client.post("/v1/scores", json={"account_ids": ["acme", "bolt"]})
    folder = served.parts.settings.home.audit_log
    text = "".join(path.read_text() for path in folder.iterdir())
    assert called(served, "acme") in text
    assert not [name for name in ("acme", "Acme", "bolt", "Bolt", "Ann") if name in text]


def test_who_read_an_account_is_told_by_its_key(served: "Served") -> None:
    with served.client("admin") as client:
        asked = client.get("/v1/accounts/quit").headers["x-request-id"]
        client.get("/v1/accounts/newt")
    rows = reads_of(served.parts.settings.home.audit_log, called(served, "quit"))
    assert [row.request for row in rows] == [asked]


def test_the_chain_of_a_service_holds_and_its_head_is_kept(served: "Served") -> None:
    with served.client("admin") as client:
        client.get("/v1/accounts/acme")
    served.parts.trail.close()  # it opens another chain at the next read
    found = check(served.parts.settings.home.audit_log, heads(served.parts.store))
    assert (found.faults, found.notes) == ([], [])
    assert found.rows > 0


# When it cannot be written


@pytest.fixture
def without_trail(served: "Served") -> Iterator[None]:
    """Put a file where the log's folder was, as if the disk had been taken away."""
    served.parts.trail.close()
    folder = served.parts.settings.home.audit_log
    aside = folder.with_name("aside")
    if folder.exists():
        folder.rename(aside)
    folder.write_text("")
    yield
    folder.unlink()
    if aside.exists():
        shutil.move(aside, folder)


@pytest.mark.parametrize("call", READS)
@pytest.mark.usefixtures("without_trail")
def test_what_cannot_be_written_down_is_not_shown(served: "Served", call: str, log: "Log") -> None:
    with served.client("admin") as client:
        answer = READS[call][0](client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "audit_unavailable")
    assert not [name for name in ("acme", "Acme", "probability", "0.") if name in answer.text]
    said = {(one["event"], one["request_id"]) for one in log.entries}
    assert ("the audit log takes no row", answer.headers["x-request-id"]) in said


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.usefixtures("without_trail")
def test_a_page_that_cannot_be_written_down_is_not_shown(served: "Served", path: str) -> None:
    with served.browser() as browser:
        answer = browser.get(path)
    assert answer.status_code == 503
    assert not [name for name in ("acme", "Acme", "Bolt", "0.") if name in answer.text]


@pytest.mark.usefixtures("without_trail")
def test_what_shows_no_account_is_answered_all_the_same(served: "Served") -> None:
    with served.client("admin") as client:
        assert client.get("/v1/models").status_code == 200
        assert client.get("/v1/accounts/none").status_code == 404


# Where from


@pytest.mark.parametrize(
    ("client", "forwarded", "proxy", "expected"),
    [
        ("10.0.0.7", [], None, "10.0.0.7"),
        ("10.0.0.7", [b"1.2.3.4"], None, "10.0.0.7"),
        ("10.0.0.7", [b"1.2.3.4"], "10.0.0.8", "10.0.0.7"),
        ("10.0.0.8", [b"6.6.6.6, 1.2.3.4"], "10.0.0.8", "1.2.3.4"),
        ("10.0.0.8", [b"6.6.6.6", b"1.2.3.4"], "10.0.0.8", "1.2.3.4"),
        ("10.0.0.8", [], "10.0.0.8", "10.0.0.8"),
        ("::ffff:10.0.0.7", [], None, "10.0.0.7"),
        ("::ffff:10.0.0.8", [b"::FFFF:1.2.3.4"], "10.0.0.8", "1.2.3.4"),
        ("fe80::1%eth0", [], None, "fe80::1"),
    ],
)
def test_the_address_is_what_the_trusted_proxy_says_last(
    client: str, forwarded: list[bytes], proxy: str | None, expected: str
) -> None:
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    assert address_of({"client": (client, 1234), "headers": headers}, proxy) == expected
