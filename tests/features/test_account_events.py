"""What people are told of an account's past: the newest of it, and nothing known later."""

import sqlite3
from collections.abc import Callable
from datetime import datetime

import pandas as pd
import pytest

from features.account_events import TOUCH, newest_events
from features.checked import CheckedSource
from features.engine import Engine
from features.known_rows import newest_rows

Company = Callable[..., CheckedSource]
AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
TABLES = {
    "accounts": """
        account_id  created_at
        a           2025-01-01
        b           2025-01-01
        old         2025-01-01
    """,
    "account_merges": """
        from_account_id  into_account_id  merged_at
        old              b                2026-02-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr seats started_at ended_at   cancel_requested_at
        s1              a          core    10  5     2025-01-01 -          2026-02-20
        s2              a          maps    20  -     2025-02-01 2026-03-05 2026-03-03
        s3              a          plus    30  -     2025-02-01 2026-01-31 -
        s4              a          late    30  -     2026-03-02 -          -
        s5              b          core    10  -     2025-01-01 -          -
    """,
    "support_tickets": """
        ticket_id account_id opened_at        resolved_at      escalated_at
        t1        a          2026-02-10T10:00 2026-02-12       -
        t2        a          2026-02-11T10:00 2026-03-04       2026-03-03
        t3        a          2026-03-02T00:00 -                -
        t4        old        2026-02-15T10:00 -                2026-02-16
    """,
    "invoices": """
        invoice_id account_id issued_at  due_at     amount paid_at
        i1         a          2026-02-01 2026-02-20 99.5   2026-03-02
    """,
    "payments": """
        payment_id account_id attempted_at amount succeeded
        p1         a          2026-02-21   99.5   false
        p2         a          2026-02-22   99.5   true
    """,
    "contacts": """
        contact_id account_id role     joined_at  left_at
        c1         a          champion 2025-01-05 2026-02-27
        c2         a          user     2025-01-06 2026-03-09
    """,
    "touches": """
        touch_id account_id occurred_at csm arm
        x1       a          2026-02-25  Ann -
        x2       a          2026-02-26  Ann control
        x3       a          2026-03-06  Ann -
    """,
    "outcomes": """
        outcome_id account_id agreed_at  due_at     achieved_at description
        o1         a          2025-06-01 2026-01-01 2026-03-20  go_live
    """,
}
LATER = {"2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06", "2026-03-09"}


@pytest.fixture
def source(company: Company) -> CheckedSource:
    return company(TABLES, extracted_at="2026-04-01")


def told(rows: pd.DataFrame, account_id: str) -> list[tuple[str, str, str | None]]:
    own = rows[rows["account_id"] == account_id]
    return [
        (f"{row.at:%Y-%m-%d}", row.kind, None if pd.isna(row.until) else f"{row.until:%Y-%m-%d}")
        for row in own.itertuples()
    ]


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_events_are_told_the_newest_first_and_none_that_came_later(
    source: CheckedSource, engine: Engine
) -> None:
    rows = newest_events(source, AS_OF, 50, engine=engine)
    assert told(rows, "a") == [
        ("2026-02-27", "person_left", None),
        ("2026-02-25", "touch", None),
        ("2026-02-21", "failed_payment", None),
        ("2026-02-20", "cancel_asked", None),
        ("2026-02-11", "ticket", None),
        ("2026-02-10", "ticket", "2026-02-12"),
        ("2026-02-01", "invoice", None),
        ("2026-01-31", "ended", None),
        ("2025-06-01", "outcome_agreed", None),
        ("2025-01-06", "person_came", None),
        ("2025-01-05", "person_came", None),
    ]
    assert rows["amount"].dropna().tolist() == [99.5, 99.5]
    assert set(rows[rows["kind"] == "person_left"]["detail"].isna()) == {True}


def test_what_came_later_is_there_at_a_later_date(source: CheckedSource) -> None:
    rows = newest_events(source, datetime(2026, 4, 1), 50)  # noqa: DTZ001 - naive UTC
    assert {at for at, *_ in told(rows, "a")} >= LATER - {"2026-03-04"}
    assert ("2026-02-11", "ticket", "2026-03-04") in told(rows, "a")


def test_a_merged_accounts_events_are_those_of_the_one_that_stays(source: CheckedSource) -> None:
    rows = newest_events(source, AS_OF, 50)
    assert told(rows, "b") == [
        ("2026-02-16", "escalation", None),
        ("2026-02-15", "ticket", None),
    ]
    assert told(rows, "old") == []


def test_how_many_are_left_out_is_told(source: CheckedSource) -> None:
    rows = newest_events(source, AS_OF, 3)
    assert len(told(rows, "a")) == 3
    assert rows[rows["account_id"] == "a"]["of"].tolist() == [11] * 3
    assert told(newest_events(source, AS_OF, 50, (TOUCH,)), "a") == [("2026-02-25", "touch", None)]


def test_a_source_without_such_tables_gives_nothing(company: Company) -> None:
    required = {name: TABLES[name] for name in ("accounts", "subscriptions")}
    lacks = company(required, extracted_at="2026-04-01")
    assert newest_events(lacks, AS_OF, 5, (TOUCH,)).empty
    assert newest_rows(lacks, "outcomes", ("agreed_at",), AS_OF, 5).empty


def test_what_is_paid_for_is_what_no_end_was_known_of(source: CheckedSource) -> None:
    names = ("started_at", "product", "mrr", "seats", "cancel_requested_at")
    rows = newest_rows(source, "subscriptions", names, AS_OF, 9, without="ended_at")
    own = rows[rows["account_id"] == "a"]
    assert own["product"].tolist() == ["maps", "core"]
    assert own["mrr"].tolist() == [20.0, 10.0]
    assert own["seats"].fillna(0).tolist() == [0, 5]
    assert own["cancel_requested_at"].isna().tolist() == [True, False]


def test_an_outcome_that_was_met_later_is_not_met_yet(source: CheckedSource) -> None:
    names = ("agreed_at", "due_at", "achieved_at", "description")
    (row,) = newest_rows(source, "outcomes", names, AS_OF, 9).itertuples()
    assert (f"{row.due_at:%Y-%m-%d}", row.achieved_at is pd.NaT) == ("2026-01-01", True)


def test_plain_sql_counts_as_many_tickets(source: CheckedSource) -> None:
    with sqlite3.connect(":memory:") as plain:
        source.read("support_tickets").astype(str).to_sql("tickets", plain)
        query = "SELECT count(*) FROM tickets WHERE known_at < '2026-03-02 00:00:00'"
        (expected,) = plain.execute(query).fetchone()
    plain.close()
    assert (newest_events(source, AS_OF, 50)["kind"] == "ticket").sum() == expected == 3
