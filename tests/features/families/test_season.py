"""Use against the same weeks a year ago, computed by hand and by plain SQL."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta

import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import catalog
from features.checked import CheckedSource
from features.engine import Engine

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
BASE = {
    "accounts": """
        account_id created_at
        a          2022-01-01
        b          2022-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2022-01-01
        s2              b          base    100 2022-01-01
    """,
}
# As of 2024-06-29 the last 28 days begin on 2024-06-01; 364 days before are 2023-07-01, 2023-06-03.
EVENTS = """
    account_id user_id occurred_at event quantity
    a          u1      2023-05-06  open  10
    a          u1      2023-06-02  open  30
    a          u1      2023-06-03  open  20
    a          u2      2023-06-30  open  30
    a          u1      2023-07-01  open  75
    a          u1      2024-05-10  open  100
    a          u1      2024-06-10  open  90
    b          u3      2023-06-10  open  20
    b          u3      2024-06-10  open  90
"""


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("season__events_year_ago__28d", 50.0),
        ("season__events_before_year_ago__28d", 40.0),
        ("season__events_after_year_ago__28d", 75.0),
        ("season__usual_change", 0.25),
        ("season__change_to_come", 0.5),
        ("season__change_beyond_season", -0.1 - 0.25),
        ("season__events_against_year_ago", 0.8),
        ("season__users_year_ago__28d", 2.0),
        ("season__users_against_year_ago", -0.5),
    ],
)
def test_the_same_weeks_of_last_year_are_seen(
    company: Company, values: Values, column: str, expected: float
) -> None:
    source = company({**BASE, "usage_events": EVENTS})
    assert values(source, [column], "2024-06-29")[column] == pytest.approx(expected)


def test_an_account_that_began_within_those_weeks_is_not_compared(
    company: Company, values: Values
) -> None:
    source = company({**BASE, "usage_events": EVENTS})
    columns = ["season__events_year_ago__28d", "season__events_against_year_ago"]
    assert list(values(source, columns, "2024-06-29", "b").values()) == [20.0, None]
    assert list(values(source, columns, "2024-07-06", "b").values()) == [20.0, 3.5]


def test_sql_gives_the_same_number(company: Company) -> None:
    dice = random.Random(4)  # noqa: S311 - drawn events, not a secret
    first = date(2023, 1, 1)
    days = [first + timedelta(days=dice.randrange(700)) for _ in range(400)]
    rows = sorted({(dice.choice("ab"), day.isoformat(), dice.randrange(1, 9)) for day in days})
    lines = [f"{account} u {day} open {quantity}" for account, day, quantity in rows]
    text = "account_id user_id occurred_at event quantity\n" + "\n".join(lines)
    source = company({**BASE, "usage_events": text})
    points = [(account, day) for account in "ab" for day in pd.date_range("2024-02-01", periods=8)]
    spine = pd.DataFrame(points, columns=["account_id", "as_of"])
    spine["as_of"] = spine["as_of"].astype("datetime64[us]")
    column = "season__events_year_ago__28d"
    chosen = [feature for feature in catalog() if feature.column == column]
    table = feature_table(source, spine, engine=Engine.DUCKDB, features=chosen)
    query = (
        "SELECT coalesce(sum(quantity), 0) FROM events WHERE account = ?"
        " AND day >= date(?, '-392 days') AND day < date(?, '-364 days')"
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE events (account, day, quantity)")
        connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
        asked = [
            (a, str(t.date()), str(t.date()))
            for a, t in zip(table["account_id"], table["as_of"], strict=True)
        ]
        expected = [connection.execute(query, point).fetchone()[0] for point in asked]
    assert list(table[column]) == expected
    assert len(set(expected)) > 4
