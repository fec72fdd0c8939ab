"""The same features by another road: SQL by hand, in SQLite, row by row."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from features.battery.drawn import Draw, draw_company
from features.battery.written import write_checked
from features.build import feature_table
from features.engine import Engine

SNAPSHOTS = [datetime(2023, 1, 1) + timedelta(days=d) for d in (45, 200, 400, 640, 790)]  # noqa: DTZ001 - naive UTC, as everywhere

# Every query reads the tables as they stand, for one account (:account) at one date (:as_of); the
# account's rows are those of :account and, once it took it over, of the account merged into it.
MINE = """(account_id = :account AND NOT EXISTS (
             SELECT 1 FROM account_merges WHERE from_account_id = :account AND merged_at < :as_of)
           OR account_id IN (SELECT from_account_id FROM account_merges
             WHERE into_account_id = :account AND merged_at < :as_of))"""
RUNNING = f"{MINE} AND started_at < :as_of AND (ended_at IS NULL OR ended_at >= :as_of)"


def within(time: str, days: int) -> str:
    return f"{MINE} AND {time} < :as_of AND {time} >= {ago(days)}"


def ago(days: int) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f', :as_of, '-{days} days')"


def days_between(earlier: str, later: str) -> str:
    return f"julianday(date({later})) - julianday(date({earlier}))"


QUERIES = {
    "usage__events__28d": f"SELECT coalesce(sum(coalesce(quantity, 1)), 0) FROM usage_events"
    f" WHERE {within('occurred_at', 28)}",
    "usage__active_users__90d": f"SELECT count(DISTINCT user_id) FROM usage_events"
    f" WHERE {within('occurred_at', 90)}",
    "usage__active_users_before__28d": f"SELECT count(DISTINCT user_id) FROM usage_events"
    f" WHERE {within('occurred_at', 56)} AND occurred_at < {ago(28)}",
    "usage__active_days__365d": f"SELECT count(DISTINCT date(occurred_at)) FROM usage_events"
    f" WHERE {within('occurred_at', 365)}",
    "usage__event_kinds__90d": f"SELECT count(DISTINCT event) FROM usage_events"
    f" WHERE {within('occurred_at', 90)}",
    "usage__days_since_last_event": f"SELECT {days_between('max(occurred_at)', ':as_of')}"
    f" FROM usage_events WHERE {MINE} AND occurred_at < :as_of",
    "support__open_tickets": f"SELECT count(*) FROM support_tickets WHERE {MINE} AND opened_at <"
    " :as_of AND (resolved_at IS NULL OR resolved_at >= :as_of OR (reopened_at >= resolved_at AND"
    " reopened_at < :as_of))",
    "support__open_escalated_tickets": f"SELECT count(*) FROM support_tickets WHERE {MINE} AND"
    " escalated_at < :as_of AND (resolved_at IS NULL OR resolved_at >= :as_of) AND"
    " (resolved_at IS NULL OR resolved_at > escalated_at)",
    "support__first_response_hours__90d": "SELECT avg(julianday(first_responded_at) -"
    f" julianday(opened_at)) * 24 FROM support_tickets WHERE {within('first_responded_at', 90)}",
    "support__csat__365d": f"SELECT avg(csat) FROM support_tickets WHERE {within('csat_at', 365)}",
    "billing__days_overdue": f"SELECT coalesce(max({days_between('due_at', ':as_of')}), 0) FROM"
    f" invoices WHERE {MINE} AND amount > 0 AND due_at < :as_of AND (paid_at IS NULL OR paid_at >="
    " :as_of) AND (paid_at IS NULL OR date(paid_at) > date(due_at))",
    "billing__overdue_amount": f"SELECT coalesce(sum(amount), 0) FROM invoices WHERE {MINE} AND"
    " amount > 0 AND due_at < :as_of AND (paid_at IS NULL OR paid_at >= :as_of)",
    "billing__credited__365d": f"SELECT coalesce(-sum(amount), 0) FROM invoices WHERE amount < 0"
    f" AND {within('issued_at', 365)}",
    "billing__failed_payments__90d": f"SELECT count(*) FROM payments WHERE succeeded = 0 AND"
    f" {within('attempted_at', 90)}",
    "lifecycle__mrr": f"SELECT coalesce(sum(mrr), 0) FROM subscriptions WHERE {RUNNING}",
    "lifecycle__mrr_before__90d": "SELECT coalesce(sum(mrr), 0) FROM subscriptions WHERE"
    f" {MINE} AND started_at < {ago(90)} AND (ended_at IS NULL OR ended_at >= {ago(90)})",
    "lifecycle__seats": f"SELECT sum(seats) FROM subscriptions WHERE {RUNNING}",
    "lifecycle__days_since_price_change": f"SELECT {days_between('max(b.started_at)', ':as_of')}"
    f" FROM (SELECT * FROM subscriptions WHERE {MINE}) a"
    f" JOIN (SELECT * FROM subscriptions WHERE {MINE}) b"
    " ON a.product = b.product AND a.ended_at = b.started_at WHERE b.started_at < :as_of AND"
    " a.mrr > 0 AND CASE WHEN a.seats IS NULL AND b.seats IS NULL THEN"
    " abs(b.mrr - a.mrr) > 0.005 * a.mrr"
    " WHEN b.seats = 0 OR a.seats IS NULL OR b.seats IS NULL THEN 0"
    " ELSE abs(1.0 * b.mrr * a.seats - 1.0 * a.mrr * b.seats) > 0.005 * a.mrr * b.seats END",
    "lifecycle__products_owned": "SELECT count(DISTINCT product) FROM subscriptions WHERE"
    f" {RUNNING}",
    "lifecycle__tenure_days": f"SELECT {days_between('min(started_at)', ':as_of')} FROM"
    f" subscriptions WHERE {MINE} AND started_at < :as_of",
    "satisfaction__nps__365d": "SELECT avg(score) FROM surveys WHERE kind = 'nps' AND"
    f" {within('responded_at', 365)}",
    "satisfaction__score__180d": "SELECT avg(100 * CASE kind WHEN 'nps' THEN score / 10.0 WHEN"
    " 'csat' THEN (score - 1) / 4.0 ELSE (score - 1) / 6.0 END) FROM surveys WHERE"
    f" {within('responded_at', 180)}",
    "satisfaction__spread_between_roles__365d": "SELECT CASE WHEN count(*) > 1 THEN max(level) -"
    " min(level) END FROM (SELECT avg(100 * CASE kind WHEN 'nps' THEN score / 10.0 WHEN 'csat'"
    " THEN (score - 1) / 4.0 ELSE (score - 1) / 6.0 END) AS level FROM surveys WHERE"
    f" respondent_role IS NOT NULL AND {within('responded_at', 365)} GROUP BY respondent_role)",
    "people__champions": "SELECT count(*) FROM contacts WHERE role = 'champion' AND"
    f" {MINE} AND joined_at < :as_of AND (left_at IS NULL OR left_at >= :as_of)",
    "people__contacts_left__90d": f"SELECT count(*) FROM contacts WHERE {within('left_at', 90)}",
    "people__top_user_events__28d": "SELECT coalesce(max(events), 0) FROM (SELECT"
    " sum(coalesce(quantity, 1)) AS events FROM usage_events WHERE user_id IS NOT NULL AND"
    f" {within('occurred_at', 28)} GROUP BY user_id)",
    "engagement__channels__90d": "SELECT count(DISTINCT channel) FROM engagement WHERE"
    f" {within('occurred_at', 90)}",
    "engagement__looks_at_buying__90d": "SELECT count(*) FROM engagement WHERE"
    " lower(action) LIKE 'plans%' AND lower(action) NOT LIKE '%downgrade%' AND"
    f" {within('occurred_at', 90)}",
    "support__defect_tickets__90d": "SELECT count(*) FROM support_tickets WHERE category = 'bug'"
    f" AND {within('opened_at', 90)}",
    "services__late_projects": f"SELECT count(*) FROM projects WHERE {MINE} AND started_at <"
    " :as_of AND due_at < :as_of AND (completed_at IS NULL OR completed_at >= :as_of) AND"
    " (completed_at IS NULL OR date(completed_at) > date(due_at))",
    "services__trainings__90d": "SELECT count(*) FROM trainings WHERE"
    f" {within('completed_at', 90)}",
    "reliability__outage_minutes__90d": "SELECT coalesce(sum((julianday(min(coalesce(resolved_at,"
    f" :as_of), :as_of)) - julianday(max(started_at, {ago(90)}))) * 1440), 0) FROM incidents WHERE"
    f" {MINE} AND started_at < :as_of AND (resolved_at IS NULL OR resolved_at > {ago(90)})",
    "success__outcomes_met__365d": "SELECT count(*) FROM outcomes WHERE achieved_at < :as_of AND"
    f" {within('due_at', 365)}",
    "success__latest_verdict_missed": "SELECT verdict = 'missed' FROM reviews WHERE verdict IS NOT"
    f" NULL AND {MINE} AND held_at < :as_of ORDER BY held_at DESC, verdict = 'missed' DESC LIMIT 1",
    "season__users_year_ago__28d": "SELECT count(DISTINCT user_id) FROM usage_events WHERE"
    f" {within('occurred_at', 392)} AND occurred_at < {ago(364)}",
    "lifecycle__mrr_cancelled": f"SELECT coalesce(sum(mrr), 0) FROM subscriptions WHERE {RUNNING}"
    " AND cancel_requested_at < :as_of",
}


def in_sqlite(tables: dict[str, list[dict[str, Any]]]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        marks = ", ".join("?" for _ in columns)
        connection.executemany(
            f"INSERT INTO {name} VALUES ({marks})",
            [[as_sqlite(row.get(column)) for column in columns] for row in rows],
        )
    return connection


def as_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds")
    return float(value) if isinstance(value, Decimal) else value


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[pd.DataFrame, sqlite3.Connection]]:
    tables = draw_company(Draw(seed=11, day=400, is_versioned=False, rows=160))
    source = write_checked(tmp_path_factory.mktemp("oracle") / "company", tables)
    spine = pd.MultiIndex.from_product(
        [
            ["a", "b", "c", "d", "late", "parent"],
            pd.to_datetime(SNAPSHOTS).astype("datetime64[us]"),
        ],
        names=["account_id", "as_of"],
    )
    table = feature_table(source, spine.to_frame(index=False), engine=Engine.POLARS)
    with closing(in_sqlite(tables)) as connection:
        yield table, connection


def by_sql(connection: sqlite3.Connection, query: str, rows: pd.DataFrame) -> Sequence[float]:
    points = zip(rows["account_id"], rows["as_of"], strict=True)
    found = [
        connection.execute(query, {"account": account, "as_of": as_sqlite(as_of.to_pydatetime())})
        for account, as_of in points
    ]
    return [(cursor.fetchone() or (None,))[0] for cursor in found]


@pytest.mark.parametrize("column", QUERIES)
def test_sql_gives_the_same_number(
    column: str, both: tuple[pd.DataFrame, sqlite3.Connection]
) -> None:
    table, connection = both
    expected = pd.Series(by_sql(connection, QUERIES[column], table), dtype="float64", name=column)
    assert len(expected.drop_duplicates()) > 1
    pd.testing.assert_series_equal(table[column], expected, rtol=1e-6)
