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
from features.declare import Extreme, Feature, Formula, Missing, Total
from features.engine import Engine, session
from features.measure import COUNT, counts_values, grid, measure
from features.rows import Reader, identities
from features.spine import snapshot_days

_SPINE = pa.schema([("account_id", pa.string()), ("as_of_day", pa.int64())])


def feature_table(
    source: CheckedSource,
    states: pd.DataFrame,
    *,
    engine: Engine = Engine.DUCKDB,
    features: Iterable[Feature] | None = None,
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
    active = states[states["status"] == "active"] if "status" in states else states
    spine = active[["account_id", "as_of"]].drop_duplicates()
    spine = spine.sort_values(["as_of", "account_id"], ignore_index=True)
    if spine.empty or not chosen:
        return spine.assign(**{feature.column: pd.Series(dtype="float64") for feature in chosen})
    days = snapshot_days(spine["as_of"])
    with session(engine) as running:
        rows = running.frame({"account_id": spine["account_id"], "as_of_day": days}, _SPINE)
        on = grid(sorted(set(spine["account_id"])), days, running)
        reader = Reader(source, running, identities(source))
        table = running.collect(build(rows, reader, on, with_inputs(chosen)))
    table = table.assign(
        as_of=pd.to_datetime(table["as_of_day"], unit="D").astype("datetime64[us]")
    )
    names = ["account_id", "as_of", *(feature.column for feature in chosen)]
    return table.sort_values(["as_of", "account_id"], ignore_index=True)[names]


def build(
    spine: nw.LazyFrame, reader: Reader, on: Any, features: Sequence[Feature]
) -> nw.LazyFrame:
    """Give the spine's rows (account_id, as_of_day) with one column for each feature.

    Formulas may read features that are not asked for; those must be in the catalogue.
    """
    measured = [feature for feature in features if not isinstance(feature.recipe, Formula)]
    formulas = [feature for feature in features if isinstance(feature.recipe, Formula)]
    numbers = spine.join(measure(measured, reader, on), on=["account_id", "as_of_day"], how="left")
    table = numbers.with_columns(**{feature.column: _number(feature) for feature in measured})
    for feature in formulas:
        if isinstance(feature.recipe, Formula):
            value = feature.recipe.value(*map(nw.col, feature.recipe.of))
            table = table.with_columns(value.cast(nw.Float64).alias(feature.column))
    return table.select("account_id", "as_of_day", *(feature.column for feature in features))


def _number(feature: Feature) -> nw.Expr:
    """Put a measured whole number into its unit, and a missing one into its meaning."""
    number = nw.col(feature.column).cast(nw.Float64)
    recipe = feature.recipe
    if counts_values(feature) and isinstance(recipe, Total):
        counted = nw.col(feature.column + COUNT)
        total = number / counted.cast(nw.Float64) if recipe.mean else number
        number = nw.when(counted > 0).then(total)
    if isinstance(recipe, Total | Extreme) and _per(recipe) != 1:
        number = number / float(_per(recipe))
    return number.fill_null(0.0) if feature.missing is Missing.ZERO else number


def _per(recipe: Total | Extreme) -> int:
    return 1 if isinstance(recipe, Total) and recipe.value is None else recipe.per


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
