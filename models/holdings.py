"""Which products each account paid for at a date, by what was known then."""

from collections.abc import Sequence
from dataclasses import replace

import narwhals as nw
import pandas as pd

from features.build import feature_table
from features.checked import CheckedSource
from features.declare import Facts, Feature, Text, Total, Unit

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
    asked = [
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
    table = feature_table(source, states, features=asked)
    found = pd.Series([()] * len(table), index=table.index, dtype=object)
    for name, feature in zip(products, asked, strict=True):
        pays = (table[feature.column] > 0).to_numpy()
        found[pays] = [(*names, name) for names in found[pays]]
    return table[["account_id", "as_of"]].assign(held=found)


def names_of(source: CheckedSource) -> tuple[str, ...]:
    """Give the names of a source's products, in their order."""
    return tuple(sorted(map(str, source.read("subscriptions")["product"].dropna().unique())))
