"""People log in with a password, come back to where they were, and log out."""

import re
import time
from dataclasses import replace
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from serving.access import attempts, passwords
from serving.access.kept_sessions import kept_session, session_id
from serving.access.recognised import FRESH_SECONDS
from serving.access.users import (
    KeptUser,
    Place,
    disable_user,
    enable_user,
    list_users,
    set_password,
    set_role,
)
from serving.pages.cookies import SESSION
from serving.pages.paths import safe_next
from serving.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.store.database import Store
    from tests.serving.conftest import Log, Served

HTML = {"accept": "text/html"}
PASSWORD = "correct horse battery"  # noqa: S105 - of these tests
CHANGED = "another horse battery"


def mark_of(page: httpx.Response) -> str:
    found = re.search(r'name="mark" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found[1]


def log_in(
    client: httpx.Client, login: str, password: str = PASSWORD, **more: str
) -> httpx.Response:
    mark = mark_of(client.get("/login", headers=HTML))
    form = {"login": login, "password": password, "mark": mark, **more}
    return client.post("/login", data=form)


def audited(served: "Served") -> list[tuple[str, str]]:
    with served.parts.store.reading() as connection:
        rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.entry))
        return [(row.actor, row.action) for row in rows]


@pytest.fixture
def ann(served: "Served") -> KeptUser:
    return served.user("csm", book="Ann", password=PASSWORD)


@pytest.fixture(autouse=True)
def forgotten(served: "Served") -> None:
    """Forget what failed in the tests before: all of them come from one address."""
    with served.parts.store.writing() as connection:
        connection.execute(sa.delete(tables.failed_logins))
    served.clock.ahead += 60


def test_a_password_opens_ones_own_book_and_is_noted(served: "Served", ann: KeptUser) -> None:
    with served.client() as browser:
        answer = log_in(browser, ann.login.upper())
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        page = browser.get("/", headers=HTML).text
    assert "Acme Ltd" in page
    assert not [name for name in ("Bob", "Bolt", "Dune") if name in page]
    assert audited(served)[-1] == (ann.user_id, "login")


def test_what_was_read_in_a_session_is_in_the_audit_log_under_the_user(
    served: "Served", ann: KeptUser
) -> None:
    with served.client() as browser:
        log_in(browser, ann.login)
        browser.get("/", headers=HTML)
    served.parts.trail.close()
    rows = "".join(path.read_text() for path in served.parts.settings.home.audit_log.iterdir())
    assert f'"token":"{ann.user_id}","call":"GET /"' in rows


