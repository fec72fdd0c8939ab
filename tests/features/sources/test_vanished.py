"""What an earlier check read and is gone is told, and is no part of the checked source."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check
from features.sources.vanished import vanished
from tenure import cli

COUNTS = {"2024-03": 3, "2024-04": 5}


@pytest.fixture
def folder(source_folder: Callable[..., Path]) -> Path:
    """A source whose log of use comes in two parts, of 3 and 5 rows, with two tickets."""
    made = source_folder(
        {
            "accounts": "account_id created_at\n a 2024-01-01",
            "subscriptions": "subscription_id account_id product mrr started_at\n"
            " s1 a base 10 2024-01-01",
            "support_tickets": "ticket_id account_id opened_at\n t1 a 2024-02-01\n t2 a 2024-02-02",
        },
        extracted_at="2024-06-01",
    )
    (made / "usage_events").mkdir()
    for month, count in COUNTS.items():
        days = [f"{month}-{day:02}T10:00" for day in range(1, count + 1)]
        rows = {"account_id": ["a"] * count, "event": ["open"] * count, "occurred_at": days}
        frame = pl.DataFrame(rows).with_columns(pl.col("occurred_at").str.to_datetime("%FT%R"))
        frame.write_parquet(made / "usage_events" / f"{month}.parquet")
    return made


def checked(folder: Path, home: Home) -> CheckedSource:
    return check(str(folder), home=home)


def test_a_first_check_has_nothing_to_compare_with(folder: Path, home: Home) -> None:
    assert vanished(checked(folder, home), home) == ()


def test_the_same_source_again_misses_nothing(folder: Path, home: Home) -> None:
    checked(folder, home)
    (folder / "usage_events" / "2024-03.parquet").rename(folder / "usage_events" / "march.parquet")
    assert vanished(checked(folder, home), home) == ()


def test_a_part_that_is_gone_is_named_with_its_rows(folder: Path, home: Home) -> None:
    checked(folder, home)
    (folder / "usage_events" / "2024-03.parquet").unlink()
    for _ in range(2):  # for as long as the check that read it is kept
        source = checked(folder, home)
        (finding,) = vanished(source, home)
        assert (finding.level, finding.table, finding.rows) == ("warning", "usage_events", 3)
        assert "2024-03.parquet of usage_events" in finding.message
        assert "read 3 rows, got none" in finding.message
    assert finding not in source.findings


def test_a_table_that_is_gone_is_named_with_its_rows(folder: Path, home: Home) -> None:
    checked(folder, home)
    (folder / "support_tickets.csv").unlink()
    (finding,) = vanished(checked(folder, home), home)
    assert (finding.table, finding.rows) == ("support_tickets", 2)
    assert "read 2 rows, got none" in finding.message


def test_another_source_has_no_part_in_it(folder: Path, home: Home, company: Callable) -> None:
    checked(folder, home)
    tables = {
        "accounts": "account_id created_at\n a 2024-01-01",
        "subscriptions": "subscription_id account_id product mrr started_at\n"
        " s1 a base 10 2024-01-01",
    }
    assert vanished(company(tables), home) == ()


def test_every_verb_that_reads_the_source_warns(
    folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("TENURE_HOME", str(home.root))
    first = CliRunner().invoke(cli, ["validate", str(folder)])
    assert "got none" not in first.output
    (folder / "support_tickets.csv").unlink()
    done = CliRunner().invoke(cli, ["validate", str(folder), "--json"])
    assert done.exit_code == 0
    assert "support_tickets, of which an earlier check read 2 rows" in done.stderr
    assert "support_tickets, of which an earlier check read 2 rows" in done.stdout


def test_a_check_of_a_copy_hides_nothing(folder: Path, home: Home) -> None:
    checked(folder, home)
    checked(Path(shutil.copytree(folder, folder.with_name("copy"))), home)
    shutil.rmtree(folder / "usage_events")
    (finding,) = vanished(checked(folder, home), home)
    assert (finding.table, finding.rows) == ("usage_events", 8)
