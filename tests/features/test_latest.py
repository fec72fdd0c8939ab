"""The latest value, by hand, on both engines."""

from collections.abc import Callable
from dataclasses import replace

import narwhals as nw
import pandas as pd
import pytest

from features.build import feature_table
from features.checked import CheckedSource
from features.declare import FIXED, Facts, Feature, Latest, Missing, Text, Unit
from features.engine import Engine

Company = Callable[..., CheckedSource]
COMPANY = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
    """,
    "surveys": """
        account_id responded_at     kind score recorded_at
        a          2024-03-01T10:00 nps  9     2024-03-01T10:00
        a          2024-03-01T12:00 nps  4     2024-03-01T12:00
        a          2024-03-01T12:00 nps  6     2024-03-01T12:00
        a          2024-03-05T10:00 nps  8     2024-03-09T10:00
        a          2024-03-07T10:00 nps  2     2024-03-07T10:00
        a          2024-03-12T10:00 csat 1     2024-03-12T10:00
    """,
}
NPS = Facts("surveys", "responded_at", uses=("kind", "score"), where=nw.col("kind") == "nps")
LATEST = Latest(NPS, nw.col("score"), per=FIXED)


def value(source: CheckedSource, recipe: Latest, as_of: str, days: int | None = None) -> float:
    text, missing = Text(""), Missing.UNKNOWN
    feature = Feature(
        "test", "latest", recipe, Unit.POINTS, "latest", "Latest.", text, missing, None, days
    )
    times = pd.to_datetime([as_of]).astype("datetime64[us]")
    rows = pd.DataFrame({"account_id": ["a"], "as_of": times})
    tables = [
        feature_table(source, rows, engine=engine, features=[feature])
        for engine in (Engine.DUCKDB, Engine.POLARS)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    return float(tables[0][feature.column].iloc[0])


@pytest.mark.parametrize(
    ("as_of", "lowest", "highest"),
    [
        ("2024-03-01", float("nan"), float("nan")),
        ("2024-03-02", 4.0, 6.0),
        ("2024-03-07", 4.0, 6.0),
        ("2024-03-08", 2.0, 2.0),
        ("2024-03-20", 2.0, 2.0),
    ],
)
def test_the_latest_value_is_that_of_the_latest_known_moment(
    company: Company, as_of: str, lowest: float, highest: float
) -> None:
    source = company(COMPANY)
    assert value(source, LATEST, as_of) == pytest.approx(lowest, nan_ok=True)
    assert value(source, replace(LATEST, pick="max"), as_of) == pytest.approx(highest, nan_ok=True)


def test_a_window_forgets_the_latest_value(company: Company) -> None:
    source = company(COMPANY)
    assert value(source, LATEST, "2024-03-14", 7) == 2.0
    assert value(source, LATEST, "2024-03-15", 7) != value(source, LATEST, "2024-03-15", 7)


def test_a_later_fact_without_a_value_does_not_count(company: Company) -> None:
    low = nw.when(nw.col("score") > 3 * FIXED).then(nw.col("score"))
    assert value(company(COMPANY), replace(LATEST, value=low), "2024-03-20") == 8.0
