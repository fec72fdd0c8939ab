"""Answers to surveys: by hand, and by SQL over answers drawn at random."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import duckdb
import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import available, catalog, catalog_json, sentence
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
SURVEYS = """
    account_id responded_at     kind score respondent_role recorded_at
    a          2024-01-10T10:00 nps  9     champion        2024-01-10T10:00
    a          2024-02-10T10:00 csat 4     user            2024-02-10T10:00
    a          2024-06-01T10:00 nps  6     champion        2024-06-03T10:00
    a          2024-06-01T12:00 nps  3     user            2024-06-01T12:00
    a          2024-07-01T10:00 ces  4     -               2024-07-01T10:00
    b          2024-06-01T10:00 csat 1     user            2024-06-01T10:00
"""


@pytest.fixture
def surveys(company: Company) -> CheckedSource:
    return company({**BASE, "surveys": SURVEYS})


@pytest.mark.parametrize(
    ("as_of", "quarter", "year", "latest", "detractors"),
    [
        ("2024-01-10", None, None, None, None),
        ("2024-01-11", 9.0, 9.0, 9.0, 0.0),
        ("2024-06-02", 3.0, 6.0, 3.0, 0.5),
        ("2024-06-03", 3.0, 6.0, 3.0, 0.5),  # 6 is not recorded before the end of 3 June
        ("2024-06-04", 4.5, 6.0, 3.0, 2 / 3),
        ("2024-08-30", 4.5, 6.0, 3.0, 2 / 3),  # 1 June is 90 days before 30 August
        ("2024-08-31", None, 6.0, 3.0, 2 / 3),
        ("2025-06-02", None, None, 3.0, None),
    ],
)
def test_nps_is_averaged_by_the_time_of_the_answer_once_it_is_known(
    surveys: CheckedSource,
    values: Values,
    as_of: str,
    quarter: float | None,
    year: float | None,
    latest: float | None,
    detractors: float | None,
) -> None:
    expected = {
        "satisfaction__nps__90d": quarter,
        "satisfaction__nps__365d": year,
        "satisfaction__latest_nps": latest,
        "satisfaction__detractors__365d": detractors,
    }
    assert values(surveys, list(expected), as_of) == expected


def test_kinds_are_averaged_apart(surveys: CheckedSource, values: Values) -> None:
    expected = {
        "satisfaction__nps__365d": 6.0,
        "satisfaction__csat__365d": 4.0,
        "satisfaction__csat__90d": None,
        "satisfaction__ces__365d": 4.0,
        "satisfaction__ces__90d": 4.0,
    }
    assert values(surveys, list(expected), "2024-07-02") == expected


def test_kinds_are_put_on_one_scale_from_worst_to_best(company: Company, values: Values) -> None:
    answers = """
        account_id responded_at kind score
        a          2024-01-01   nps  0
        a          2024-02-01   nps  10
        a          2024-03-01   csat 1
        a          2024-04-01   csat 5
        a          2024-05-01   ces  1
        a          2024-06-01   ces  7
    """
    source = company({**BASE, "surveys": answers})
    lowest = {"satisfaction__lowest_score__180d": 0.0, "satisfaction__score__180d": 50.0}
    assert values(source, list(lowest), "2024-06-10") == lowest
    best = {"satisfaction__lowest_score__180d": 100.0, "satisfaction__score__180d": 100.0}
    assert values(source, list(best), "2024-11-10") == best


@pytest.mark.parametrize(
    ("as_of", "now", "before", "change", "lowest"),
    [
        ("2024-02-11", 82.5, None, None, 75.0),  # 9 of 10 and 4 of 5
        ("2024-07-20", 53.75, 90.0, -36.25, 30.0),  # 75, 60, 30 and 4 of 7 against 9 of 10
        ("2024-08-09", 140 / 3, 82.5, 140 / 3 - 82.5, 30.0),  # 75 has gone to the half-year before
        ("2025-06-02", None, 50.0, None, None),
    ],
)
def test_the_last_half_year_is_set_against_the_one_before(
    surveys: CheckedSource,
    values: Values,
    as_of: str,
    now: float | None,
    before: float | None,
    change: float | None,
    lowest: float | None,
) -> None:
    expected = {
        "satisfaction__score__180d": now,
        "satisfaction__score_before__180d": before,
        "satisfaction__score_change__180d": change,
        "satisfaction__lowest_score__180d": lowest,
    }
    assert values(surveys, list(expected), as_of) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("as_of", "days", "answers"),
    [("2024-01-10", None, 0.0), ("2024-06-02", 1.0, 3.0), ("2025-06-02", 336.0, 1.0)],
)
def test_silence_grows_from_the_last_answer(
    surveys: CheckedSource, values: Values, as_of: str, days: float | None, answers: float
) -> None:
    expected = {
        "satisfaction__days_since_last_answer": days,
        "satisfaction__answers__365d": answers,
    }
    assert values(surveys, list(expected), as_of) == expected


@pytest.mark.parametrize(
    ("as_of", "most", "least", "spread"),
    [
        ("2024-01-11", 90.0, 90.0, None),
        ("2024-07-02", 75.0, 52.5, 22.5),  # champion: 90 and 60; user: 75 and 30; no role: 50
        ("2025-03-01", 60.0, 30.0, 30.0),
    ],
)
def test_the_spread_lies_between_the_means_of_roles(
    surveys: CheckedSource,
    values: Values,
    as_of: str,
    most: float,
    least: float,
    spread: float | None,
) -> None:
    expected = {
        "satisfaction__most_content_role__365d": most,
        "satisfaction__least_content_role__365d": least,
        "satisfaction__spread_between_roles__365d": spread,
    }
    assert values(surveys, list(expected), as_of) == expected


def test_without_roles_only_the_features_by_role_are_left_out(company: Company) -> None:
    plain = "\n".join(" ".join(line.split()[:4]) for line in SURVEYS.strip().splitlines())
    borne = {feature.column for feature in available(company({**BASE, "surveys": plain}))}
    pages = {feature.column for feature in catalog() if feature.group == "satisfaction"}
    assert {name.split("__")[1] for name in pages - borne} == {
        "roles_heard",
        "most_content_role",
        "least_content_role",
        "spread_between_roles",
    }


START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC, as everywhere
BY_ROLE = """
    SELECT respondent_role, avg(CASE kind WHEN 'nps' THEN score * 10
        WHEN 'csat' THEN (score - 1) * 25 ELSE (score - 1) * 100 / 6 END) AS mean
    FROM answers WHERE account_id = ? AND known_at < ? AND respondent_role IS NOT NULL
      AND responded_at >= CAST(? AS TIMESTAMP) - INTERVAL 365 DAY
    GROUP BY respondent_role
