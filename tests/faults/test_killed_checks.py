"""A check that is killed: what was published stays whole, and the next check clears up."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

import polars as pl
import pytest

from features.checked import MANIFEST, open_checked, verify
from features.errors import SourceError
from features.home import Home
from features.sources.check import check
from features.sources.publish import replace_files
from features.sources.workplace import KEPT_CHECKS, KEPT_FOR, checks_of, remove_superseded

KILLS = int(os.environ.get("FAULT_KILLS", "3"))  # `make faults` asks for many more
START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC by contract
CHECK = """
import sys
from pathlib import Path
from features.home import Home
from features.sources.check import check
print("ready", flush=True)
check(sys.argv[1], home=Home(Path(sys.argv[2])), limit=1.0)
"""


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "usage_events").mkdir(parents=True)
    (folder / "accounts.csv").write_text("account_id,created_at\na,2024-01-01\nb,2024-01-01\n")
    (folder / "subscriptions.csv").write_text(
        "subscription_id,account_id,product,mrr,started_at\ns,a,base,1,2024-01-01\n"
    )
    (folder / "source.toml").write_text('extracted_at = "2025-12-31"\n')
    add_part(folder, 0)
    return folder


def add_part(folder, number, rows=4_000):
    """Add a part whose events reach over many weeks, some of them of an unknown account."""
    frame = pl.DataFrame(
        {
            "account_id": [("a", "b", "a", "z")[n % 4] for n in range(rows)],
            "occurred_at": [START + timedelta(hours=2 * n + number) for n in range(rows)],
            "event": [f"e{number}"] * rows,
        }
    )
    aside = folder / "part"
    frame.write_parquet(aside)
    aside.rename(folder / "usage_events" / f"{number}.parquet")


def content_of(checked):
    return {name: (checked.folder / name).read_bytes() for name in checked.files}


def killed(source, home, is_time):
    """Start a check in a process of its own, and kill it when it is time; tell whether it ran."""
    command = [sys.executable, "-c", CHECK, str(source), str(home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None and not is_time():
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def there_is(home, pattern):
    return lambda: any(home.checked.glob(pattern))


MOMENTS = {
    "its folder is made": ".check-*",
    "new rows are being read": ".check-*/*.staged.parquet",
    "the check before is linked": ".check-*/usage_events.previous/usage_events/*",
    "accounts are written": ".check-*/out/accounts.parquet",
    "weeks are being written": ".check-*/out/usage_events/*",
    "rows are set aside": ".check-*/out/usage_events.aside*",
    "the manifest is written": ".check-*/out/manifest.json",
}


def holds_after_a_kill(source, home, before):
    """Hold the state after a kill against that before, and let the next check clear up."""
    assert content_of(open_checked(before.folder)) == content_of(before)
    again = check(str(source), home=home, limit=1.0)
    verify(again, again.files)
    assert {folder.name for folder in home.checked.iterdir()} == {
        folder.name for folder in checks_of(again.origin, home)
    }
    return again


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_check_killed_when(source, home, tmp_path, moment):
    before = check(str(source), home=home, limit=1.0)
    add_part(source, 1)
    was_hit = killed(source, home, there_is(home, MOMENTS[moment]))
    assert was_hit or "out/" in MOMENTS[moment]  # the end of a check is too short to be met always
    again = holds_after_a_kill(source, home, before)
    whole = check(str(source), home=Home(tmp_path / "whole"), limit=1.0)
    assert again.fingerprint == whole.fingerprint
    assert content_of(again) == content_of(whole)


def test_checks_killed_at_any_time(source, home):
    before = check(str(source), home=home, limit=1.0)
    hit = 0
    for number in range(1, KILLS + 1):
        add_part(source, number, rows=400)
        ends = time.monotonic() + 0.7 * (number % 97) / 97
        hit += killed(source, home, lambda ends=ends: time.monotonic() > ends)
        before = holds_after_a_kill(source, home, before)
    assert hit > KILLS / 3


def test_what_a_killed_check_left_is_removed_and_what_a_running_one_has_is_not(source, home):
    first = check(str(source), home=home, limit=1.0)
    left = home.checked / ".check-left"
    shutil.copytree(first.folder, left / "out")
    command = [sys.executable, "-c", CHECK, str(source), str(home.root)]
    add_part(source, 1)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        while not list(home.checked.glob(".check-*/*.staged.parquet")) and running.poll() is None:
            time.sleep(0.001)
        assert not left.exists()
        other = check(str(source), home=home, limit=1.0)
        assert running.wait(60) == 0
    verify(other, other.files)


def test_a_folder_whose_removal_was_killed_is_removed(source, home):
    first = check(str(source), home=home, limit=1.0)
    half = home.checked / ("0" * 64)
    shutil.copytree(first.folder, half)
    (half / MANIFEST).unlink()
    check(str(source), home=home, limit=1.0)
    assert not half.exists()


def test_the_same_content_published_anew_is_whole_after_each_of_its_steps(source, home, tmp_path):
    first = check(str(source), home=home, limit=1.0)
    names = (*first.files, MANIFEST)
    for steps in range(len(names) + 1):
        again = tmp_path / f"again{steps}"
        shutil.copytree(first.folder, again)
        replace_files(again, first.folder, names[:steps])
        opened = open_checked(first.folder)
        verify(opened, opened.files)


def test_a_reader_goes_on_reading_what_it_opened_while_newer_checks_publish(source, home):
    opened = check(str(source), home=home, limit=1.0)
    content = content_of(opened)
    for number in (1, 2):
        add_part(source, number)
        check(str(source), home=home, limit=1.0)
        assert content_of(opened) == content


def test_readers_see_whole_checks_only(source, home):
    check(str(source), home=home, limit=1.0)
    ended, seen, wrong = threading.Event(), set(), []

    def read():
        while not ended.is_set():
            for folder in set(home.checked.glob("[0-9a-f]*")) - seen:
                seen.add(folder)
                try:
                    open_checked(folder)
                except SourceError as error:
                    wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in (1, 2, 3):
            add_part(source, number, rows=400)
            check(str(source), home=home, limit=1.0)
    finally:
        ended.set()
        reader.join()
    assert wrong == []
    assert len(seen) == 4


def test_only_superseded_checks_of_an_age_are_removed(source, home):
    checks = []
    for number in range(1, KEPT_CHECKS + 3):
        add_part(source, number, rows=8)
        checks.append(check(str(source), home=home, limit=1.0))
    assert len(checks_of(checks[0].origin, home)) == len(checks)
    later = datetime.now().astimezone() + KEPT_FOR + timedelta(hours=1)
    remove_superseded(checks[-1], home, later)
    kept = {checked.folder.name for checked in checks[-KEPT_CHECKS:]}
    assert {folder.name for folder in home.checked.iterdir()} == kept
    verify(checks[-1], checks[-1].files)
