"""How what was bought is adopted: by hand, and by SQL over a drawn log."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
ACCOUNTS = """
    account_id  created_at
    a           2024-01-01
    b           2024-01-01
"""
SUBSCRIPTIONS = """
    subscription_id account_id product seats mrr started_at ended_at
    s1              a          base    4     100 2024-01-10 -
    s2              a          plus    -     50  2024-03-01 2024-05-01
    s3              a          plus    -     50  2024-05-01 -
    s4              a          more    -     50  2024-03-01 -
    s5              b          base    2     100 2024-02-10 -
"""
EVENTS = """
    account_id user_id occurred_at      event  product
    a          u1      2024-02-10T10:00 open   plus
    a          u1      2024-03-05T10:00 open   base
    a          u1      2024-03-05T11:00 save   base
    a          u2      2024-03-08T11:00 open   base
    a          u1      2024-03-08T11:00 open   base
    a          u2      2024-03-08T12:00 share  gone
    a          u2      2024-03-08T12:00 save   base
    a          -       2024-03-09T12:00 print  base
    a          u1      2024-05-20T12:00 open   plus
"""


def known(company: Company, events: str = EVENTS) -> CheckedSource:
    tables = {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS, "usage_events": events}
    return company(tables, extracted_at="2026-01-01")


@pytest.mark.parametrize(
    ("as_of", "month", "share", "quarter", "never"),
    [
        ("2024-02-11", 0, 0.0, 0, 1),  # plus was tried, but only base is bought
        ("2024-03-02", 1, 1 / 3, 1, 2),  # plus is bought, and was tried 21 days ago
        ("2024-03-09", 2, 2 / 3, 2, 1),
        ("2024-03-10", 1, 1 / 3, 2, 1),  # the trial lies 29 days back
        ("2024-05-10", 0, 0.0, 2, 1),
        ("2024-05-11", 0, 0.0, 1, 1),
        ("2024-05-21", 1, 1 / 3, 2, 1),
        ("2024-06-10", 1, 1 / 3, 1, 1),
    ],
)
def test_only_what_is_bought_can_be_in_use(
    company: Company,
    values: Values,
    as_of: str,
    month: int,
    share: float,
    quarter: int,
    never: int,
) -> None:
    columns = (
        "adoption__products_in_use__28d",
        "adoption__products_in_use_share__28d",
        "adoption__products_in_use__90d",
        "adoption__products_never_used",
    )
    seen = values(known(company), columns, as_of)
    assert list(seen.values()) == [month, share, quarter, never]


@pytest.mark.parametrize(
    ("column", "as_of", "expected"),
    [
        ("user_days__28d", "2024-03-10", 3),  # u1 on two days, u2 on one
        ("days_per_user__28d", "2024-03-10", 1.5),
        ("events_per_user_day__28d", "2024-03-10", 7 / 3),
        ("seats_used__90d", "2024-03-10", 0.5),
        ("functions_dropped", "2024-06-06", 0),
        ("functions_dropped", "2024-06-07", 2),  # print and open are left of four
        ("functions_before__28d", "2024-04-02", 1),
        ("functions_change__28d", "2024-04-02", 3),
        ("users_week_before__7d", "2024-03-15", 1),  # only u1 came from the 1st to the 7th
        ("users_two_weeks_before__7d", "2024-03-22", 1),
        ("users_three_weeks_before__7d", "2024-03-29", 1),
        ("weekly_share__28d", "2024-03-29", (0 + 0 + 2 + 1) / (2 * 4)),
    ],
)
def test_depth_and_breadth(
    company: Company, values: Values, column: str, as_of: str, expected: float | None
) -> None:
    name = f"adoption__{column}"
    assert values(known(company), [name], as_of) == {name: expected}


DAYS = ("2024-01-01", "2024-02-15", "2024-04-10", "2024-06-30")
PRODUCTS_IN_USE = """
    select count(distinct u.product) from usage u join subscriptions s
    on s.account = u.account and s.product = u.product
    where u.account = ? and s.started < :as_of and (s.ended is null or s.ended >= :as_of)
    and u.time < :as_of and u.time >= date(:as_of, '-28 days')
"""
SHARED = """
    select julianday(:as_of) - julianday(min(day)) from (
        select date(time) as day from usage where account = ? and time < :as_of
        group by 1 having count(distinct user) >= 2
    )
"""
ORACLES = {
    "adoption__products_in_use__28d": PRODUCTS_IN_USE,
    "adoption__days_since_first_shared_use": SHARED,
    "adoption__days_since_first_broad_use": SHARED.replace(
        "distinct user) >= 2", "distinct event) >= 3"
    ),
}


def drawn(dice: random.Random) -> tuple[list[tuple], list[tuple]]:
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC, as sources have it
    usage = [
        (
            dice.choice("ab"),
            dice.choice(("u1", "u2", "u3")),
            (start + timedelta(hours=dice.randrange(4000))).isoformat(),
            dice.choice(("open", "save", "share")),
            dice.choice(("base", "plus", "more")),
        )
        for _ in range(120)
    ]
    subscriptions = []
    for number in range(8):
        begin = start + timedelta(hours=dice.randrange(2000))
        end = dice.choice((None, begin + timedelta(hours=dice.randrange(2000))))
        row = (f"s{number}", dice.choice("ab"), dice.choice(("base", "plus", "more")))
        subscriptions.append((*row, begin.isoformat(), end.isoformat() if end else None))
    return usage, subscriptions


@pytest.mark.parametrize("seed", [1, 2])
def test_plain_sql_agrees(company: Company, values: Values, seed: int) -> None:
    usage, subscriptions = drawn(random.Random(seed))  # noqa: S311 - a drawn log, not a secret
    rows = [" ".join((*row[:3], "1", row[3], row[4] or "-")) for row in subscriptions]
    tables = {
        "accounts": ACCOUNTS,
        "subscriptions": "\n".join(
            ("subscription_id account_id product mrr started_at ended_at", *rows)
        ),
        "usage_events": "\n".join(
            ("account_id user_id occurred_at event product", *(" ".join(row) for row in usage))
        ),
    }
    source = company(tables, extracted_at="2026-01-01")
    with closing(sqlite3.connect(":memory:")) as oracle:
        oracle.execute("create table usage (account, user, time, event, product)")
        oracle.execute("create table subscriptions (id, account, product, started, ended)")
        oracle.executemany("insert into usage values (?, ?, ?, ?, ?)", usage)
        oracle.executemany("insert into subscriptions values (?, ?, ?, ?, ?)", subscriptions)
        for as_of in DAYS:
            seen = values(source, list(ORACLES), as_of)
            for column, query in ORACLES.items():
                (expected,) = oracle.execute(query.replace("?", "'a'"), {"as_of": as_of}).fetchone()
                assert seen[column] == expected, (column, as_of)
