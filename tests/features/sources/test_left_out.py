"""What a source tells of erased accounts is left out, counted, and kept nowhere."""

from collections.abc import Callable
from datetime import date

import pytest

from features.checked import CheckedSource
from features.errors import ErasureError, SourceError
from features.home import Home
from features.sources.report import report_text
from features.tombstones import bury, erasing, lift, read_tombstones, tombstones_in

Company = Callable[..., CheckedSource]
TODAY = date(2026, 3, 2)
TABLES = {
    "accounts": """
        account_id  name    parent_account_id  created_at
        a           Alpha   -                  2024-01-01
        gone        Canary  -                  2024-01-01
        child       Kid     gone               2024-01-01
        twin        Canary2 -                  2024-01-01
    """,
    "account_merges": """
        from_account_id  into_account_id  merged_at
        twin             gone             2024-05-01
    """,
    "subscriptions": """
        subscription_id  account_id  product  mrr  started_at
        s1               a           base     100  2024-01-01
        s2               gone        base     900  2024-01-01
        s3               twin        base     900  2024-01-01
    """,
    "usage_events": """
        account_id  occurred_at  event  user_id
        a           2024-06-01   open   u1
        gone        2024-06-01   open   canary-user
        twin        2024-06-01   open   canary-user
        twin        never        open   canary-user
    """,
}


def buried(home: Home, *accounts: str) -> None:
    with erasing(home):
        bury(home, accounts, TODAY)


def test_rows_of_an_erased_account_are_left_out_and_counted(company: Company, home: Home) -> None:
    buried(home, "gone")
    source = company(TABLES)
    assert list(source.read("accounts")["account_id"]) == ["a", "child"]
    assert list(source.read("subscriptions")["account_id"]) == ["a"]
    assert {name: counts.erased for name, counts in source.counts.items()} == {
        "accounts": 2,
        "account_merges": 1,
        "subscriptions": 2,
        "usage_events": 3,
    }
    assert "accounts: rows of erased accounts were left out, 2 rows (50.0%)" in report_text(source)


def test_a_child_of_an_erased_account_stays_without_its_parent(
    company: Company, home: Home
) -> None:
    buried(home, "gone")
    accounts = company(TABLES).read("accounts").set_index("account_id")
    assert accounts["parent_account_id"].isna().all()


def test_no_row_of_it_is_set_aside_as_that_of_an_unknown_account(
    company: Company, home: Home
) -> None:
    buried(home, "gone")
    assert company(TABLES).quarantine is None  # though one of them has no time


def test_a_line_that_is_no_row_is_kept_without_its_text(company: Company, home: Home) -> None:
    tables = {**TABLES, "subscriptions": TABLES["subscriptions"] + "\n s4 gone too many cells now"}
    before = company(tables, limit=1.0).quarantine.read_text()
    assert "gone,too,many" in before.replace('"', "")
    buried(home, "gone")
    after = company(tables, limit=1.0).quarantine.read_text()
    assert "withheld" in after
    assert "gone,too,many" not in after


def test_a_tombstone_that_is_lifted_lets_the_account_come_back(
    company: Company, home: Home
) -> None:
    buried(home, "gone", "a")
    with erasing(home):
        assert lift(home, ["gone", "a", "never-erased"]) == 2
    assert len(company(TABLES, limit=0.5).read("accounts")) == 4


def test_a_tombstone_names_no_account(home: Home) -> None:
    buried(home, "gone")
    kept = home.tombstones.read_text()
    assert "gone" not in kept
    assert home.tombstones.stat().st_mode & 0o777 == 0o600
    assert read_tombstones(home).among(["gone", "a", None]) == {"gone"}
    assert "key" not in repr(read_tombstones(home))


@pytest.mark.parametrize(
    "text", ["", "{", '{"erased_on": {}}', '{"key": "", "erased_on": {}}', '{"key": 1}']
)
def test_nothing_is_read_while_the_tombstones_are_damaged(
    company: Company, home: Home, text: str
) -> None:
    buried(home, "gone")
    home.tombstones.write_text(text)
    with pytest.raises(ErasureError, match="Expected the tombstones"):
        company(TABLES)
    with pytest.raises(ErasureError, match="Expected the tombstones"):
        tombstones_in(home.tombstones)


def test_a_source_of_erased_accounts_alone_is_refused(company: Company, home: Home) -> None:
    buried(home, "gone", "a", "child")
    with pytest.raises(SourceError, match="Expected good rows in the table accounts"):
        company(TABLES)
