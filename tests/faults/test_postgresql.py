"""A PostgreSQL that has too few connections, stands still, or goes: what is asked meanwhile."""

import asyncio
import time
from contextlib import contextmanager
from datetime import timedelta

import httpx
import psutil
import pytest
import sqlalchemy as sa

from features.home import Home
from serving.access import recognised
from serving.access.kept_sessions import open_session
from serving.access.recognised import FRESH_SECONDS
from serving.access.tokens import add_token
from serving.access.users import Place, add_user, user_of
from serving.api.app import build_app
from serving.api.guard import Guard
from serving.api.limits import ANSWERED_AT_ONCE
from serving.parts import open_parts, utc_now
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.store import tables

FEW = 8  # connections, of which PostgreSQL keeps three for its owner
AT_ONCE = 40
TRIES = 100
LOGIN = "me@example.com"
SECONDS = 1.5  # for a request, instead of a minute
HANGING = 0.5  # until it is as good as away, instead of two seconds


@pytest.fixture(scope="module")
def parts(postgres, company, tmp_path_factory):
    """The parts of a service whose database has few connections."""
    engine = sa.create_engine(postgres.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER SYSTEM SET max_connections = {FEW}")
    engine.dispose()
    postgres.stop()
    postgres.start()
    home = Home(tmp_path_factory.mktemp("served") / "home")
    limits = {"requests_per_second": 1e6, "requests_at_once": 1_000_000}
    opened = open_parts(Settings(home=home, store_url=postgres.url, **limits))
    bundles = {"churn": company.make_bundle("churn")}
    publish(opened.store, home, company.scored_company(bundles), utc_now())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def headers(parts):
    """What a program sends, and what a browser does."""
    token = add_token(parts.store, "crm", ["feedback", "score", "read"], utc_now())
    add_user(parts.store, LOGIN, "Me", Place("admin"), utc_now())
    session = open_session(parts.store, user_of(parts.store, LOGIN), utc_now(), timedelta(days=1))
    return {"authorization": f"Bearer {token}", "cookie": f"tenure_session={session}"}


@pytest.fixture(scope="module")
def ask(parts, headers):
    """Send requests at once, each in this process, and give their statuses."""
    app = build_app(parts)

    async def send(*requests, within=60.0):
        transport = httpx.ASGITransport(Guard(app, parts, within))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            sent = [client.request(*one, headers=headers, json=told) for *one, told in requests]
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    return send


@pytest.fixture(scope="module")
def run():
    """Run on one event loop, as a worker does."""
    with asyncio.Runner() as runner:
        yield runner.run


SCORES = ("POST", "/v1/scores", {"account_ids": ["acme"]})
PAGE = ("GET", "/list.csv", None)
LIST = ("GET", "/v1/worklist", None)


def feedback(key):
    told = {"account_id": "acme", "kind": "contacted", "idempotency_key": key}
    return ("POST", "/v1/feedback", told)


def kept(parts):
    with parts.store.reading() as connection:
        return set(connection.execute(sa.select(tables.feedback.c.idempotency_key)).scalars())


def test_more_requests_than_it_has_connections_for_are_answered_or_told_to_come_back(
    parts, ask, run
):
    assert run(ask(SCORES, PAGE)) == [200, 200]
    keys = [f"many {number}" for number in range(AT_ONCE)]
    statuses = run(ask(*(one for key in keys for one in (feedback(key), LIST, PAGE))))
    assert set(statuses) <= {200, 503}
    answered = {key for key, status in zip(keys, statuses[::3], strict=True) if status == 200}
    assert answered <= kept(parts)
    assert [run(ask(one)) for one in (feedback("after"), LIST, PAGE, SCORES)] == [[200]] * 4


@contextmanager
def standing_still(postgres):
    """Let it take connections and say nothing, as one does whose disk hangs."""
    first = int((postgres.folder / "data/postmaster.pid").read_text().split()[0])
    postmaster = psutil.Process(first)
    stopped = [postmaster, *postmaster.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


def test_scores_are_answered_while_it_stands_still_and_what_was_not_is_sent_again(
    postgres, parts, ask, run, monkeypatch
):
    monkeypatch.setattr(recognised, "HANGING_SECONDS", HANGING)
    keys = [f"still {number}" for number in range(ANSWERED_AT_ONCE)]
    told = [feedback(key) for key in keys]

    async def meanwhile():
        waiting = asyncio.gather(*(ask(one, within=SECONDS) for one in (*told, PAGE)))
        began = time.monotonic()
        assert await ask(SCORES, within=SECONDS) == [200]
        assert time.monotonic() - began < SECONDS
        return waiting

    assert run(ask(SCORES, PAGE)) == [200, 200]
    time.sleep(FRESH_SECONDS)  # what the store said of the token is to be asked anew
    with standing_still(postgres):
        waiting = run(meanwhile())
        run(asyncio.sleep(SECONDS))
    statuses = [status for (status,) in run(gathered(waiting))]
    assert set(statuses) <= {503, 504}
    monkeypatch.undo()
    run(answered_in_the_end(ask, *told, PAGE, SCORES))
    assert set(keys) <= kept(parts)


async def answered_in_the_end(ask, *requests):
    """Send each, and again where it was refused, as a client does."""
    for one in requests:
        for _ in range(TRIES):
            if await ask(one) == [200]:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(one)


async def gathered(waiting):
    return await waiting


def test_while_it_is_gone_nobody_is_logged_out(postgres, ask, run):
    postgres.stop()
    assert run(ask(SCORES, PAGE, LIST, feedback("gone"))) == [200, 503, 503, 503]
    postgres.start()
    assert run(ask(SCORES, PAGE, LIST, feedback("gone"))) == [200] * 4
