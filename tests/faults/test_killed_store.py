"""The store while its writers, its server and its disk fail: what was acknowledged stays, once."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import httpx
import pytest
import sqlalchemy as sa

from features.errors import StoreError
from features.home import Home
from serving.access.tokens import add_token
from serving.api.feedback import Feedback, record
from serving.parts import utc_now
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.store import tables
from serving.store.database import open_store

KILLS = int(os.environ.get("FAULT_KILLS", "3"))  # `make faults` asks for many more
CLIENTS = 4
PATIENCE = 6_000  # hundredths of a second, of a test that has failed
UNAVAILABLE = {"store_unavailable", "audit_unavailable"}  # a full disk takes no audit row either
SCORES = {"account_ids": ["acme", "bolt"]}
WRITE = """
import sys
from serving.api.feedback import Feedback, record
from serving.parts import utc_now
from serving.store.database import open_store
store = open_store(sys.argv[1])
for number in range(1_000_000):
    key = f"{sys.argv[2]} {number}"
    record(store, Feedback("acme", "contacted", None, key), "a token", utc_now())
    print(key, flush=True)
"""


def kept(url):
    """Give the keys of all feedback; each must have its entry in the audit trail."""
    with closing(open_store(url)) as store, store.reading() as connection:
        keys = list(connection.execute(sa.select(tables.feedback.c.idempotency_key)).scalars())
        told = sa.select(sa.func.count()).where(tables.audit.c.action == "feedback")
        assert connection.execute(told).scalar_one() == len(keys)
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    return keys


def written_until_killed(url, name, seconds):
    """Start a writer, kill it in the middle, and give the keys that it had acknowledged."""
    command = [sys.executable, "-c", WRITE, url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        first = writer.stdout.readline()
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        lines = (first + writer.stdout.read()).split("\n")
    return lines[:-1]


def test_writers_are_killed_at_any_time(store_url):
    draw = random.Random(5)  # noqa: S311 - when to kill is no secret
    open_store(store_url).close()
    acknowledged = []
    for number in range(KILLS):
        pair = [
            threading.Thread(
                target=lambda name, seconds: acknowledged.extend(
                    written_until_killed(store_url, name, seconds)
                ),
                args=(f"{number} {side}", draw.uniform(0, 0.3)),
            )
            for side in ("left", "right")
        ]
        for writer in pair:
            writer.start()
        for writer in pair:
            writer.join()
        keys = kept(store_url)
        assert len(set(keys)) == len(keys)
        assert set(acknowledged) <= set(keys)
        assert len(keys) - len(acknowledged) <= 2 * (number + 1)  # of each at most the last
    assert len(acknowledged) > 2 * KILLS


@contextmanager
def published(company, home, url):
    """Give the settings of a company that is scored, and a client's headers."""
    settings = Settings(home=home, store_url=url)
    with closing(open_store(url)) as store:
        bundles = {"churn": company.make_bundle("churn")}
        publish(store, home, company.scored_company(bundles), utc_now())
        token = add_token(store, "crm", ["feedback", "score"], utc_now())
    yield settings, {"authorization": f"Bearer {token}"}


class Client(threading.Thread):
    """Tells feedback, and tells it again under its key while the service has no store."""

    def __init__(self, url, headers, name):
        super().__init__(name=name)
        self.url, self.headers = url, headers
        self.statuses, self.acknowledged = [], []
        self.ended = threading.Event()

    def run(self):
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=60) as client:
            while not self.ended.is_set():
                key = f"{self.name} {len(self.acknowledged)}"
                told = {"account_id": "acme", "kind": "contacted", "idempotency_key": key}
                answer = client.post("/v1/feedback", json=told)
                self.statuses.append(answer.status_code)
                if answer.is_success:
                    self.acknowledged.append(key)
                else:
                    assert answer.json()["error"]["code"] in UNAVAILABLE

    def goes_on(self, status):
        """Wait until another request is answered with a status."""
        seen = len(self.statuses)
        for _ in range(PATIENCE):
            if status in self.statuses[seen:]:
                return
            time.sleep(0.01)
        raise AssertionError(self.statuses[seen:])


