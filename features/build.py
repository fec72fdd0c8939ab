"""From an account's history to its feature row at each snapshot."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa

from features.catalog import available, with_inputs
from features.checked import CheckedSource
from features.declare import (
    Duration,
    Extreme,
    Feature,
    Formula,
    Latest,
    Missing,
    Others,
    Ranked,
    Recipe,
    Total,
)
from features.engine import Engine, Session, session
from features.fold.folding import NOTHING, Folded, fold_logs
from features.grid import Grid, grid
from features.measure import measure
from features.recipes.totals import COUNT, counts_values
from features.rows import Reader, reader
from features.spine import snapshot_days
from features.windows import Rows

_SPINE = pa.schema([("account_id", pa.string()), ("as_of_day", pa.int64())])


def feature_table(
    source: CheckedSource,
    states: pd.DataFrame,
    *,
    engine: Engine = Engine.DUCKDB,
    features: Iterable[Feature] | None = None,
    fold: bool | None = None,
) -> pd.DataFrame:
    """Give the feature rows of the active accounts.

    Parameters
    ----------
    source
        Checked tables.
    states
        Rows of `spine.account_states`; without a column `status` every row counts.
    engine
        Who computes; the numbers do not depend on it.
    features
        By default all that the source can bear.
    fold
        Whether a compiled pass gives the features of a log that it can give; by default of a log
        that is large enough, and never on Spark. The numbers do not depend on it.

    Returns
    -------
    pandas.DataFrame
        One row for each account and date, sorted by as_of, account_id: account_id, as_of, then
        one float64 column for each feature; NaN is null.

    Raises
    ------
    TenureError
        When a snapshot is not at midnight, or the engine is not installed.
    """
    chosen = tuple(available(source) if features is None else features)
    spine = active_points(states)
    if spine.empty or not chosen:
        nothing = {feature.column: pd.Series(dtype="float64") for feature in chosen}
        return pd.concat([spine, pd.DataFrame(nothing, index=spine.index)], axis=1)
    dates = spine["as_of"].drop_duplicates()
    days = spine["as_of"].map(dict(zip(dates, snapshot_days(dates), strict=True)))
    accounts = sorted(spine["account_id"].unique())
    with session(engine, given_mb=len(spine) * len(chosen) * 8 // 2**20) as running:
        points = running.frame({"account_id": spine["account_id"], "as_of_day": days}, _SPINE)
        on = grid(accounts, days.unique().tolist(), running)
        rows = feature_rows(source, points, on, chosen, running, engine=engine, fold=fold)
        table = running.collect(rows)
    table = table.assign(
        as_of=pd.to_datetime(table["as_of_day"], unit="D").astype("datetime64[us]")
    )
    names = ["account_id", "as_of", *(feature.column for feature in chosen)]
    return table.sort_values(["as_of", "account_id"], ignore_index=True)[names]


def active_points(states: pd.DataFrame) -> pd.DataFrame:
    """Give account_id and as_of of the active accounts, sorted by as_of, account_id."""
    active = states[states["status"] == "active"] if "status" in states else states
    points = active[["account_id", "as_of"]].drop_duplicates()
    return points.sort_values(["as_of", "account_id"], ignore_index=True)


def feature_rows(
    source: CheckedSource,
    points: Rows,
    on: Grid,
    features: Sequence[Feature],
    running: Session,
    *,
    engine: Engine,
    fold: bool | None = None,
) -> Rows:
    """Give account_id, as_of_day and the features at points (account_id, as_of_day) of a grid.

    The session may close only when the rows were read.
    """
    asked = with_inputs(features)
    measured = [feature for feature in asked if not isinstance(feature.recipe, Formula)]
    done = fold_logs(source, measured, on, running, engine, fold=fold)
    facts = reader(source, [f for f in measured if f.column not in done.columns], running)
    table = build(points, facts, on, asked, done)
    return table.select("account_id", "as_of_day", *(feature.column for feature in features))


def build(
    spine: Rows, facts: Reader, on: Grid, features: Sequence[Feature], done: Folded = NOTHING
) -> Rows:
    """Give the spine's rows (account_id, as_of_day) with one column for each feature.

    Formulas may read features that are not asked for; those must be in the catalogue. What a fold
    has `done` is taken from it, and the rest measured.
    """
    measured = [feature for feature in features if not isinstance(feature.recipe, Formula)]
    formulas = [feature for feature in features if isinstance(feature.recipe, Formula)]
    left = [feature for feature in measured if feature.column not in done.columns]
    numbers = measure(left, facts, on, spine)
    for rows in done.rows:
        numbers = numbers.join(rows, on=["account_id", "as_of_day"], how="left")
    table = numbers.with_columns(**{feature.column: _number(feature) for feature in measured})
    for together in _in_steps(formulas):
        table = table.with_columns(**{f.column: _formula(f) for f in together})
    return table.select("account_id", "as_of_day", *(feature.column for feature in features))


def _formula(feature: Feature) -> nw.Expr:
    recipe = feature.recipe
    if not isinstance(recipe, Formula):
        raise TypeError(f"Expected a formula, got the measured feature {feature.column}.")
    return recipe.value(*map(nw.col, recipe.of)).cast(nw.Float64)


def _in_steps(formulas: Sequence[Feature]) -> list[list[Feature]]:
    """Part formulas so that each one comes in a later step than the formulas that it reads."""
    step: dict[str, int] = {}
    for feature in formulas:
        below = feature.recipe.of if isinstance(feature.recipe, Formula) else ()
        step[feature.column] = 1 + max((step.get(column, 0) for column in below), default=0)
    depth = max(step.values(), default=0)
    return [[f for f in formulas if step[f.column] == number] for number in range(1, depth + 1)]


def _number(feature: Feature) -> nw.Expr:
    """Put a measured whole number into its unit, and a missing one into its meaning.

    Polars divides by a constant through its reciprocal, which rounds unlike the other engines: so
    the divisor is a column.
    """
    recipe = feature.recipe
    whole = nw.col(feature.column)
    divisor = nw.col("as_of_day") * 0 + _per(recipe)
    if isinstance(recipe, Total) and recipe.mean:
        divisor = nw.col(feature.column + COUNT) * _per(recipe)
    number = whole.cast(nw.Float64) / divisor.cast(nw.Float64)
    if counts_values(feature):
        number = nw.when(nw.col(feature.column + COUNT) > 0).then(number)
    return number.fill_null(0.0) if feature.missing is Missing.ZERO else number


def _per(recipe: Recipe) -> int:
    if isinstance(recipe, Others):
        return _per(recipe.total)
    if isinstance(recipe, Total) and recipe.value is None:
        return 1
    return recipe.per if isinstance(recipe, Total | Extreme | Latest | Ranked | Duration) else 1


def write_feature_table(
    frame: pd.DataFrame, catalogue: Iterable[Mapping[str, Any]], out: Path
) -> None:
    """Write `<out>` as Parquet, and `<out>.catalog.json` beside it; each whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    entries = json.dumps(list(catalogue), indent=1) + "\n"
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    aside.write_text(entries, encoding="utf-8")
    aside.replace(out.with_name(f"{out.name}.catalog.json"))
    frame.to_parquet(aside, index=False)
    aside.replace(out)