"""


def test_sql_finds_the_same_spread(company: Company) -> None:
    dice = random.Random(4)  # noqa: S311 - drawn answers, not a secret
    lines = ["account_id responded_at kind score respondent_role recorded_at"]
    for _ in range(150):
        answered = START + timedelta(hours=dice.randrange(700 * 24))
        kind, role = (
            dice.choice(("nps", "csat", "ces")),
            dice.choice(("champion", "user", "it", "-")),
        )
        known = answered + timedelta(days=dice.choice((0, 0, 9)))
        cells = (dice.choice("ab"), answered.isoformat(), kind, str(dice.randrange(1, 6)), role)
        lines.append(" ".join((*cells, known.isoformat())))
    source = company({**BASE, "surveys": "\n".join(lines)}, extracted_at="2026-06-01")
    times = pd.to_datetime([START + timedelta(days=day) for day in (5, 40, 200, 430, 690)])
    points = pd.MultiIndex.from_product(
        [list("ab"), times.astype("datetime64[us]")], names=["account_id", "as_of"]
    )
    column = "satisfaction__spread_between_roles__365d"
    chosen = [feature for feature in catalog() if feature.column == column]
    found = feature_table(
        source, points.to_frame(index=False), engine=Engine.POLARS, features=chosen
    )
    answers = source.read("surveys")
    with duckdb.connect() as connection:
        connection.register("answers", answers)
        expected = []
        for account, as_of in zip(found["account_id"], found["as_of"], strict=True):
            means = [m for _, m in connection.execute(BY_ROLE, [account, as_of, as_of]).fetchall()]
            expected.append(max(means) - min(means) if len(means) > 1 else None)
    assert len(set(expected)) > 5
    want = pd.Series(expected, dtype="float64", name=column)
    pd.testing.assert_series_equal(found[column], want, rtol=1e-9)


EQUAL = "average 50.0 of 100 possible points in every role that answered"
APART = "average from 40.0 to 75.0 of 100 possible points, role by role,"


@pytest.mark.parametrize(("least", "most", "said"), [(50.0, 50.0, EQUAL), (40.0, 75.0, APART)])
def test_the_sentence_on_roles_says_what_its_numbers_are(
    least: float, most: float, said: str
) -> None:
    columns = ("satisfaction__least_content_role__365d", "satisfaction__most_content_role__365d")
    chosen = [feature for feature in catalog() if feature.column in columns]
    row = dict(zip(columns, (least, most), strict=True))
    assert {sentence(entry, row) for entry in catalog_json(chosen)} == {
        f"Survey answers {said} in the last 365 days"
    }
