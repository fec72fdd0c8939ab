"""Which accounts there are at a snapshot, and in what state."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import date, datetime
from operator import attrgetter

import numpy as np
import pandas as pd

from features.checked import CheckedSource
from features.declare import FIXED, Feature, Recipe, Text, Total, Unit
from features.engine import Engine, session
from features.errors import TenureError
from features.families import lifecycle, revenue
from features.grid import grid
from features.groups import Membership, memberships
from features.measure import measure
from features.rows import reader
from features.windows import day_number

_TERM_END = "term_end_day"


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
    days = snapshot_days(dates)
    known = _known_accounts(source, sorted(set(days)))
    if known.empty:
        return _states(known.assign(**dict.fromkeys(_MEASURED, 0.0)))
    with session(engine) as running:
        on = grid(sorted(set(known["account_id"])), days, running)
        facts = reader(source, _contract(), running)
        measured = running.collect(measure(_contract(), facts, on, on.points))
    measured = measured.rename(columns={feature.column: feature.name for feature in _contract()})
    return _states(known.merge(measured, on=["account_id", "as_of_day"], how="left"))


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


_MEASURED = ("mrr", "running", "asked_to_cancel", "started", _TERM_END, "term_months")


def _contract() -> tuple[Feature, ...]:
    pages = (*lifecycle.FEATURES, *revenue.FEATURES)
    of = {feature.column: feature.recipe for feature in pages}
    recipes: dict[str, Recipe] = {
        "mrr": of["lifecycle__mrr"],
        "running": Total(lifecycle.RUNNING),
        "asked_to_cancel": Total(lifecycle.CANCELLING),
        "started": Total(lifecycle.STARTED),
        _TERM_END: lifecycle.TERM_END,
        "term_months": of["lifecycle__term_months"],
    }
    return tuple(
        Feature("state", name, recipe, Unit.ITEMS, name, name, Text(name))
        for name, recipe in recipes.items()
    )


def _states(measured: pd.DataFrame) -> pd.DataFrame:
    term_end = pd.to_datetime(measured[_TERM_END], unit="D").astype("datetime64[us]")
    is_paying = measured["mrr"].gt(0)
    all_asked = measured["asked_to_cancel"].ge(measured["running"])
    status = np.select(
        [is_paying & all_asked, is_paying, measured["started"].gt(0)],
        ["leaving", "active", "inactive"],
        default="no_data",
    )
    states = pd.DataFrame(
        {
            "account_id": measured["account_id"],
            "as_of": pd.to_datetime(measured["as_of_day"], unit="D").astype("datetime64[us]"),
            "status": status,
            "mrr": measured["mrr"].astype("float64") / FIXED,
            "customer_group": measured["customer_group"],
            "term_ends_at": term_end,
            "term_months": measured["term_months"].astype("float64"),
        }
    )
    return states.sort_values(["as_of", "account_id"], ignore_index=True)


def _known_accounts(source: CheckedSource, days: list[int]) -> pd.DataFrame:
    """Give account_id, as_of_day and customer_group of the accounts there are on each day."""
    names = [field.name for field in fields(Membership)]
    members = pd.DataFrame(map(attrgetter(*names), memberships(source)), columns=names)
    seen = [
        members[members["enters"].le(day) & members["leaves"].gt(day)].assign(as_of_day=day)
        for day in days
    ]
    return pd.concat([members.head(0).assign(as_of_day=0), *seen], ignore_index=True)[
        ["account_id", "as_of_day", "customer_group"]
    ]