def test_the_cookie_is_kept_from_scripts_and_from_forms_of_other_sites(
    served: "Served", ann: KeptUser
) -> None:
    with served.client() as browser:
        cookie = log_in(browser, ann.login).headers.get_list("set-cookie")[0]
    assert cookie.startswith("tenure_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))


def test_nobody_can_tell_who_is_a_user_from_what_a_refusal_says(
    served: "Served", ann: KeptUser
) -> None:
    gone = served.user("admin", password=PASSWORD)
    disable_user(served.parts.store, gone.login, served.parts.now())
    elsewhere = served.user("admin")
    with served.client() as browser:
        tried = [
            log_in(browser, ann.login, "wrong horse battery"),
            log_in(browser, "nobody@example.com"),
            log_in(browser, gone.login),
            log_in(browser, elsewhere.login),
            log_in(browser, "", ""),
            log_in(browser, "é", "é" * 5000),
        ]
        assert "tenure_session" not in browser.cookies
    said = {re.sub(r"[0-9a-f]{64}", "", answer.text) for answer in tried}
    assert ({answer.status_code for answer in tried}, len(said)) == ({401}, 1)
    assert audited(served)[-len(tried) :] == [("unknown", "refused login")] * len(tried)


def test_as_much_work_is_done_for_nobody_as_for_a_user(
    served: "Served", ann: KeptUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = served.user("admin", password=PASSWORD)
    disable_user(served.parts.store, gone.login, served.parts.now())
    verified: list[str] = []

    class Counting:
        def verify(self, kept: str, given: str) -> bool:
            verified.append(kept.rpartition("$")[0].rpartition("$")[0])
            return hasher.verify(kept, given)

    hasher = passwords.HASHER
    monkeypatch.setattr(passwords, "HASHER", Counting())
    nobodys = ("nobody@example.com", "\0", served.user("admin").login, gone.login)
    with served.client() as browser:
        for login in (ann.login, *nobodys):
            log_in(browser, login, "wrong horse battery")
    assert verified == ["$argon2id$v=19$m=65536,t=3,p=2"] * (1 + len(nobodys))


def test_who_goes_on_guessing_waits_and_the_right_password_does_too(
    served: "Served", ann: KeptUser
) -> None:
    with served.client() as browser:
        wrong = [log_in(browser, ann.login, "wrong horse battery") for _ in range(6)]
        refused = log_in(browser, ann.login)
        nobody = [log_in(browser, "nobody@example.com") for _ in range(7)][-1]
    assert [answer.status_code for answer in wrong] == [401] * 6
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert nobody.status_code == 429
    plain = re.compile(r"[0-9a-f]{64}")
    assert plain.sub("", refused.text) == plain.sub("", nobody.text)


@pytest.mark.parametrize("mark", ["", "0" * 64, "é"])
def test_a_login_form_from_elsewhere_is_refused(served: "Served", ann: KeptUser, mark: str) -> None:
    with served.client() as browser:
        assert log_in(browser, ann.login, mark=mark).status_code == 403
        assert "tenure_session" not in browser.cookies


def test_a_login_without_the_forms_cookie_is_refused(served: "Served", ann: KeptUser) -> None:
    with served.client() as browser:
        mark = mark_of(browser.get("/login"))
        browser.cookies.clear()
        form = {"login": ann.login, "password": PASSWORD, "mark": mark}
        assert browser.post("/login", data=form).status_code == 403


def test_the_forms_cookie_is_no_session(served: "Served") -> None:
    with served.client() as browser:
        browser.get("/login")
        browser.cookies.set("tenure_session", browser.cookies["tenure_login"])
        assert browser.get("/").status_code == 401


def test_a_token_opens_no_page_and_a_session_not_the_interface(served: "Served") -> None:
    with served.client("admin") as program, served.browser("admin") as browser:
        assert program.get("/").status_code == 401
        assert browser.get("/").status_code == 200
        for path in ("/v1/worklist", "/openapi.json", "/metrics"):
            assert browser.get(path).status_code == 401


def test_a_login_opens_another_session_than_before(served: "Served", ann: KeptUser) -> None:
    with served.client() as browser:
        log_in(browser, ann.login)
        first = browser.cookies[SESSION]
        log_in(browser, ann.login)
        assert browser.cookies[SESSION] != first


CHANGES: "list[Callable[[Store, str, Served], object]]" = [
    lambda store, login, served: disable_user(store, login, served.parts.now()),
    lambda store, login, served: set_password(store, login, CHANGED, served.parts.now()),
    lambda store, login, served: set_role(
        store, login, Place("csm", book="Bob"), served.parts.now()
    ),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_user_ends_their_sessions_for_good(
    served: "Served", ann: KeptUser, change: "Callable[[Store, str, Served], object]"
) -> None:
    store, now = served.parts.store, served.parts.now()
    with served.client() as browser:
        browser.cookies.set(SESSION, served.session(ann))
        assert browser.get("/").status_code == 200
        change(store, ann.login, served)
        served.clock.ahead += FRESH_SECONDS
        assert browser.get("/").status_code == 401
        enable_user(store, ann.login, now)
        served.clock.ahead += FRESH_SECONDS
        assert browser.get("/").status_code == 401


def test_a_session_that_was_logged_out_of_stays_closed_to_who_kept_its_cookie(
    served: "Served",
) -> None:
    with served.browser() as browser:
        kept = dict(browser.cookies)
        assert browser.post("/logout", data={"mark": "0" * 64}).status_code == 403
        mark = mark_of(browser.get("/"))
        answer = browser.post("/logout", data={"mark": mark})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        cookies = SimpleCookie(answer.headers["set-cookie"])
        assert (cookies["tenure_session"].value, cookies["tenure_session"]["max-age"]) == ("", "0")
        browser.cookies.clear()
        browser.cookies.update(kept)
        assert browser.get("/").status_code == 401
    assert audited(served)[-1][1] == "logout"


def test_the_mark_of_another_session_does_not_log_one_out(served: "Served") -> None:
    with served.browser() as one, served.browser() as other:
        mark = mark_of(other.get("/"))
        assert one.post("/logout", data={"mark": mark}).status_code == 403


def seen_at(served: "Served", cookie: str) -> datetime:
    kept = kept_session(served.parts.store, session_id(cookie))
    assert kept is not None
    return kept.seen_at


def test_a_session_in_use_goes_on_and_its_end_stays(served: "Served") -> None:
    cookie = served.session(served.user(), before=timedelta(minutes=59))
    before = kept_session(served.parts.store, session_id(cookie))
    with served.client() as browser:
        browser.cookies.set(SESSION, cookie)
        assert browser.get("/").status_code == 200
        while seen_at(served, cookie) < served.parts.now():
            time.sleep(0.01)  # it is written beside the answer
    after = kept_session(served.parts.store, session_id(cookie))
    assert before is not None
    assert after == replace(before, seen_at=served.parts.now())


@pytest.mark.parametrize("hours", [1, 12])
def test_a_session_that_was_not_used_or_is_too_old_is_closed(served: "Served", hours: int) -> None:
    cookie = served.session(served.user(), before=timedelta(hours=hours))
    if hours == 12:  # used all the time
        used = tables.sessions.c.session == session_id(cookie)
        with served.parts.store.writing() as connection:
            connection.execute(
                sa.update(tables.sessions).where(used).values(seen_at=served.parts.now())
            )
    with served.client() as browser:
        browser.cookies.set(SESSION, cookie)
        assert browser.get("/").status_code == 401


# Coming back


def test_a_browser_is_sent_to_the_login_and_comes_back_to_what_it_wanted(
    served: "Served", ann: KeptUser
) -> None:
    with served.client() as browser:
        sent = browser.get("/?csm=Ann&limit=3", headers=HTML)
        assert sent.status_code == 303
        to = urlsplit(sent.headers["location"])
        assert (to.path, parse_qs(to.query)) == ("/login", {"next": ["/?csm=Ann&limit=3"]})
        form = browser.get(sent.headers["location"], headers=HTML)
        wanted = re.search(r'name="next" value="([^"]+)"', form.text)
        assert wanted is not None
        back = log_in(browser, ann.login, next=wanted[1].replace("&amp;", "&"))
    assert back.headers["location"] == "/?csm=Ann&limit=3"


def test_who_sent_a_form_after_the_session_had_ended_comes_back_to_its_page(
    served: "Served",
) -> None:
    headers = HTML | {"referer": f"{served.url}/?csm=Ann"}
    with served.client() as browser:
        sent = browser.post("/logout", data={"mark": "x"}, headers=headers)
        assert sent.headers["location"] == "/login?next=%2F%3Fcsm%3DAnn"
        odd = browser.post("/logout", headers=HTML | {"referer": "http://[evil"})
        assert odd.headers["location"] == "/login?next=%2F"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/login",
        "/logout",
        "/v1/worklist",
        "/nowhere",
        "/?\r\nset-cookie: a=b",
        "",
    ],
)
def test_a_login_leads_to_our_own_pages_only(served: "Served", wanted: str) -> None:
    assert safe_next(wanted) == "/"
    with served.client() as browser:
        form = browser.get("/login", params={"next": wanted})
        assert 'name="next" value="/"' in form.text


def test_a_forged_next_in_the_form_leads_to_the_list(served: "Served", ann: KeptUser) -> None:
    with served.client() as browser:
        answer = log_in(browser, ann.login, next="//evil.example/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_no_log_line_holds_a_login_or_a_password(
    served: "Served", ann: KeptUser, log: "Log"
) -> None:
    with served.client() as browser:
        log_in(browser, ann.login)
        log_in(browser, ann.login, "wrong horse battery")
    assert log.entries
    assert not [text for text in (ann.login, "horse", "$argon2id") if text in log.text]
    kept = [user for user in list_users(served.parts.store) if user.login == ann.login]
    assert "$argon2id" not in repr((kept, ann))


def test_failures_are_counted_under_names_that_tell_nothing(served: "Served") -> None:
    attempts.begin(served.parts.store, "typed-a-password-here", "10.0.0.7", served.parts.now())
    with served.parts.store.reading() as connection:
        rows = connection.execute(sa.select(tables.failed_logins)).all()
    assert rows
    assert "typed" not in str(rows)
