"""A login outlives the service that it was made at, and ends at every worker at once."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import sqlalchemy as sa

from serving.access import recognised
from serving.access.kept_sessions import (
    LastUses,
    kept_session,
    open_session,
    session_id,
)
from serving.access.recognised import FRESH_SECONDS, TRUSTED_SECONDS, Recognised
from serving.access.users import Place, disable_user, set_password, set_role
from serving.backup.write import back_up
from serving.pages.cookies import SESSION
from serving.parts import UNKNOWN_AT_ONCE, open_parts
from serving.store import tables
from serving.store.database import Store

if TYPE_CHECKING:
    from tests.serving.conftest import Served, ServeParts

DAY = timedelta(days=1)
PASSWORD = "correct horse battery"  # noqa: S105 - of these tests


@pytest.fixture(scope="module")
def other(served: "Served", serve_parts: "ServeParts") -> Iterator["Served"]:
    """Give another process of the service: a worker beside it, or the one that starts after it."""
    parts = open_parts(served.parts.settings, now=served.parts.now, clock=served.clock)
    with serve_parts(parts) as url:
        yield replace(served, url=url, parts=parts)
    parts.close()


@pytest.fixture
def logged_in(served: "Served", other: "Served") -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Give one browser's session, once at each process, where it was seen to be open."""
    with served.browser("csm", book="Ann") as here, other.client() as there:
        there.cookies.update(here.cookies)
        assert [client.get("/").status_code for client in (here, there)] == [200, 200]
        yield here, there


def login_of(served: "Served", browser: httpx.Client) -> str:
    kept = kept_session(served.parts.store, session_id(browser.cookies[SESSION]))
    assert kept is not None
    return kept.user.login


def test_a_login_is_good_at_a_service_that_starts_after_it(
    served: "Served", other: "Served"
) -> None:
    user = served.user("csm", book="Ann", password=PASSWORD)
    with served.client() as browser, other.client() as after:
        mark = re.search(r'name="mark" value="(\w+)"', browser.get("/login").text)
        assert mark is not None
        form = {"login": user.login, "password": PASSWORD, "mark": mark[1]}
        browser.post("/login", data=form)
        after.cookies.update(browser.cookies)
        assert "Acme Ltd" in after.get("/").text


def test_a_form_of_before_the_start_logs_out_after_it(
    served: "Served", logged_in: tuple[httpx.Client, httpx.Client]
) -> None:
    here, there = logged_in
    mark = re.search(r'name="mark" value="(\w+)"', here.get("/").text)
    assert mark is not None
    answer = there.post("/logout", data={"mark": mark[1]})
    assert answer.headers["location"] == "/login"
    served.clock.ahead += FRESH_SECONDS
    assert here.get("/").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        disable_user,
        lambda store, login, now: set_password(store, login, PASSWORD, now),
        lambda store, login, now: set_role(store, login, Place("csm", book="Bob"), now),
    ],
    ids=["disabled", "password", "role"],
)
def test_a_change_of_a_user_ends_the_session_at_every_worker(
    served: "Served",
    logged_in: tuple[httpx.Client, httpx.Client],
    change: "Callable[[Store, str, datetime], str]",
) -> None:
    change(served.parts.store, login_of(served, logged_in[0]), served.parts.now())
    served.clock.ahead += FRESH_SECONDS
    assert [client.get("/").status_code for client in logged_in] == [401, 401]


def test_what_the_store_keeps_is_no_cookie(
    served: "Served", logged_in: tuple[httpx.Client, httpx.Client]
) -> None:
    with served.parts.store.reading() as connection:
        rows = connection.execute(sa.select(tables.sessions)).all()
    assert rows
    assert logged_in[0].cookies[SESSION] not in str(rows)
    with served.client() as thief:
        for kept in rows:
            for value in (kept.session, kept.mark, f"{kept.user_id}-{kept.mark}"):
                thief.cookies.set(SESSION, value)
                assert thief.get("/").status_code == 401


def test_no_backup_holds_a_session(
    served: "Served", logged_in: tuple[httpx.Client, httpx.Client], tmp_path: Path
) -> None:
    parts = served.parts
    made = back_up(parts.store, parts.settings.home, tmp_path / "backup", parts.now())
    assert "users" in made.rows
    assert "sessions" not in made.rows
    assert (
        session_id(logged_in[0].cookies[SESSION]).encode() not in (tmp_path / "backup").read_bytes()
    )


def test_sessions_that_are_made_up_are_limited_by_address_and_open_ones_are_not(
    served: "Served", logged_in: tuple[httpx.Client, httpx.Client]
) -> None:
    with served.client() as thief:
        statuses = []
        for number in range(2 * UNKNOWN_AT_ONCE):
            thief.cookies.set(SESSION, f"{number:043}")
            statuses.append(thief.get("/").status_code)
    served.clock.ahead += 60
    assert (set(statuses[:100]), set(statuses)) == ({401}, {401, 429})
    assert logged_in[0].get("/").status_code == 200


def test_a_page_waits_for_nobody_who_writes(served: "Served") -> None:
    cookie = served.session(served.user(), before=timedelta(minutes=30))
    with served.client() as browser:
        browser.cookies.set(SESSION, cookie)
        with served.parts.store.writing() as connection:
            connection.execute(sa.update(tables.sessions).values(ends_at=tables.sessions.c.ends_at))
            answer = browser.get("/operations")
        assert answer.status_code == 200
        for _ in range(500):
            kept = kept_session(served.parts.store, session_id(cookie))
            if kept is not None and kept.seen_at == served.parts.now():
                return
            time.sleep(0.01)
    raise AssertionError(kept)


# In the store alone


def test_sessions_that_have_ended_are_forgotten_at_the_next_login(served: "Served") -> None:
    store, user, now = served.parts.store, served.user(), served.parts.now()
    old = open_session(store, user, now - DAY, DAY)
    open_session(store, user, now, DAY)
    assert kept_session(store, session_id(old)) is None


def test_a_use_that_could_not_be_written_is_written_with_the_next(served: "Served") -> None:
    store, now = served.parts.store, served.parts.now()
    one, other = (session_id(open_session(store, served.user(), now, DAY)) for _ in range(2))
    away = Store(sa.create_engine("sqlite:////nowhere/at/all"))
    uses = LastUses(away)

    async def use() -> None:
        uses.note(one, now + timedelta(minutes=1))
        await asyncio.sleep(0.2)
        uses.store = store
        uses.note(other, now + timedelta(minutes=2))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if seen_at(store, one) > now and seen_at(store, other) > now:
                return

    asyncio.run(use())
    away.close()
    written = [seen_at(store, one), seen_at(store, other)]
    assert written == [now + timedelta(minutes=1), now + timedelta(minutes=2)]


def seen_at(store: Store, kept_id: str) -> datetime:
    kept = kept_session(store, kept_id)
    assert kept is not None
    return kept.seen_at


def test_what_ended_long_ago_is_remembered_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognised, "MOST", 3)
    seconds = [0.0]
    remembers = Recognised(None, lambda _store, one: one, lambda: seconds[0])  # type: ignore[arg-type,return-value,var-annotated]
    for number in range(3):
        remembers.ask(str(number))
    seconds[0] = TRUSTED_SECONDS
    remembers.ask("new")
    assert [remembers.knows(one) for one in ("0", "1", "2", "new")] == [False, False, False, True]
