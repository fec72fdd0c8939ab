"""Which accounts there are at a snapshot, and in what state."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType

import narwhals as nw
import pandas as pd

from features.checked import CheckedSource
from features.declare import FIXED, Feature, Recipe, Text, Total, Unit
from features.engine import Engine, Session, session
from features.errors import TenureError
from features.families import lifecycle, revenue
from features.grid import grid
from features.groups import members_over_time
from features.measure import measure
from features.rows import reader
from features.windows import Rows, day_number, is_seen

_TERM_END = "term_end_day"
_UNLESS_TOLD: Mapping[str, tuple[tuple[str, ...], nw.Expr]] = MappingProxyType(
    {
        "asked_to_cancel": (("cancel_requested_at",), nw.lit(0, nw.Int64)),
        _TERM_END: (("renews_at", "term_months"), nw.lit(None, nw.Int64)),
        "term_months": (("term_months",), nw.lit(None, nw.Int64)),
    }
)
"""The columns of subscriptions that alone tell something, and what it is without them."""


def account_states(
    source: CheckedSource,
    dates: Iterable[date | datetime],
    *,
    engine: Engine = Engine.DUCKDB,
) -> pd.DataFrame:
    """Give each account's state just before 00:00 UTC of each date.

    Returns
    -------
    pandas.DataFrame
        One row for each account known at the date, sorted by as_of, account_id: account_id, as_of,
        status ("active", "leaving", "inactive", "no_data"), mrr (currency per month),
        customer_group (the topmost parent known at as_of), term_ends_at (the earliest end of a
        running signed term, NaT if none), term_months (the shortest running one, NaN if none).
        From the merge on, the vanished account has no row.

    Raises
    ------
    TenureError
        When a date has a time of day, or the engine is not installed.
    """
    with session(engine) as running:
        return _states(running.collect(state_rows(source, dates, running)))


def state_rows(source: CheckedSource, dates: Iterable[date | datetime], running: Session) -> Rows:
    """Give what `account_states` gives as rows of an engine, laid out and measured there.

    Returns
    -------
    Rows
        In no order: account_id, as_of_day, customer_group, status; mrr in ten-thousandths,
        term_end_day, term_months, and what the status hangs on.

    Raises
    ------
    TenureError
        When a date has a time of day, or there is none.
    """
    days = sorted(set(snapshot_days(dates)))
    if not days:
        raise TenureError("Expected dates of snapshots, got none. Name one.")
    spans = members_over_time(source)
    accounts = sorted(set(spans["account_id"].to_pylist()))
    on = grid(accounts, days, running)
    columns = {name: spans[name] for name in spans.column_names}
    standing = on.points.join(running.frame(columns, spans.schema), on="account_id")
    points = standing.filter(is_seen("enters", "leaves"))
    points = points.select("account_id", "as_of_day", "customer_group")
    contract = _contract(source)
    measured = measure(contract, reader(source, contract, running), on, points)
    told = {feature.name: nw.col(feature.column) for feature in contract}
    untold = {name: value for name, (_, value) in _UNLESS_TOLD.items()}
    states = measured.select("account_id", "as_of_day", "customer_group", **(untold | told))
    return states.with_columns(status=_status())


def snapshot_days(dates: Iterable[date | datetime]) -> list[int]:
    """Give the day numbers of snapshots, which stand at midnight.

    Raises
    ------
    TenureError
        When one of them has a time of day.
    """
    moments = [pd.Timestamp(moment) for moment in dates]
    for moment in moments:
        if moment != moment.normalize():
            raise TenureError(
                f"Expected snapshots at 00:00 UTC, got {moment}. Give dates without a time of day."
            )
    return [day_number(moment.to_pydatetime()) for moment in moments]


def _contract(source: CheckedSource) -> tuple[Feature, ...]:
    """Give what a state is made of, but not what no column of this source tells of."""
    pages = (*lifecycle.FEATURES, *revenue.FEATURES)
    of = {feature.column: feature.recipe for feature in pages}
    recipes: dict[str, Recipe] = {
        "mrr": of["lifecycle__mrr"],
        "running": Total(lifecycle.RUNNING),
        "asked_to_cancel": Total(lifecycle.CANCELLING),
        "started": Total(lifecycle.STARTED),
        _TERM_END: lifecycle.TERM_END,
        "term_months": replace(lifecycle.TERM_END, value=nw.col("term_months")),
    }
    present = source.columns["subscriptions"]
    for name, (columns, _) in _UNLESS_TOLD.items():
        if not any(column in present for column in columns):
            del recipes[name]
    return tuple(
        Feature("state", name, recipe, Unit.ITEMS, name, name, Text(name))
        for name, recipe in recipes.items()
    )


def _status() -> nw.Expr:
    is_paying = nw.col("mrr") > 0
    all_asked = nw.col("asked_to_cancel") >= nw.col("running")
    has_paid = nw.when(nw.col("started") > 0).then(nw.lit("inactive")).otherwise(nw.lit("no_data"))
    paying = nw.when(is_paying).then(nw.lit("active")).otherwise(has_paid)
    return nw.when(is_paying & all_asked).then(nw.lit("leaving")).otherwise(paying)


def _states(measured: pd.DataFrame) -> pd.DataFrame:
    term_end = pd.to_datetime(measured[_TERM_END], unit="D").astype("datetime64[us]")
    states = pd.DataFrame(
        {
            "account_id": measured["account_id"],
            "as_of": pd.to_datetime(measured["as_of_day"], unit="D").astype("datetime64[us]"),
            "status": measured["status"],
            "mrr": measured["mrr"].astype("float64") / FIXED,
            "customer_group": measured["customer_group"],
            "term_ends_at": term_end,
            "term_months": measured["term_months"].astype("float64"),
        }
    )
    return states.sort_values(["as_of", "account_id"], ignore_index=True)
