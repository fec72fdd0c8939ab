"""The battery: what every feature keeps to, on companies drawn at random, and leaks it catches."""

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.build import feature_table
from features.catalog import catalog, catalog_json, sentence
from features.checked import CheckedSource
from features.declare import Facts, Feature, Missing, Text, Total, Unit, View
from features.engine import Engine
from features.windows import DAY, Rows

Checked = Callable[[dict[str, list[dict[str, Any]]]], CheckedSource]
Drawn = dict[str, list[dict[str, Any]]]
FEATURES = catalog()
BATTERY = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a smaller company is not worth the minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def spine(snapshots: Sequence[datetime]) -> pd.DataFrame:
    points = pd.MultiIndex.from_product(
        [list("abcde"), pd.to_datetime(list(snapshots)).astype("datetime64[us]")],
        names=["account_id", "as_of"],
    )
    return points.to_frame(index=False)


def table(
    source: CheckedSource,
    snapshots: Sequence[datetime],
    engine: Engine = Engine.POLARS,
    features: Sequence[Feature] = FEATURES,
) -> pd.DataFrame:
    return feature_table(source, spine(snapshots), engine=engine, features=features)


def as_known(tables: Drawn, as_of: datetime) -> Drawn:
    """The tables as an extract made at `as_of` would have shown them, written without the code."""
    firsts = {
        "accounts": "created_at",
        "account_merges": "merged_at",
        "subscriptions": "started_at",
        "usage_events": "occurred_at",
        "support_tickets": "opened_at",
        "invoices": "issued_at",
        "payments": "attempted_at",
    }
    planned = {"due_at", "renews_at"}
    known: Drawn = {}
    for name, rows in tables.items():
        known[name] = [
            {
                column: None
                if isinstance(value, datetime) and value >= as_of and column not in planned
                else value
                for column, value in row.items()
            }
            for row in rows
            if row[firsts[name]] < as_of
        ]
    for ticket in known["support_tickets"]:
        if ticket["csat_at"] is None:
            ticket["csat"] = None
    return known