def all_go_on(clients, status):
    for client in clients:
        client.goes_on(status)


@contextmanager
def telling(url, headers):
    clients = [Client(url, headers, f"client {number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.ended.set()
        for client in clients:
            client.join()


def probed(url, status):
    """Wait until the service says how it is, and give its answer's status and what is missing."""
    for _ in range(PATIENCE):
        answer = httpx.get(f"{url}/readyz", timeout=30)
        if answer.json()["status"] == status:
            return answer.status_code, answer.json()["missing"]
        time.sleep(0.01)
    raise AssertionError(answer.text)


def holds_all(url, clients):
    keys = kept(url)
    acknowledged = {key for client in clients for key in client.acknowledged}
    assert {status for client in clients for status in client.statuses} == {200, 503}
    assert acknowledged <= set(keys)
    assert len(set(keys)) == len(keys)


def test_its_server_goes_and_comes_back_under_load(postgres, company, home, serving):
    with (
        published(company, home, postgres.url) as (settings, headers),
        serving(settings) as (process, url),
        telling(url, headers) as clients,
    ):
        for end in (postgres.kill, postgres.stop) * max(1, KILLS // 20):
            all_go_on(clients, 200)
            end()
            all_go_on(clients, 503)
            assert httpx.post(f"{url}/v1/scores", headers=headers, json=SCORES).status_code == 200
            assert probed(url, "degraded") == (200, ["store"])
            postgres.start()
        all_go_on(clients, 200)
        assert probed(url, "ready") == (200, [])
        assert process.poll() is None
    holds_all(postgres.url, clients)


def test_its_disk_is_full_for_a_while_under_load(company, disk, serving):
    home = Home(disk.folder / "home")
    url = f"sqlite:///{home.store}"
    with (
        published(company, home, url) as (settings, headers),
        serving(settings) as (process, address),
        telling(address, headers) as clients,
    ):
        all_go_on(clients, 200)
        with disk.full(process):
            all_go_on(clients, 503)
            assert probed(address, "not_ready")[1] == ["audit_log"]
        all_go_on(clients, 200)
        assert process.poll() is None
    holds_all(url, clients)


def test_a_full_database_is_said_in_a_sentence_and_written_to_again(home):
    with closing(open_store(f"sqlite:///{home.store}")) as store:
        limits = iter(["1", "1073741823"])

        def told(key):
            return record(store, Feedback("acme", "contacted", "x" * 9_000, key), "t", utc_now())

        told("before")
        store.engine.dispose()
        sa.event.listen(
            store.engine,
            "connect",
            lambda connection, _: connection.execute(f"PRAGMA max_page_count={next(limits)}"),
        )
        with pytest.raises(StoreError, match=r"database or disk is full.* has room"):
            told("while full")
        store.engine.dispose()
        assert told("after").feedback_id == told("after").feedback_id
    assert sorted(kept(f"sqlite:///{home.store}")) == ["after", "before"]


def test_a_server_that_only_takes_reads_is_said_in_a_sentence(new_store_url, tmp_path):
    with new_store_url("postgresql", tmp_path) as url:
        open_store(url).close()
        address = sa.make_url(url)
        options = f"{address.query['options']} -cdefault_transaction_read_only=on"
        standby = address.update_query_dict({"options": options})
        with (
            closing(open_store(standby.render_as_string(hide_password=False))) as store,
            pytest.raises(StoreError, match="in a read-only transaction"),
        ):
            record(store, Feedback("acme", "contacted", None, "k"), "a token", utc_now())


def test_after_a_restart_no_connection_of_before_is_used(postgres):
    with closing(open_store(postgres.url)) as store:
        record(store, Feedback("acme", "contacted", None, "before"), "a token", utc_now())
        postgres.stop()
        postgres.start()
        assert record(store, Feedback("acme", "contacted", None, "after"), "a token", utc_now())
