"""People at the customer and the main user, by hand, and by SQL over a drawn log."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import duckdb
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
CONTACTS = """
    contact_id account_id role     joined_at  left_at    recorded_at
    c1         a          champion 2024-01-05 -          2024-01-05
    c1         a          champion 2024-01-05 2024-04-01 2024-04-10
    c2         a          admin    2024-02-01 -          2024-02-01
    c3         a          user     2024-02-01 2024-06-01 2024-02-01
    c4         a          champion 2024-07-01 -          2024-07-01
    c5         a          sponsor  2024-01-05 -          2024-01-05
    c5         a          sponsor  2024-01-05 2024-05-01 2024-05-01
    c2         a          user     2024-02-01 -          2024-09-01
    c6         b          admin    2024-03-01 -          2024-03-01
"""


@pytest.fixture
def contacts(company: Company) -> CheckedSource:
    return company({**BASE, "contacts": CONTACTS})


CHAMPION = [
    "people__champions",
    "people__champions_left__28d",
    "people__champions_left__365d",
    "people__days_since_champion_left",
    "people__days_without_champion",
    "people__champion_tenure_days",
]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2024-01-05", [0, 0, 0, None, None, None]),
        ("2024-01-06", [1, 0, 0, None, None, 1]),
        ("2024-04-05", [1, 0, 0, None, None, 91]),  # nobody has heard of 1 April
        ("2024-04-10", [1, 0, 0, None, None, 96]),
        ("2024-04-11", [0, 1, 1, 10, 10, None]),
        ("2024-04-29", [0, 1, 1, 28, 28, None]),
        ("2024-04-30", [0, 0, 1, 29, 29, None]),
        ("2024-07-02", [1, 0, 1, 92, None, 1]),
        ("2025-04-01", [1, 0, 1, 365, None, 274]),
        ("2025-04-02", [1, 0, 0, 366, None, 275]),
    ],
)
def test_a_champion_is_gone_once_it_is_known(
    contacts: CheckedSource, values: Values, as_of: str, expected: list[float | None]
) -> None:
    assert list(values(contacts, CHAMPION, as_of).values()) == expected


@pytest.mark.parametrize(
    ("as_of", "everyone", "admins", "sponsors", "joined", "left"),
    [
        ("2024-02-02", 4, 1, 1, 4, 0),
        ("2024-05-01", 3, 1, 1, 2, 1),  # a leaving on 1 May is known at its end
        ("2024-05-02", 2, 1, 0, 0, 2),
        ("2024-06-02", 1, 1, 0, 0, 3),  # that of 1 June was planned, and counts from its day on
        ("2024-09-02", 2, 0, 0, 1, 0),  # the admin has become a user
    ],
)
def test_people_are_counted_while_they_are_there(
    contacts: CheckedSource,
    values: Values,
    as_of: str,
    everyone: float,
    admins: float,
    sponsors: float,
    joined: float,
    left: float,
) -> None:
    expected = {
        "people__contacts": everyone,
        "people__admins": admins,
        "people__sponsors": sponsors,
        "people__contacts_joined__90d": joined,
        "people__contacts_left__90d": left,
    }
    assert values(contacts, list(expected), as_of) == expected


def test_new_admins_new_champions_and_lost_sponsors_are_counted_in_their_window(
    contacts: CheckedSource, values: Values
) -> None:
    columns = [
        "people__admins_joined__90d",
        "people__champions_joined__90d",
        "people__sponsors_left__365d",
    ]
    assert list(values(contacts, columns, "2024-03-01").values()) == [1.0, 1.0, 0.0]
    assert list(values(contacts, columns, "2024-05-02").values()) == [0.0, 0.0, 1.0]
    assert list(values(contacts, columns, "2024-07-02").values()) == [0.0, 1.0, 1.0]


def test_an_overwritten_role_bears_no_feature_but_contacts_are_counted(company: Company) -> None:
    lines = CONTACTS.strip().splitlines()[:1] + CONTACTS.strip().splitlines()[-1:]
    newest = "\n".join(" ".join(line.split()[:5]) for line in lines)
    tables = {**BASE, "contacts": newest}
    borne = {f.column for f in available(company(tables)) if f.group == "people"}
    assert borne == {
        "people__contacts",
        "people__contacts_joined__90d",
        "people__contacts_left__90d",
    }
    constant = {"contacts": {"columns": {"role": {"constant": True}}}}
    source = company(tables, tables=constant)
    assert "people__champions" in {feature.column for feature in available(source)}


EVENTS = """
    account_id user_id occurred_at event quantity
    a          ann     2024-03-01  open  6
    a          bob     2024-03-01  open  3
    a          -       2024-03-01  open  3
    a          bob     2024-04-20  open  2
    a          -       2024-06-20  open  2
