"""What else every feature keeps to, on companies drawn at random."""

import random
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest

from features.battery.drawn import ACCOUNTS, NO_HISTORY, START, Draw, Tables, draw_company
from features.battery.trial import together
from features.battery.written import write_checked
from features.build import feature_table
from features.catalog import catalog, catalog_json, sentence
from features.declare import Feature, Missing
from features.engine import Engine

FEATURES = catalog()
SNAPSHOTS = tuple(START + pd.Timedelta(days=day) for day in (30, 200, 201, 400, 640, 799))
ENGINES = (Engine.DUCKDB,)
"""Those that are held against Polars."""


def companies(
    first: int, count: int = 8, *, is_versioned: bool = True
) -> tuple[Tables, pd.DataFrame]:
    """Give companies in one, and all their accounts at the snapshots."""
    draws = [Draw(first + number, 100 * number + 40, is_versioned) for number in range(count)]
    drawn = {("drawn", number): draw_company(draw) for number, draw in enumerate(draws)}
    ids = [f"drawn/{n}/{account}" for n in range(count) for account in (*ACCOUNTS, NO_HISTORY)]
    points = pd.MultiIndex.from_product(
        [ids, pd.to_datetime(list(SNAPSHOTS)).astype("datetime64[us]")],
        names=["account_id", "as_of"],
    )
    return together(drawn), points.to_frame(index=False)


def table(
    folder: Path, tables: Tables, points: pd.DataFrame, engine: Engine = Engine.POLARS
) -> pd.DataFrame:
    source = write_checked(folder, tables)
    return feature_table(source, points, engine=engine, features=FEATURES)


def disagreements(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    return [column for column in left if not left[column].equals(right[column])]


@pytest.mark.parametrize("is_versioned", [True, False], ids=["versions", "no versions"])
def test_the_order_of_rows_changes_nothing(tmp_path: Path, *, is_versioned: bool) -> None:
    tables, points = companies(10, is_versioned=is_versioned)
    shuffled = deepcopy(tables)
    for rows in shuffled.values():
        random.Random(10).shuffle(rows)  # noqa: S311 - a shuffle, not a secret
    as_drawn = table(tmp_path / "drawn", tables, points)
    assert disagreements(as_drawn, table(tmp_path / "shuffled", shuffled, points)) == []


@pytest.mark.parametrize("is_versioned", [True, False], ids=["versions", "no versions"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_numbers(
    engine: Engine, tmp_path: Path, *, is_versioned: bool
) -> None:
    tables, points = companies(20, is_versioned=is_versioned)
    on_polars = table(tmp_path / "polars", tables, points)
    on_engine = table(tmp_path / engine, tables, points, engine)
    pd.testing.assert_frame_equal(on_polars, on_engine, check_exact=False, rtol=1e-9, atol=0)
    whole = [column for column in on_polars if is_whole(on_polars[column])]
    assert len(whole) > len(FEATURES) / 3
    assert disagreements(on_polars[whole], on_engine[whole]) == []


def is_whole(column: pd.Series) -> bool:
    known = column.dropna()
    return column.dtype == "float64" and bool((known == known.round()).all())


def test_a_snapshot_does_not_depend_on_the_others(tmp_path: Path) -> None:
    tables, points = companies(30)
    rows = table(tmp_path / "together", tables, points)
    for number, as_of in enumerate(SNAPSHOTS):
        alone = table(tmp_path / str(number), tables, points[points["as_of"] == as_of])
        among = rows[rows["as_of"] == as_of].reset_index(drop=True)
        assert disagreements(among, alone) == []


def test_an_account_without_history_gets_the_declared_missing_value(tmp_path: Path) -> None:
    rows = table(tmp_path / "drawn", *companies(40))
    nothing = rows[rows["account_id"].str.endswith(f"/{NO_HISTORY}")]
    assert len(nothing) > 0
    wrong = [f.column for f in FEATURES if not is_missing(f, nothing[f.column])]
    assert wrong == []


def is_missing(feature: Feature, values: pd.Series) -> bool:
    if feature.missing is Missing.ZERO:
        return bool(values.eq(0).all())
    return bool(values.isna().all())


def test_every_feature_can_be_seen_to_vary(tmp_path: Path) -> None:
    """A battery over constants would prove nothing."""
    rows = table(tmp_path / "drawn", *companies(50, count=30))
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
