"""An erasure that is killed: what is gone stays gone, and the same command finishes it."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date

import httpx
import pyarrow.parquet as pq

from features.built import built
from features.errors import SnapshotError
from features.home import Home
from features.sources.check import check
from features.tombstones import read_tombstones
from serving.access.tokens import add_token
from serving.api.feedback import Feedback, record
from serving.audit_log.check import check as check_log
from serving.audit_log.heads import heads
from serving.parts import utc_now
from serving.publishing.publish import OF_ACCOUNTS, publish
from serving.settings import Settings
from serving.snapshots.served import current
from serving.snapshots.snapshot import open_snapshot
from serving.store.database import open_store

KILLS = int(os.environ.get("FAULT_KILLS", "3"))  # `make faults` asks for many more
A_ROUND = 2
MOST_SECONDS = 0.8  # what a whole erasure of the company below takes
PATIENCE = 600  # tenths of a second, of a test that has failed
CANARY = "canary-4711"
ERASE = """
import sys
import serving.erasure.erase
from tenure import main
sys.argv = ["tenure", "erase", sys.argv[1]]
print("ready", flush=True)
main()
"""
ACCOUNTS = f"""account_id,name,created_at
{CANARY},{CANARY} Ltd,2024-01-01
b,B,2024-01-01
"""
SUBSCRIPTIONS = f"""subscription_id,account_id,product,mrr,started_at
s1,{CANARY},base,1,2024-01-01
s2,b,base,1,2024-01-01
{CANARY}-broken,{CANARY},base,much,2024-01-01
"""


def write_source(folder):
    folder.mkdir()
    (folder / "accounts.csv").write_text(ACCOUNTS)
    (folder / "subscriptions.csv").write_text(SUBSCRIPTIONS)
    days = [f"2024-{month:02}-{day:02}" for month in range(2, 6) for day in range(1, 28)]
    rows = [f"{one},{day},{one}-opened" for day in days for one in (CANARY, "b")]
    (folder / "usage_events.csv").write_text("\n".join(["account_id,occurred_at,event", *rows]))
    (folder / "source.toml").write_text('extracted_at = "2024-06-01"\n')
    return str(folder)


def with_canary(scored):
    """Call one account by a word that is nowhere else."""
    frames = {name: getattr(scored, name) for name in OF_ACCOUNTS}
    frames = {name: each.replace({"account_id": {"acme": CANARY}}) for name, each in frames.items()}
    return replace(scored, **frames)


def filled(home, source, scored):
    """Fill a home with all that is kept of accounts, and give a reader's token."""
    built(check(source, home=home, limit=1.0), [date(2024, 5, 1)], home=home)
    with closing(open_store(Settings(home=home).store)) as store:
        for _ in range(2):
            publish(store, home, scored, utc_now())
        record(store, Feedback(CANARY, "contacted", CANARY, f"{CANARY}-1"), "t", utc_now())
        return add_token(store, "reader", ["read"], utc_now())


def erased_until_killed(home, seconds):
    """Run the verb, kill it in the middle, and tell how it ended."""
    command = [sys.executable, "-c", ERASE, CANARY]
    environ = {**os.environ, "TENURE_HOME": str(home.root)}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environ, **quiet) as process:
        assert process.stdout.readline() == b"ready\n"
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    return process.returncode


def is_served(home):
    """Tell whether the snapshot in service has it; one that is put in its place meanwhile too."""
    while True:
        name = current(home)
        try:
            return open_snapshot(home.served / name).find(CANARY) is not None
        except SnapshotError:
            assert current(home) != name


def comes_back(home, source, scored):
    """Tell whether another verb brings it back: a check, or scores that were made before."""
    checked = check(source, home=home, limit=1.0)
    with closing(open_store(Settings(home=home).store)) as store:
        publish(store, home, scored, utc_now())
    found = pq.read_table(checked.folder / "accounts.parquet")["account_id"].to_pylist()
    return CANARY in found or is_served(home)


def holding(home):
    """Give the files that hold it: by name, as bytes, or in a cell of Parquet."""
    found = set()
    for file in (path for path in home.root.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if content[:4] == b"PAR1":
            content += repr(pq.read_table(file).to_pydict()).encode()
        if CANARY in str(file.relative_to(home.root)) or CANARY.encode() in content:
            found.add(file.relative_to(home.root).parts[0])
    return found


def until_unknown(client):
    for _ in range(PATIENCE):
        if client.get(f"/v1/accounts/{CANARY}").status_code == 404:
            return
        time.sleep(0.1)
    raise AssertionError("it is served still")


def test_erasures_killed_at_any_time(tmp_path, company, serving):
    draw = random.Random(23)  # noqa: S311 - when to kill is no secret
    scored = with_canary(company.scored_company({"churn": company.make_bundle("churn")}))
    source = write_source(tmp_path / "source")
    ends = []
    for number in range(max(1, KILLS // 5)):
        home = Home(tmp_path / f"home{number}")
        token = filled(home, source, scored)
        assert {"checked", "quarantine", "served", "snapshots", "store.db"} <= holding(home)
        headers = {"authorization": f"Bearer {token}"}
        with (
            serving(Settings(home=home)) as (_, url),
            httpx.Client(base_url=url, headers=headers, timeout=60) as client,
        ):
            assert client.get(f"/v1/accounts/{CANARY}").status_code == 200
            for _ in range(A_ROUND):
                ends.append(erased_until_killed(home, draw.uniform(0, MOST_SECONDS)))
                if read_tombstones(home).has(CANARY):
                    assert not comes_back(home, source, scored)
                    until_unknown(client)
                if draw.random() < 0.5:  # most often it goes on with what the kill left
                    break
            assert erased_until_killed(home, PATIENCE) == 0
            assert holding(home) == set()
            until_unknown(client)
            assert client.get("/v1/accounts/bolt").status_code == 200
        with closing(open_store(Settings(home=home).store)) as store:
            found = check_log(home.audit_log, heads(store))
        assert found.faults == []
    assert ends.count(-signal.SIGKILL) >= len(ends) / 3