"""


@pytest.mark.parametrize(
    ("as_of", "top", "share", "quiet"),
    [
        ("2024-03-01", 0.0, None, None),
        ("2024-03-02", 6.0, 0.5, None),
        ("2024-03-29", 6.0, 0.5, None),
        ("2024-03-30", 0.0, None, 29.0),
        ("2024-04-21", 2.0, 1.0, 51.0),  # ann led before the last 28 days, and stays away
        ("2024-06-28", 0.0, None, 69.0),  # bob is the main user; who came in June is not known
        ("2024-08-17", 0.0, None, None),
    ],
)
def test_the_main_user_is_followed_and_the_busiest_one_weighed(
    company: Company,
    values: Values,
    as_of: str,
    top: float,
    share: float | None,
    quiet: float | None,
) -> None:
    expected = {
        "people__top_user_events__28d": top,
        "people__top_user_share__28d": share,
        "people__main_user_quiet_days__90d": quiet,
    }
    source = company({**BASE, "usage_events": EVENTS})
    assert values(source, list(expected), as_of) == expected


START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC, as everywhere
QUERIES = {
    "people__top_user_share__28d": """
        WITH month AS (SELECT user_id, sum(quantity) AS total FROM events
            WHERE occurred_at < $as_of AND occurred_at >= $as_of - INTERVAL 28 DAY GROUP BY ALL)
        SELECT max(total) FILTER (user_id IS NOT NULL) / sum(total) FROM month
    """,
    "people__main_user_quiet_days__90d": """
        WITH past AS (SELECT user_id, sum(quantity) AS total FROM events
            WHERE user_id IS NOT NULL AND occurred_at < $as_of - INTERVAL 28 DAY
              AND occurred_at >= $as_of - INTERVAL 118 DAY GROUP BY ALL)
        SELECT min(date_diff('day', occurred_at::DATE, $as_of)) FROM events
        WHERE occurred_at < $as_of AND user_id IN
          (SELECT user_id FROM past WHERE total = (SELECT max(total) FROM past))
    """,
}


@pytest.mark.parametrize("column", QUERIES)
def test_sql_finds_the_same_users(company: Company, column: str) -> None:
    dice = random.Random(9)  # noqa: S311 - a drawn log, not a secret
    lines = ["account_id user_id occurred_at event quantity"]
    for _ in range(200):
        time = START + timedelta(hours=dice.randrange(400 * 24))
        user = dice.choice(("ann", "bob", "cyd", "dan", "-"))
        lines.append(f"a {user} {time.isoformat()} open {dice.randrange(1, 4)}")
    source = company({**BASE, "usage_events": "\n".join(lines)})
    times = pd.to_datetime([START + timedelta(days=day) for day in range(3, 420, 13)])
    spine = pd.DataFrame({"account_id": "a", "as_of": times.astype("datetime64[us]")})
    chosen = [feature for feature in catalog() if feature.column == column]
    found = feature_table(source, spine, engine=Engine.DUCKDB, features=chosen)
    with duckdb.connect() as connection:
        connection.register("events", source.read("usage_events"))
        expected = [
            connection.execute(QUERIES[column], {"as_of": as_of}).fetchone()[0]
            for as_of in found["as_of"]
        ]
    assert len(set(expected)) > 6
    want = pd.Series(expected, dtype="float64", name=column)
    pd.testing.assert_series_equal(found[column], want, rtol=1e-12)
