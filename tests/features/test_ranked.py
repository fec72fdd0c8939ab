"""The first of a column's values, by hand and by SQL, on both engines."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import narwhals as nw
import pandas as pd
import pytest

from features.build import feature_table
from features.checked import CheckedSource
from features.declare import FIXED, Facts, Feature, Missing, Ranked, Text, Unit
from features.engine import Engine

Company = Callable[..., CheckedSource]
COMPANY = {
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
USE = Facts("usage_events", at="occurred_at", uses=("quantity",))
TOP = Ranked(USE, "user_id", nw.col("quantity"), per=FIXED)


def feature(name: str, recipe: Ranked, days: int | None = 28) -> Feature:
    return Feature(
        "test", name, recipe, Unit.EVENTS, name, name, Text(""), Missing.UNKNOWN, None, days
    )


def spine(as_of: list[datetime] | str, accounts: str = "a") -> pd.DataFrame:
    times = pd.to_datetime([as_of] if isinstance(as_of, str) else as_of).astype("datetime64[us]")
    points = pd.MultiIndex.from_product([list(accounts), times], names=["account_id", "as_of"])
    return points.to_frame(index=False)


def on_both(source: CheckedSource, rows: pd.DataFrame, *features: Feature) -> pd.DataFrame:
    tables = [
        feature_table(source, rows, engine=engine, features=features)
        for engine in (Engine.DUCKDB, Engine.POLARS)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    return tables[0]


EVENTS = """
    account_id user_id occurred_at event quantity
    a          ann     2024-03-01  open  5
    a          ann     2024-03-02  open  5
    a          bob     2024-03-02  open  7
    a          -       2024-03-02  open  50
    a          bob     2024-03-20  open  1.5
    b          cyd     2024-03-05  open  1
"""


@pytest.mark.parametrize(
    ("as_of", "top", "smallest", "mean", "count"),
    [
        ("2024-03-02", 5.0, 5.0, 5.0, 1.0),
        ("2024-03-03", 10.0, 7.0, 7.0, 2.0),
        ("2024-03-21", 10.0, 8.5, 5.0, 2.0),
        ("2024-03-30", 8.5, 5.0, 5.0, 2.0),
        ("2024-03-31", 1.5, 1.5, 1.5, 1.0),
        ("2024-05-01", None, None, None, None),
    ],
)
def test_values_are_ranked_by_what_the_window_holds(
    company: Company,
    as_of: str,
    top: float | None,
    smallest: float | None,
    mean: float | None,
    count: float | None,
) -> None:
    found = on_both(
        company({**COMPANY, "usage_events": EVENTS}),
        spine(as_of),
        feature("top", TOP),
        feature("smallest", replace(TOP, pick="min")),
        feature("mean", replace(TOP, mean=True)),
        feature("count", replace(TOP, value=None, per=1)),
    )
    expected = pd.Series([top, smallest, mean, count], dtype="float64").tolist()
    assert found.iloc[0, 2:].tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        ("2024-03-29", None),
        ("2024-03-30", 28.0),  # 1 March only: ann, who came again on 2 March
        ("2024-04-18", 47.0),  # ann leads bob by 10 to 8.5
        ("2024-07-01", 103.0),  # 20 March only: bob
        ("2024-08-01", None),
    ],
)
def test_the_first_of_an_earlier_window_is_followed_to_today(
    company: Company, as_of: str, days: float | None
) -> None:
    recipe = replace(TOP, since=True, lag_days=28, per=1)
    source = company({**COMPANY, "usage_events": EVENTS})
    (found,) = on_both(source, spine(as_of), feature("quiet", recipe, 90))["test__quiet__90d"]
    assert found == pytest.approx(float("nan") if days is None else days, nan_ok=True)


def test_merged_accounts_rank_their_users_together(company: Company) -> None:
    events = """
        account_id user_id occurred_at event quantity
        a          ann     2024-03-01  open  5
        b          bob     2024-03-01  open  4
        b          ann     2024-03-02  open  4
    """
    merges = """
        from_account_id into_account_id merged_at
        b               a               2024-03-10
    """
    source = company({**COMPANY, "usage_events": events, "account_merges": merges})
    times = [datetime(2024, 3, 10), datetime(2024, 3, 11)]  # noqa: DTZ001 - naive UTC
    found = on_both(source, spine(times), feature("top", TOP))
    assert found["test__top__28d"].tolist() == [5.0, 9.0]


START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC, as everywhere
DAYS = 200
SUMS = """
    SELECT user_id, sum(quantity) AS total, count(*) AS n FROM usage_events
    WHERE account_id = :account AND user_id IS NOT NULL AND known_at < :as_of
      AND julianday(:as_of) - julianday(date(occurred_at)) > {lag}
      AND julianday(:as_of) - julianday(date(occurred_at)) <= {lag} + {days}
    GROUP BY user_id