def disagreements(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    return [column for column in left if not left[column].equals(right[column])]


def leaks(
    tables: Drawn, as_of: datetime, checked: Checked, features: Sequence[Feature] = FEATURES
) -> list[str]:
    seen_later = table(checked(tables), [as_of], features=features)
    seen_then = table(checked(as_known(tables, as_of)), [as_of], features=features)
    return disagreements(seen_later, seen_then)


def without_months(tables: Drawn) -> Drawn:
    """A company whose CRM rolls no stored end forward: as_known cannot play that backwards."""
    for row in tables["subscriptions"]:
        row["term_months"] = row["term_months"] or 12
        row["renews_at"] = None
    return tables


@BATTERY
@given(seed=st.integers(0, 10_000), day=st.integers(20, 790))
def test_what_becomes_known_later_changes_nothing(
    seed: int, day: int, drawn: Callable[..., Drawn], checked: Checked
) -> None:
    as_of = datetime(2023, 1, 1) + timedelta(days=day)  # noqa: DTZ001 - naive UTC, as everywhere
    assert leaks(without_months(drawn(seed)), as_of, checked) == []


@BATTERY
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(
    seed: int, drawn: Callable[..., Drawn], checked: Checked, snapshots: Sequence[datetime]
) -> None:
    tables = drawn(seed)
    shuffled = deepcopy(tables)
    for rows in shuffled.values():
        random.Random(seed).shuffle(rows)  # noqa: S311 - a shuffle, not a secret
    assert (
        disagreements(table(checked(tables), snapshots), table(checked(shuffled), snapshots)) == []
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_every_engine_gives_the_same_numbers(
    seed: int, drawn: Callable[..., Drawn], checked: Checked, snapshots: Sequence[datetime]
) -> None:
    source = checked(drawn(seed))
    on_polars = table(source, snapshots)
    on_duckdb = table(source, snapshots, Engine.DUCKDB)
    pd.testing.assert_frame_equal(on_polars, on_duckdb, check_exact=True)


def test_a_snapshot_does_not_depend_on_the_others(
    drawn: Callable[..., Drawn], checked: Checked, snapshots: Sequence[datetime]
) -> None:
    source = checked(drawn(3))
    together = table(source, snapshots)
    for as_of in snapshots:
        alone = table(source, [as_of])
        among = together[together["as_of"] == as_of].reset_index(drop=True)
        assert disagreements(among, alone) == []


def test_an_account_without_history_gets_the_declared_missing_value(
    drawn: Callable[..., Drawn], checked: Checked, snapshots: Sequence[datetime]
) -> None:
    rows = table(checked(drawn(4)), snapshots)
    nothing = rows[rows["account_id"] == "e"]
    for feature in FEATURES:
        values = nothing[feature.column]
        ok = values.eq(0).all() if feature.missing is Missing.ZERO else values.isna().all()
        assert ok, feature.column


def test_every_feature_can_be_seen_to_vary(
    drawn: Callable[..., Drawn], checked: Checked, snapshots: Sequence[datetime]
) -> None:
    """A battery over constants would prove nothing."""
    rows = table(checked(drawn(7, rows=300)), snapshots)
    constant = [feature.column for feature in FEATURES if rows[feature.column].nunique() < 2]
    assert constant == []


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.column)
def test_a_feature_says_what_it_is(feature: Feature) -> None:
    (entry,) = catalog_json([feature])
    named = dict.fromkeys(entry["units"], 3.0)
    assert entry["column"].startswith(f"{entry['group']}__")
    assert entry["description"].endswith(".")
    assert entry["sources"]
    assert entry["subject"]
    for value in (-2.0, 0.0, 1.0, 4.0, float("nan")):
        said = sentence(entry, {**named, feature.column: value})
        assert said
        assert not set("{}[]<>|") & set(said)
        assert "nan" not in said


def planted(make: Callable[[Rows], Rows], uses: tuple[str, ...], at: str) -> Feature:
    view = View("planted", "support_tickets", uses, make)
    recipe = Total(Facts(view, at=at, uses=("leak",)), nw.col("leak"), per=1)
    return Feature("support", "planted", recipe, Unit.ITEMS, "leak", "A leak.", Text("{value}"))


LEAKS = {
    "a column that was filled in later": planted(
        lambda rows: rows.with_columns(leak=(~nw.col("resolved_at").is_null()).cast(nw.Int64)),
        ("opened_at", "resolved_at"),
        "opened_at",
    ),
    "a statistic over the whole table": planted(
        lambda rows: rows.with_columns(leak=nw.col("opened_at").max() // DAY),
        ("opened_at",),
        "opened_at",
    ),
    "a fact put at a time before it": planted(
        lambda rows: rows.filter(~nw.col("escalated_at").is_null()).with_columns(
            leak=nw.lit(1, nw.Int64)
        ),
        ("opened_at", "escalated_at"),
        "opened_at",
    ),
    "a row shown before it was known": planted(
        lambda rows: rows.with_columns(
            leak=nw.lit(1, nw.Int64),
            enters=nw.col("enters") - 50,
            early=nw.col("opened_at") - 50 * DAY,
        ),
        ("opened_at",),
        "early",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_the_battery_catches(leak: str, drawn: Callable[..., Drawn], checked: Checked) -> None:
    as_of = datetime(2024, 2, 1)  # noqa: DTZ001 - naive UTC, as everywhere
    assert leaks(drawn(5, rows=400), as_of, checked, [LEAKS[leak]]) == ["support__planted"]


def test_the_battery_catches_a_feature_that_counts_versions_twice(
    drawn: Callable[..., Drawn], checked: Checked
) -> None:
    tables = drawn(6)
    for ticket in list(tables["support_tickets"]):
        ticket["recorded_at"] = ticket["opened_at"]
        corrected = ticket | {"recorded_at": ticket["opened_at"] + timedelta(days=3)}
        tables["support_tickets"].append(corrected)
    as_of = datetime(2025, 3, 1)  # noqa: DTZ001 - naive UTC, as everywhere
    ever = next(f for f in FEATURES if f.column == "support__tickets_opened__365d")
    counts = table(checked(tables), [as_of], features=[ever])
    plain = table(checked(drawn(6)), [as_of], features=[ever])
    assert disagreements(counts, plain) == []
    doubled = replace(ever, recipe=Total(Facts(_VERSIONS, at="opened_at")))
    assert disagreements(table(checked(tables), [as_of], features=[doubled]), plain) != []


_VERSIONS = View(
    "all_versions",
    "support_tickets",
    ("opened_at",),
    lambda rows: rows.with_columns(leaves=nw.lit(2_000_000, nw.Int64)),
)
