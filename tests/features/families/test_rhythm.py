"""Use on working days, computed by hand around a German Easter, and by a walk through weeks."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta

import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import available, catalog
from features.checked import CheckedSource
from features.engine import Engine

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
BASE = {
    "accounts": """
        account_id country created_at
        a          DE      2023-06-01
        b          -       2023-06-01
        c          XX      2023-06-01
        d          AU      2023-06-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2023-06-01
    """,
}
OFF = {date(2024, 3, 29), date(2024, 4, 1), date(2024, 5, 1), date(2024, 5, 9), date(2024, 5, 20)}
"""Germany's public holidays from March to May 2024, none of them on a weekend."""
PACE, FALL, SINCE = (
    "rhythm__pace_change__7d",
    "rhythm__largest_drop__90d",
    "rhythm__days_since_largest_drop__90d",
)


def is_worked(day: date) -> bool:
    return day.weekday() < 5 and day not in OFF


def every_day(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def steady(*accounts: str, until: date = date(2024, 5, 31), a_day: int = 20) -> str:
    """The same use on each day that is worked in Germany."""
    lines = ["account_id occurred_at event quantity"]
    for day in every_day(date(2024, 1, 8), until):
        if is_worked(day):
            lines += [f"{account} {day} open {a_day}" for account in accounts]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("rhythm__holidays__7d", 2.0),
        ("rhythm__working_days__7d", 3.0),
        ("rhythm__working_days__14d", 8.0),
        ("rhythm__working_days_before__28d", 20.0),
        ("rhythm__working_days_before__56d", 40.0),
        ("rhythm__workday_events__7d", 60.0),
        ("rhythm__workday_events_before__28d", 400.0),
        ("rhythm__workday_events_before__56d", 800.0),
        (PACE, 0.0),
        ("rhythm__pace_change__14d", 0.0),
        ("rhythm__working_days_used__14d", 8.0),
        ("rhythm__working_days_used_share__14d", 1.0),
        (FALL, 0.0),
        (SINCE, None),
    ],
)
def test_a_holiday_is_no_drop(
    company: Company, values: Values, column: str, expected: float | None
) -> None:
    source = company({**BASE, "usage_events": steady("a")})
    assert values(source, [column], "2024-04-02") == {column: expected}


def test_the_same_quiet_days_are_a_drop_where_they_are_worked(
    company: Company, values: Values
) -> None:
    source = company({**BASE, "usage_events": steady("a", "d", until=date(2024, 4, 30))})
    as_of = "2024-05-05"  # 1 May is a holiday in Germany, and none in Australia
    assert values(source, ["rhythm__holidays__7d"], as_of, "d") == {"rhythm__holidays__7d": 0.0}
    assert values(source, ["rhythm__holidays__7d"], as_of, "a") == {"rhythm__holidays__7d": 1.0}
    of_both = [values(source, [PACE], as_of, account)[PACE] for account in "ad"]
    assert of_both[0] == pytest.approx(40 / 4 / 20 - 1)
    assert of_both[1] == pytest.approx(40 / 5 / (19 * 20 / 19) - 1)


def test_silence_is_a_drop_to_nothing(company: Company, values: Values) -> None:
    source = company({**BASE, "usage_events": steady("a", until=date(2024, 5, 5))})
    columns = [PACE, FALL, SINCE]
    assert list(values(source, columns, "2024-05-13").values()) == [-1.0, 1.0, 1.0]
    assert list(values(source, [FALL, SINCE], "2024-05-12").values()) == [0.0, None]
    assert list(values(source, [FALL, SINCE], "2024-05-23").values()) == [1.0, 11.0]


def test_without_a_known_country_nothing_is_said(company: Company, values: Values) -> None:
    source = company({**BASE, "usage_events": steady("a", "b", "c")})
    columns = [feature.column for feature in catalog() if feature.group == "rhythm"]
    known = ("rhythm__working_days_used__14d",)
    for account in "bc":
        seen = values(source, columns, "2024-04-02", account)
        assert {column for column, value in seen.items() if value is not None} == set(known)
        assert seen[known[0]] == 0.0


def test_a_source_without_countries_has_no_such_feature(company: Company) -> None:
    accounts = "account_id created_at\n a 2023-06-01"
    source = company({**BASE, "accounts": accounts, "usage_events": steady("a")})
    groups = {feature.group for feature in available(source)}
    assert "usage" in groups
    assert "rhythm" not in groups


