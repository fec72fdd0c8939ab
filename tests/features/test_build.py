"""Feature rows of small companies, computed by hand."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from features.build import feature_table, write_feature_table
from features.catalog import available, catalog, catalog_json
from features.checked import CheckedSource
from features.engine import Engine
from features.spine import account_states

Company = Callable[..., CheckedSource]
BASE = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
        b           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
        s2              b          base    100 2024-01-01
    """,
}


def value(source: CheckedSource, column: str, as_of: str, account: str = "a") -> float:
    spine = pd.DataFrame(
        {"account_id": [account], "as_of": pd.to_datetime([as_of]).astype("datetime64[us]")}
    )
    chosen = [feature for feature in catalog() if feature.column == column]
    table = feature_table(source, spine, engine=Engine.POLARS, features=chosen)
    (only,) = table[column]
    return float(only)


def known(company: Company, **tables: str) -> CheckedSource:
    return company({**BASE, **tables}, extracted_at="2025-06-01")


TICKETS = """
    ticket_id account_id opened_at        first_responded_at resolved_at      csat csat_at
    t1        a          2024-03-01T10:00 2024-03-01T12:00   2024-03-10T10:00 2    2024-03-20T10:00
    t2        a          2024-03-02T10:00 2024-03-02T16:00   -                -    -
"""


@pytest.mark.parametrize(
    ("column", "as_of", "expected"),
    [
        ("support__open_tickets", "2024-03-10", 2.0),
        ("support__open_tickets", "2024-03-11", 1.0),
        ("support__first_response_hours__28d", "2024-03-02", 2.0),
        ("support__first_response_hours__28d", "2024-03-03", 4.0),
        ("support__csat__90d", "2024-03-20", float("nan")),
        ("support__csat__90d", "2024-03-21", 2.0),
        ("support__oldest_open_ticket_days", "2024-03-10", 9.0),
        ("support__oldest_open_ticket_days", "2024-03-12", 10.0),
    ],
)
def test_a_fact_filled_in_later_counts_from_its_own_time(
    company: Company, column: str, as_of: str, expected: float
) -> None:
    seen = value(known(company, support_tickets=TICKETS), column, as_of)
    assert seen == pytest.approx(expected, nan_ok=True)


INVOICES = """
    invoice_id account_id issued_at  due_at     amount paid_at
    i1         a          2024-03-01 2024-03-15 100.10 2024-04-01
    i2         a          2024-03-05 2024-03-19 200.20 -
    i3         a          2024-03-06 2024-03-06 -50    -
"""


@pytest.mark.parametrize(
    ("column", "as_of", "expected"),
    [
        ("billing__days_overdue", "2024-03-15", 0.0),
        ("billing__days_overdue", "2024-03-25", 10.0),
        ("billing__days_overdue", "2024-04-02", 14.0),
        ("billing__overdue_amount", "2024-03-25", 300.3),
        ("billing__overdue_amount", "2024-04-02", 200.2),
        ("billing__credited__90d", "2024-03-06", 0.0),
        ("billing__credited__90d", "2024-03-07", 50.0),
    ],
)
def test_an_invoice_is_overdue_until_it_is_paid(
    company: Company, column: str, as_of: str, expected: float
) -> None:
    assert value(known(company, invoices=INVOICES), column, as_of) == expected


def test_a_row_recorded_late_is_not_known_before(company: Company) -> None:
    late = """
        account_id occurred_at event recorded_at
        a          2024-03-01  open  2024-03-05
    """
    source = known(company, usage_events=late)
    assert value(source, "usage__events__28d", "2024-03-05") == 0.0
    assert value(source, "usage__events__28d", "2024-03-06") == 1.0


def test_users_of_merged_accounts_are_counted_once(company: Company) -> None:
    events = """
        account_id user_id occurred_at event
        a          u1      2024-03-01  open
        b          u1      2024-03-02  open
        b          u2      2024-03-03  open
    """
    merges = """
        from_account_id into_account_id merged_at
        b               a               2024-03-10
    """
    source = known(company, usage_events=events, account_merges=merges)
    assert value(source, "usage__active_users__28d", "2024-03-10") == 1.0
    assert value(source, "usage__active_users__28d", "2024-03-11") == 2.0
    assert value(source, "usage__events__28d", "2024-03-11") == 3.0
    assert value(source, "usage__events__28d", "2024-03-11", "b") == 0.0


def test_a_later_version_replaces_an_earlier_one(company: Company) -> None:
    invoices = """
        invoice_id account_id issued_at  due_at     amount recorded_at
        i1         a          2024-03-01 2024-04-01 100    2024-03-01
        i1         a          2024-03-01 2024-04-01 80     2024-03-20
    """
    source = known(company, invoices=invoices)
    assert value(source, "billing__invoiced__365d", "2024-03-20") == 100.0
    assert value(source, "billing__invoiced__365d", "2024-03-21") == 80.0


def test_the_notice_deadline_hangs_on_the_term_that_runs(company: Company) -> None:
    subscriptions = """
        subscription_id account_id product mrr started_at term_months notice_days
        s1              a          base    100 2024-01-01 12          30
    """
    source = known(company, subscriptions=subscriptions)
    assert value(source, "lifecycle__days_to_term_end", "2024-12-02") == 30.0
    assert value(source, "lifecycle__days_to_notice_deadline", "2024-11-30") == 2.0
    assert value(source, "lifecycle__days_to_notice_deadline", "2024-12-04") == -2.0
    assert value(source, "lifecycle__days_to_term_end", "2025-01-02") == 364.0


def test_only_active_accounts_have_rows(company: Company) -> None:
    subscriptions = """
        subscription_id account_id product mrr started_at ended_at
        s1              a          base    100 2024-01-01 2024-02-10
        s2              b          base    100 2024-01-01 -
    """
    source = known(company, subscriptions=subscriptions)
    states = account_states(
        source,
        [datetime(2024, 3, 1), datetime(2024, 2, 1)],  # noqa: DTZ001 - naive UTC
        engine=Engine.POLARS,
    )
    table = feature_table(source, states, engine=Engine.POLARS)
    kept = list(zip(table["as_of"].dt.month, table["account_id"], strict=True))
    assert kept == [(2, "a"), (2, "b"), (3, "b")]
    assert set(table.dtypes.iloc[2:].astype(str)) == {"float64"}


def test_no_active_account_gives_an_empty_table_with_all_columns(company: Company) -> None:
    source = known(company)
    states = pd.DataFrame({"account_id": [], "as_of": pd.to_datetime([]), "status": []})
    table = feature_table(source, states, engine=Engine.POLARS, features=catalog())
    names = [feature.column for feature in catalog()]
    assert table.empty
    assert list(table.columns) == ["account_id", "as_of", *names]


def test_the_catalogue_lies_beside_the_table(company: Company, tmp_path: Path) -> None:
    source = known(company)
    chosen = available(source)
    frame = pd.DataFrame({"account_id": ["a"], "x": [1.0]})
    write_feature_table(frame, catalog_json(chosen), tmp_path / "out" / "features.parquet")
    entries = json.loads((tmp_path / "out" / "features.parquet.catalog.json").read_text())
    assert [entry["column"] for entry in entries] == [feature.column for feature in chosen]
    assert pd.read_parquet(tmp_path / "out" / "features.parquet").equals(frame)
    assert len(list((tmp_path / "out").iterdir())) == 2
