"""A disk without room: what was there before stays whole, and what does not fit is refused."""

import json
import os
import re
from contextlib import closing
from datetime import datetime, timedelta

import httpx
import polars as pl
import psutil
import pytest

from features.checked import open_checked, verify
from features.errors import TenureError
from features.home import Home
from features.sources.check import check
from serving.access.tokens import add_token
from serving.audit_log.account_keys import key_of, pseudonym
from serving.audit_log.check import check as check_log
from serving.audit_log.heads import heads
from serving.backup.restore import check_backup
from serving.backup.write import back_up
from serving.erasure.erase import erase
from serving.parts import utc_now
from serving.publishing.publication import publications
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.snapshots.served import current
from serving.snapshots.snapshot import ASIDE, number_of, open_snapshot
from serving.store.database import open_store

POINTS = int(os.environ.get("FAULT_KILLS", "8"))  # `make faults` asks for many more
NO_ROOM = re.compile("No space left|disk is full|has room|Make room|File too large|disk I/O")
ENOUGH = 8 * 1024 * 1024
START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC by contract
ACCOUNTS = ("acme", "bolt", "corn", "dune", "evil", "gone", "newt", "quit")


@pytest.fixture
def home(disk):
    return Home(disk.folder / "home")


@pytest.fixture
def store(home):
    with closing(open_store(Settings(home=home).store)) as opened:
        yield opened


@pytest.fixture
def scored(company):
    return company.scored_company({"churn": company.make_bundle("churn")})


def while_room_grows(disk, work):
    """Do a piece of work with more and more room, and give how often there was too little of it."""
    failed = 0
    for number in range(POINTS):
        left = int(ENOUGH * (number / (POINTS - 1)) ** 3)
        try:
            with disk.full(psutil.Process(), left=left):
                work()
        except Exception as error:  # noqa: BLE001 - DuckDB, Arrow and Polars have classes of their own
            told = str(error)
            assert NO_ROOM.search(told), told
            failed += 1
    return failed


def test_a_read_whose_row_finds_no_room_is_refused(disk, home, store, scored, serving):
    publish(store, home, scored, utc_now())
    token = add_token(store, "reader", ["read", "score"], utc_now())
    headers = {"authorization": f"Bearer {token}"}
    with (
        serving(Settings(home=home)) as (process, url),
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
    ):
        answered = [client.get("/v1/accounts/acme")]
        with disk.full(process):
            answered += [client.get("/v1/accounts/acme") for _ in range(30)]
            refused = [
                client.get("/v1/accounts/bolt"),
                client.get("/v1/worklist"),
                client.post("/v1/scores", json={"account_ids": ["acme"]}),
            ]
            assert client.get("/readyz").json() == {"status": "not_ready", "missing": ["audit_log"]}
        again = client.get("/v1/accounts/acme")
        assert process.poll() is None
    assert {each.status_code for each in answered} == {200, 503}
    assert [each.json()["error"]["code"] for each in refused] == ["audit_unavailable"] * 3
    assert again.status_code == 200
    of_acme = pseudonym("acme", key_of(store, "acme"))
    lines = [line for file in home.audit_log.iterdir() for line in file.read_text().split("\n")]
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    named = {row["request"]: row["accounts"] for row in rows if "request" in row}
    for each in (*answered, again):
        if each.is_success:
            assert named[each.headers["x-request-id"]] == [of_acme]
    assert check_log(home.audit_log, heads(store)).faults == []


def test_scores_that_find_no_room_leave_those_before_in_service(disk, home, store, scored):
    first = publish(store, home, scored, utc_now())
    numbers = []

    def work():
        served, known = current(home), len(publications(store))
        try:
            numbers.append(publish(store, home, scored, utc_now()).number)
        except (TenureError, OSError):
            assert current(home) == served
            assert {each.account_id for each in open_snapshot(home.served / served).records()} == {
                *ACCOUNTS
            }
            assert len(publications(store)) - known in {0, 1}
            raise

    failed = while_room_grows(disk, work)
    newest = publish(store, home, scored, utc_now())
    assert 0 < failed < POINTS
    assert number_of(current(home)) == newest.number > first.number
    assert [path for path in home.served.iterdir() if path.name.startswith(ASIDE)] == []


def write_source(folder, rows):
    folder.mkdir(exist_ok=True)
    (folder / "accounts.csv").write_text("account_id,created_at\na,2024-01-01\nb,2024-01-01\n")
    (folder / "subscriptions.csv").write_text(
        "subscription_id,account_id,product,mrr,started_at\ns,a,base,1,2024-01-01\n"
    )
    (folder / "source.toml").write_text('extracted_at = "2025-12-31"\n')
    frame = pl.DataFrame(
        {
            "account_id": [("a", "b", "z")[n % 3] for n in range(rows)],
            "occurred_at": [START + timedelta(hours=2 * n) for n in range(rows)],
            "event": [f"e{n}" for n in range(rows)],
        }
    )
    frame.write_parquet(folder / "usage_events.parquet")
    return str(folder)


def test_a_check_that_finds_no_room_leaves_the_one_before(disk, home, tmp_path):
    before = check(write_source(tmp_path / "source", 300), home=home, limit=1.0)
    source = write_source(tmp_path / "source", 4_000)

    def work():
        try:
            check(source, home=home, limit=1.0)
        except Exception:
            kept = open_checked(before.folder)
            verify(kept, kept.files)
            assert {path.name for path in home.checked.iterdir()} == {before.fingerprint}
            raise

    failed = while_room_grows(disk, work)
    again = check(source, home=home, limit=1.0)
    verify(again, again.files)
    assert 0 < failed < POINTS
    assert {path.name for path in home.checked.iterdir()} == {
        before.fingerprint,
        again.fingerprint,
    }


def test_a_backup_that_finds_no_room_leaves_no_file(disk, home, store, scored):
    publish(store, home, scored, utc_now())
    folder = disk.folder / "backups"
    folder.mkdir()
    made = []

    def work():
        try:
            back_up(store, home, folder / f"{len(made)}.tenure", utc_now())
        except (TenureError, OSError):
            assert len([*folder.iterdir()]) == len(made)
            raise
        made.append(check_backup(folder / f"{len(made)}.tenure"))

    failed = while_room_grows(disk, work)
    assert 0 < failed < POINTS
    assert len(made) == POINTS - failed


def test_an_erasure_that_finds_no_room_is_finished_when_there_is_some(disk, home, store, scored):
    publish(store, home, scored, utc_now())

    def work():
        erase(["acme"], store, home, utc_now(), str)

    failed = while_room_grows(disk, work)
    erase(["acme"], store, home, utc_now(), str)
    assert failed > 0
    holding = [
        path for path in home.root.rglob("*") if path.is_file() and b"acme" in path.read_bytes()
    ]
    assert holding == []


def test_each_verb_that_finds_no_room_ends_with_one_clear_line(
    disk, home, tenure, champion, tmp_path
):
    source = write_source(tmp_path / "source", 300)
    asked = {
        "validate": (source, "--limit", "1"),
        "score": ("--source", source),
        "backup": (str(disk.folder / "b.tenure"),),
        "erase": ("a",),
    }
    champion(home)
    for verb, words in asked.items():
        with disk.full(psutil.Process()):
            ended, said = tenure(home, verb, *words)
        *_, last = said.strip().splitlines()
        assert (ended, last.startswith("tenure: ")) == (1, True), said
        assert NO_ROOM.search(last), said
        assert "Traceback" not in said
