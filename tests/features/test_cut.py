"""A source as it was at a date: all that became known since is gone."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from features.battery.drawn import Draw, draw_company
from features.battery.known import as_known
from features.battery.written import write_checked
from features.checked import CheckedSource, open_checked
from features.cut import cut
from features.errors import SourceError

Company = Callable[..., CheckedSource]


def table(source: CheckedSource, name: str) -> pd.DataFrame:
    rows = pd.concat([pd.read_parquet(part) for part in source.parts(name)])
    return rows.sort_values(list(rows.columns), ignore_index=True)


@pytest.mark.parametrize("is_versioned", [True, False])
def test_it_is_what_the_contract_says_was_known(tmp_path: Path, *, is_versioned: bool) -> None:
    draw = Draw(seed=4, day=420, is_versioned=is_versioned, rows=60)
    tables = draw_company(draw)
    today = write_checked(tmp_path / "today", tables)
    before = cut(today, draw.as_of, tmp_path / "cut")
    expected = write_checked(tmp_path / "known", as_known(tables, draw.as_of))
    for name in today.columns:
        pd.testing.assert_frame_equal(table(before, name), table(expected, name))
        if name not in {"accounts", "account_merges"}:
            assert len(table(before, name)) < len(table(today, name)), name


TABLES = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
        b           2024-06-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at ended_at   renews_at  term_months
        s1              a          base    100 2024-01-01 2025-01-01 2025-01-01 12
        s2              a          plus    100 2024-02-01 -          2026-02-01 12
        s3              b          base    100 2024-06-01 -          2025-06-01 12
    """,
    "support_tickets": """
        ticket_id account_id opened_at        resolved_at      csat csat_at
        t1        a          2024-05-20T10:00 2024-05-31T23:00 2    2024-06-01T00:00
        t2        a          2024-06-01T00:00 -                -    -
    """,
}


@pytest.fixture
def before(company: Company, tmp_path: Path) -> CheckedSource:
    today = company(TABLES, extracted_at="2026-01-01")
    return cut(today, datetime(2024, 6, 1), tmp_path / "cut")  # noqa: DTZ001 - naive UTC


def test_rows_of_the_date_itself_are_gone(before: CheckedSource) -> None:
    assert list(before.read("accounts")["account_id"]) == ["a"]
    assert list(before.read("support_tickets")["ticket_id"]) == ["t1"]


def test_facts_and_the_values_known_with_them_are_null_before_their_time(
    before: CheckedSource,
) -> None:
    (ticket,) = before.read("support_tickets").to_dict("records")
    assert ticket["resolved_at"] == pd.Timestamp("2024-05-31T23:00")
    assert pd.isna(ticket["csat"])
    assert pd.isna(ticket["csat_at"])
    assert before.read("subscriptions")["ended_at"].isna().all()


def test_the_end_of_a_term_that_had_not_begun_is_not_known(before: CheckedSource) -> None:
    ends = before.read("subscriptions").set_index("subscription_id")["renews_at"]
    assert ends["s1"].date().isoformat() == "2025-01-01"
    assert pd.isna(ends["s2"])


def test_an_extract_made_before_the_date_is_refused(before: CheckedSource, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Expected an extract of 2024-06-02 or later"):
        cut(before, datetime(2024, 6, 2), tmp_path / "again")  # noqa: DTZ001 - naive UTC


def test_it_is_a_checked_source_of_that_date(before: CheckedSource) -> None:
    assert before.extracted_at == datetime(2024, 6, 1)  # noqa: DTZ001 - naive UTC
    assert open_checked(before.folder) == before
