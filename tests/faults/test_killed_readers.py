"""A worker that is killed while it answers: each answer that left has its row in the audit log."""

import json
import os
import random
import signal
import threading
import time

import httpx
import pytest

from features.home import Home
from serving.access.tokens import add_token
from serving.audit_log.account_keys import key_of, pseudonym
from serving.audit_log.check import check
from serving.audit_log.heads import heads
from serving.parts import utc_now
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.store.database import open_store

KILLS = int(os.environ.get("FAULT_KILLS", "3"))  # `make faults` asks for many more
READERS = 4
ACCOUNTS = ("acme", "bolt", "corn", "quit")


@pytest.fixture
def home(tmp_path, company):
    made = Home(tmp_path / "home")
    store = open_store(Settings(home=made).store)
    bundles = {"churn": company.make_bundle("churn")}
    publish(store, made, company.scored_company(bundles), utc_now())
    store.close()
    return made


@pytest.fixture
def store(home):
    opened = open_store(Settings(home=home).store)
    yield opened
    opened.close()


def read_until_killed(url, token, answered):
    """Read one account after the other, and keep the request's id of each answer that came."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        for number in range(1_000_000):
            account = ACCOUNTS[number % len(ACCOUNTS)]
            try:
                response = client.get(f"/v1/accounts/{account}")
            except httpx.TransportError:
                return
            assert response.status_code == 200
            answered.append((response.headers["x-request-id"], account))


def rows_of(home):
    lines = [line for path in home.audit_log.iterdir() for line in path.read_bytes().split(b"\n")]
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # cut short: `check` says whether it may be
    return {row["request"]: row["accounts"] for row in rows if "request" in row}


def test_no_answer_left_without_its_row(home, store, serving):
    token = add_token(store, "reader", ["read"], utc_now())
    draw = random.Random(11)  # noqa: S311 - when to kill is no secret
    answered, that_answered = [], 0
    for _ in range(KILLS):
        before = len(answered)
        with serving(Settings(home=home)) as (process, url):
            readers = [
                threading.Thread(target=read_until_killed, args=(url, token, answered))
                for _ in range(READERS)
            ]
            for reader in readers:
                reader.start()
            time.sleep(draw.uniform(0.3, 1.5))
            process.send_signal(signal.SIGKILL)
            for reader in readers:
                reader.join()
        that_answered += len(answered) > before
    named = {account: pseudonym(account, key_of(store, account)) for account in ACCOUNTS}
    rows = rows_of(home)
    assert len(answered) > KILLS * READERS
    assert [one for one, account in answered if rows.get(one) != [named[account]]] == []
    found = check(home.audit_log, heads(store))
    assert found.faults == []
    assert that_answered <= found.chains <= KILLS  # one killed before its first row has no chain
