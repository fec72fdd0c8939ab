"""A part of a checked log that is no longer what was written is named, sooner or later."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from features.checked import CheckedSource
from features.errors import SourceError
from features.home import Home
from features.sources.check import check
from features.sources.takeover import TURNS
from tenure import cli

START = datetime(2024, 3, 4)  # noqa: DTZ001 - naive UTC by contract; a Monday
WEEKS = 7
TABLES = {
    "accounts": "account_id created_at\n a 2024-01-01",
    "subscriptions": "subscription_id account_id product mrr started_at\n s a base 1 2024-03-10",
}


@pytest.fixture
def folder(source_folder: Callable[..., Path]) -> Path:
    """A source with one event in each of seven weeks."""
    folder = source_folder(TABLES, extracted_at="2024-06-01")
    (folder / "usage_events").mkdir()
    add(folder, "1", range(0, 7 * WEEKS, 7))
    return folder


def add(folder: Path, name: str, days: range) -> None:
    times = [START + timedelta(days=day) for day in days]
    log = pl.DataFrame({"account_id": "a", "occurred_at": times, "event": "open"})
    log.write_parquet(folder / "usage_events" / f"{name}.parquet")


def checked(folder: Path, home: Home) -> CheckedSource:
    """Check, and let all that was written be an hour older than its manifest."""
    source = check(str(folder), home=home, limit=1.0)
    for name in source.files:
        written = (source.folder / name).stat()
        os.utime(source.folder / name, ns=(written.st_atime_ns, written.st_mtime_ns - 3600 * 10**9))
    return source


def damaged(source: CheckedSource, week: int) -> str:
    """Turn a bit of a week round as a failing disk does, its time kept; give what shall be said."""
    file = source.parts("usage_events")[week]
    was, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    return f"usage_events/{file.name} with the SHA-256"


def check_daily(folder: Path, home: Home) -> None:
    for day in range(2, TURNS + 2):
        (folder / "source.toml").write_text(f'extracted_at = "2024-06-{day:02}"\n')
        checked(folder, home)


@pytest.mark.parametrize("week", range(WEEKS))
def test_damage_of_which_the_file_system_does_not_know_is_found_by_turns(
    week: int, folder: Path, home: Home
) -> None:
    expected = damaged(checked(folder, home), week)
    with pytest.raises(SourceError, match=expected):
        check_daily(folder, home)


@pytest.mark.parametrize("week", [2, 3])  # of two weeks one has no turn
def test_validate_holds_every_part_against_its_digest(
    week: int, folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = damaged(checked(folder, home), week)
    monkeypatch.setenv("TENURE_HOME", str(home.root))
    done = CliRunner().invoke(cli, ["validate", str(folder), "--limit", "1"])
    assert isinstance(done.exception, SourceError)
    assert expected in str(done.exception)


@pytest.mark.parametrize("week", range(WEEKS))
def test_a_week_that_gets_new_rows_must_be_as_it_was_written(
    week: int, folder: Path, home: Home
) -> None:
    expected = damaged(checked(folder, home), week)
    add(folder, "2", range(7 * week + 1, 7 * week + 2))
    with pytest.raises(SourceError, match=expected):
        checked(folder, home)