"""
QUERIES = {
    "test__top__28d": f"SELECT max(total) FROM ({SUMS.format(lag=0, days=28)})",
    "test__smallest__28d": f"SELECT min(total) FROM ({SUMS.format(lag=0, days=28)})",
    "test__lowest__90d": f"SELECT min(total * 1.0 / n) FROM ({SUMS.format(lag=0, days=90)})",
    "test__quiet__40d": f"""
        WITH sums AS ({SUMS.format(lag=15, days=40)})
        SELECT min(julianday(:as_of) - julianday(date(occurred_at))) FROM usage_events
        WHERE account_id = :account AND known_at < :as_of AND occurred_at < :as_of AND user_id IN
          (SELECT user_id FROM sums WHERE total = (SELECT max(total) FROM sums))
    """,
}


def drawn_events(dice: random.Random) -> list[tuple[str, ...]]:
    events = []
    for _ in range(400):
        occurred = START + timedelta(days=dice.randrange(DAYS), seconds=dice.randrange(86_400))
        known = occurred + timedelta(hours=dice.choice((0, 0, 5, 200)))
        user, account = dice.choice(("ann", "bob", "cyd", "dan", "-")), dice.choice("ab")
        quantity = str(dice.randrange(-1, 4))
        times = (occurred.isoformat(), known.isoformat())
        events.append((account, user, times[0], "open", quantity, times[1]))
    return events


@pytest.mark.parametrize("seed", [1, 2])
def test_sql_ranks_alike(company: Company, seed: int) -> None:
    events = drawn_events(random.Random(seed))  # noqa: S311 - a drawn log, not a secret
    head = "account_id user_id occurred_at event quantity recorded_at"
    text = "\n".join([head, *(" ".join(event) for event in events)])
    source = company({**COMPANY, "usage_events": text})
    times = [START + timedelta(days=day) for day in (3, 30, 60, 61, 62, 90, 150, 199)]
    found = on_both(
        source,
        spine(times, "ab"),
        feature("top", TOP),
        feature("smallest", replace(TOP, pick="min")),
        feature("lowest", replace(TOP, pick="min", mean=True), 90),
        feature("quiet", replace(TOP, since=True, lag_days=15, per=1), 40),
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        kept = source.read("usage_events")[
            ["account_id", "user_id", "occurred_at", "quantity", "known_at"]
        ]
        kept = kept.astype({"occurred_at": str, "known_at": str})
        kept.to_sql("usage_events", connection, index=False)
        for column, query in QUERIES.items():
            points = zip(found["account_id"], found["as_of"].astype(str), strict=True)
            expected = [
                connection.execute(query, {"account": account, "as_of": as_of}).fetchone()[0]
                for account, as_of in points
            ]
            assert len(set(expected)) > 4
            want = pd.Series(expected, dtype="float64", name=column)
            pd.testing.assert_series_equal(found[column], want, rtol=1e-12)


def test_a_value_whose_facts_have_left_the_window_is_not_ranked(company: Company) -> None:
    source = company({**COMPANY, "usage_events": EVENTS})
    times = [datetime(2024, 3, 21), datetime(2024, 3, 31)]  # noqa: DTZ001 - naive UTC
    found = on_both(source, spine(times), feature("smallest", replace(TOP, pick="min")))
    assert found["test__smallest__28d"].tolist() == [8.5, 1.5]