def test_few_events_make_no_drop(company: Company, values: Values) -> None:
    events = "account_id occurred_at event\n a 2024-02-05 open\n a 2024-02-06 open"
    source = company({**BASE, "usage_events": events})
    assert values(source, [FALL], "2024-03-01") == {FALL: None}


def test_a_drop_of_the_largest_quantities_is_exact(company: Company, values: Values) -> None:
    heading, *lines = steady("a", until=date(2024, 5, 5), a_day=10**9).splitlines()
    kinds = [
        line.replace("open", kind)
        for kind in ("open", "save", "send", "sync", "scan")
        for line in lines
        if "2024-04-24" not in line or kind == "open"
    ]
    source = company({**BASE, "usage_events": "\n".join([heading, *kinds])})
    assert values(source, [FALL], "2024-05-04") == {FALL: 0.16}  # 21 of 25


def test_use_goes_along_with_a_merge(company: Company, values: Values) -> None:
    merges = """
        from_account_id into_account_id merged_at
        d               a               2024-04-10
    """
    tables = {**BASE, "usage_events": steady("a", "d", until=date(2024, 4, 7))}
    source = company({**tables, "account_merges": merges})
    column = "rhythm__workday_events_before__28d"
    alone, together = (values(source, [column], f"2024-04-{day}")[column] for day in (10, 11))
    worked = [day for day in every_day(date(2024, 3, 7), date(2024, 4, 3)) if is_worked(day)]
    assert together == 40.0 * len(worked)
    assert alone == 20.0 * len(worked)  # its window, from 6 March to 2 April, has as many


def walked(rows: list[tuple[date, int, date]], as_of: date) -> tuple[float | None, int | None]:
    """The largest fall of the last 90 days and its age, from the events known by then."""
    use: Counter[date] = Counter()
    for day, quantity, recorded in rows:
        if max(day, recorded) < as_of and is_worked(day):
            use[day - timedelta(days=day.weekday())] += quantity
    falls = []
    for monday in sorted({monday + timedelta(days=n) for monday in use for n in (0, 7)}):
        sunday, before = monday + timedelta(days=6), monday - timedelta(days=7)
        if as_of - timedelta(days=90) <= sunday < as_of and use[before] >= 10:
            length, earlier = (
                sum(is_worked(day) for day in every_day(first, first + timedelta(days=6)))
                for first in (monday, before)
            )
            kept = 10_000 * use[monday] * earlier // (use[before] * length)
            falls.append((max(10_000 - kept, 0) / 10_000, sunday))
    if not falls:
        return None, None
    largest, when = max(falls)
    return largest, (as_of - when).days if largest > 0 else None


@pytest.mark.parametrize("seed", [1, 2])
def test_drops_agree_with_a_walk_through_the_weeks(company: Company, seed: int) -> None:
    """Also where events are recorded weeks late, so that a week is told anew."""
    dice = random.Random(seed)  # noqa: S311 - drawn events, not a secret
    rows = []
    for day in every_day(date(2024, 3, 4), date(2024, 5, 24)):
        if dice.random() < 0.7:
            late = dice.choice((0, 0, 0, 3, 12, 40))
            rows.append((day, dice.randrange(1, 30), day + timedelta(days=late)))
    lines = [f"a {day} open {quantity} {recorded}" for day, quantity, recorded in rows]
    text = "account_id occurred_at event quantity recorded_at\n" + "\n".join(lines)
    source = company({**BASE, "usage_events": text})
    days = pd.date_range("2024-03-05", "2024-05-28").astype("datetime64[us]")
    chosen = [feature for feature in catalog() if feature.column in {FALL, SINCE}]
    spine = pd.DataFrame({"account_id": "a", "as_of": days})
    tables = [
        feature_table(source, spine, engine=engine, features=chosen)[[FALL, SINCE]]
        for engine in (Engine.DUCKDB, Engine.POLARS)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    expected = pd.DataFrame(
        [walked(rows, day.date()) for day in days], columns=[FALL, SINCE], dtype="float64"
    )
    pd.testing.assert_frame_equal(tables[0], expected)
    assert expected[FALL].nunique() > 4
