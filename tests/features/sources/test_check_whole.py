"""A source as a whole: what stops its check, and what the check leaves behind."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from features.checked import open_checked
from features.errors import SourceError
from features.sources.check import check

ACCOUNTS = """
    account_id  created_at
    a           2024-01-01
    b           2024-02-01
"""
SUBSCRIPTIONS = """
    subscription_id  account_id  product  mrr     started_at  ended_at
    s1               a           base     100.10  2024-01-01  -
    s2               b           base     50      2024-02-01  2024-12-31
"""
BASE = {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}


def test_a_table_above_the_limit_stops_the_run_and_leaves_its_rows(company, home):
    courses = "account_id completed_at\na 2024-02-01\nz 2024-02-01"
    with pytest.raises(SourceError, match=r"50\.0% in trainings \(1 of 2; .*unknown account"):
        company(BASE | {"trainings": courses}, limit=0.4)
    (file,) = home.quarantine.rglob("*.csv")
    assert "names an unknown account" in file.read_text()
    assert list(home.checked.iterdir()) == []


def test_a_share_at_the_limit_does_not_stop_the_run(company):
    courses = "account_id completed_at\na 2024-02-01\nz 2024-02-01"
    assert company(BASE | {"trainings": courses}, limit=0.5).quarantined["trainings"] == 1


@pytest.mark.parametrize("absent", ["accounts", "subscriptions"])
def test_a_source_without_a_required_table_is_refused(company, absent):
    with pytest.raises(SourceError, match=f"Expected a file {absent}.parquet"):
        company({name: text for name, text in BASE.items() if name != absent})


def test_a_table_without_a_required_column_is_refused(company):
    with pytest.raises(SourceError, match=r"Expected the column channel in the table engagement"):
        company(BASE | {"engagement": "account_id occurred_at\na 2024-02-01"})


def test_a_source_without_accounts_in_it_is_refused(company):
    headings = {name: text.strip().splitlines()[0] for name, text in BASE.items()}
    with pytest.raises(SourceError, match="accounts has no rows"):
        company(headings)


def test_accounts_without_rows_are_named_though_other_tables_have_rows_of_them(company):
    with pytest.raises(SourceError, match="accounts has no rows"):
        company(BASE | {"accounts": "account_id created_at"})


def test_accounts_of_broken_rows_alone_are_refused_whatever_the_limit(company):
    with pytest.raises(SourceError, match="Expected good rows in the table accounts"):
        company(BASE | {"accounts": "account_id created_at\na never\nb never"}, limit=1.0)


def test_a_folder_that_is_not_there_is_refused(home, tmp_path):
    with pytest.raises(SourceError, match="Expected a folder or a database URL"):
        check(str(tmp_path / "nowhere"), home=home)


def test_unknown_tables_and_columns_are_reported_and_left_alone(company):
    accounts = "account_id created_at shoe_size\na 2024-01-01 43\nb 2024-02-01 38"
    tables = BASE | {"accounts": accounts, "weather": "day\n2024-01-01"}
    source = company(tables, extracted_at="2024-02-29")
    messages = [finding.message for finding in source.findings]
    assert messages == [
        "no tables of the contract, left alone: weather",
        "no columns of the contract, left alone: shoe_size",
    ]


def test_the_fingerprint_knows_the_content_and_not_its_order(company):
    shuffled = "\n".join([ACCOUNTS.splitlines()[1], *reversed(ACCOUNTS.splitlines()[2:4])])
    first = company(BASE)
    assert company(BASE | {"accounts": shuffled}).fingerprint == first.fingerprint
    assert company(BASE, extracted_at="2025-12-31").fingerprint != first.fingerprint
    changed = SUBSCRIPTIONS.replace("100.10", "100.11")
    assert company(BASE | {"subscriptions": changed}).fingerprint != first.fingerprint


def test_parquet_in_parts_is_read_as_csv_is(company, source_folder, home):
    folder = source_folder(BASE, extracted_at="2026-01-01")
    (folder / "accounts.csv").unlink()
    (folder / "accounts" / "day=1").mkdir(parents=True)
    late = {"account_id": ["b"], "created_at": [datetime(2024, 2, 1).date()]}  # noqa: DTZ001 - a day
    early = {"created_at": [datetime(2024, 1, 1).date()], "account_id": ["a"]}  # noqa: DTZ001 - a day
    pl.DataFrame(late).write_parquet(folder / "accounts" / "part-1.parquet")
    pl.DataFrame(early).write_parquet(folder / "accounts" / "day=1" / "part-0.parquet")
    assert check(str(folder), home=home).fingerprint == company(BASE).fingerprint


def test_it_leaves_nothing_but_the_checked_source(company, home):
    source = company(BASE)
    assert [path.name for path in home.checked.iterdir()] == [source.fingerprint]
    names = {path.name for path in source.folder.iterdir()}
    assert names == {"accounts.parquet", "subscriptions.parquet", "manifest.json"}


def test_a_checked_source_opens_as_it_was_written(company):
    events = "account_id occurred_at event\na 2024-03-01 login\nz 2024-03-01 login"
    source = company(BASE | {"usage_events": events}, limit=1.0, currency="EUR")
    assert open_checked(source.folder) == source


def test_a_checked_source_with_a_lost_file_is_refused(company):
    source = company(BASE)
    source.path("accounts").unlink()
    with pytest.raises(SourceError, match=r"Expected accounts\.parquet of .* got no such file"):
        open_checked(source.folder)
    with pytest.raises(SourceError, match=r"Expected a checked source with a manifest\.json"):
        open_checked(Path("nowhere"))


def test_an_absent_table_is_no_file(company):
    with pytest.raises(SourceError, match="Expected the table surveys"):
        company(BASE).path("surveys")
