"""The same figures as Tenure computes them: declared once, and built from a checked source."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import narwhals as nw
import pandas as pd

from benchmarks.asked import WINDOWS, Accounts, AsOfs
from benchmarks.usage import DAYS, EVENTS, FIRST_DAY
from features.build import feature_table
from features.checked import CheckedSource
from features.declare import (
    Distinct,
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Recipe,
    Text,
    Total,
    Unit,
    relative_change,
)
from features.engine import Engine

_USE = Facts("usage_events", at="occurred_at")
_BY_EVENT = replace(_USE, uses=("event",))


def _feature(name: str, recipe: Recipe, days: int | None, missing: Missing) -> Feature:
    return Feature(
        "bench", name, recipe, Unit.ITEMS, name, f"{name}.", Text(name), missing, None, days
    )


def declared() -> tuple[tuple[str, Feature], ...]:
    """Give the benchmark's features, each with the name of its column in the other forms."""
    users = Distinct(Facts("usage_events", "occurred_at", uses=("user_id",)), "user_id")
    zero, unknown = Missing.ZERO, Missing.UNKNOWN
    chosen = [(f"events_{d}d", _feature("events", Total(_USE), d, zero)) for d in WINDOWS]
    chosen += [(f"users_{d}d", _feature("users", users, d, zero)) for d in WINDOWS]
    kinds = Distinct(_BY_EVENT, "event")
    chosen += [("event_types_90d", _feature("types", kinds, 90, zero))]
    for event in EVENTS:
        total = Total(replace(_BY_EVENT, where=nw.col("event") == event))
        chosen += [(f"{event}_28d", _feature(event, total, 28, zero))]
    last = Extreme(_USE, nw.col("at_day"), "max", since=True)
    chosen += [("days_since_last_event", _feature("last", last, None, unknown))]
    chosen += [("before_28d", _feature("before", Total(_USE, back=1), 28, zero))]
    change = Formula(("bench__events__28d", "bench__before__28d"), relative_change)
    return (*chosen, ("trend", _feature("trend", change, None, unknown)))


def checked_log(log: Path) -> CheckedSource:
    """Take the log as the check leaves one."""
    end = datetime.combine(FIRST_DAY, datetime.min.time()) + pd.Timedelta(days=DAYS)
    return CheckedSource(
        folder=log.parent,
        columns=MappingProxyType(
            {"usage_events": ("account_id", "user_id", "occurred_at", "event")}
        ),
        extracted_at=end,
        extracted_at_is_guess=False,
        currency=None,
        stable_columns=frozenset(),
        fingerprint="",
        counts=MappingProxyType({}),
        findings=(),
        quarantine=None,
    )


def by_engine(
    log: Path, accounts: Accounts, as_ofs: AsOfs, *, engine: Engine, fold: bool | None = None
) -> pd.DataFrame:
    """Build the feature table of every account at every snapshot."""
    points = pd.MultiIndex.from_product([accounts, as_ofs], names=["account_id", "as_of"])
    chosen = declared()
    states = points.to_frame(index=False).astype({"as_of": "datetime64[us]"})
    features = [feature for _, feature in chosen]
    table = feature_table(checked_log(log), states, engine=engine, features=features, fold=fold)
    return table.rename(columns={feature.column: name for name, feature in chosen})


def on_duckdb(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Build on the default engine."""
    return by_engine(log, accounts, as_ofs, engine=Engine.DUCKDB)


def on_polars(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Build on Polars."""
    return by_engine(log, accounts, as_ofs, engine=Engine.POLARS)


def as_defined_on_duckdb(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Build on the default engine without the fold."""
    return by_engine(log, accounts, as_ofs, engine=Engine.DUCKDB, fold=False)


def as_defined_on_polars(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Build on Polars without the fold."""
    return by_engine(log, accounts, as_ofs, engine=Engine.POLARS, fold=False)


def as_defined_on_spark(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Build on Spark, in local mode."""
    return by_engine(log, accounts, as_ofs, engine=Engine.SPARK)
