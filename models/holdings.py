"""Which products each account paid for at a date, by what was known then."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd

from features.build import feature_rows, feature_table
from features.checked import CheckedSource
from features.declare import Facts, Feature, Text, Total, Unit
from features.engine import Cluster, Engine
from features.grid import grid
from features.windows import Rows

_PAID = Facts("subscriptions", at="started_at", until="ended_at", uses=("mrr", "product"))


def held(source: CheckedSource, states: pd.DataFrame, products: Sequence[str]) -> pd.DataFrame:
    """Give what each account pays for just before 00:00 UTC of each date.

    Built as features are: a row counts from when it was known, and with the account that its own
    was merged into.

    Parameters
    ----------
    states
        account_id and as_of; of rows with a status only the active ones count.
    products
        The names to look for.

    Returns
    -------
    One row per account and date: account_id, as_of, held (a tuple of names, in their order).
    """
    table = feature_table(source, states, features=_sums(products))
    return table[["account_id", "as_of"]].assign(held=held_in(table, products))


def held_rows(
    source: CheckedSource, states: Rows, day: int, products: Sequence[str], running: Cluster
) -> Rows:
    """Measure on a cluster what the active accounts of one date pay for; `held_in` reads it.

    Parameters
    ----------
    states
        `features.spine.state_rows` of that date.
    day
        The date, as `features.spine.snapshot_days` numbers it.
    """
    points = states.filter(nw.col("status") == "active").select("account_id", "as_of_day")
    accounts = sorted(running.collect(points.select("account_id"))["account_id"])
    on = grid(accounts, [day], running)
    return feature_rows(source, points, on, _sums(products), running, engine=Engine.SPARK)


def held_in(table: pd.DataFrame, products: Sequence[str]) -> "pd.Series[Any]":
    """Give the tuples of names that rows measured for these products pay for."""
    found = pd.Series([()] * len(table), index=table.index, dtype=object)
    for name, paid in zip(products, _sums(products), strict=True):
        pays = (table[paid.column] > 0).to_numpy()
        found[pays] = [(*names, name) for names in found[pays]]
    return found


def _sums(products: Sequence[str]) -> list[Feature]:
    return [
        Feature(
            "held",
            f"product_{number}",
            Total(replace(_PAID, where=nw.col("product") == name), nw.col("mrr")),
            Unit.MONEY_PER_MONTH,
            name,
            name,
            Text(name),
        )
        for number, name in enumerate(products)
    ]


def names_of(source: CheckedSource) -> tuple[str, ...]:
    """Give the names of a source's products, in their order."""
    return tuple(sorted(map(str, source.read("subscriptions")["product"].dropna().unique())))
