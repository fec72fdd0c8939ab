"""The few figures of a feature row that a person asks for first, as the catalogue words them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

SHOWN = (
    "usage__active_users__28d",
    "usage__days_since_last_event",
    "support__open_tickets",
    "support__open_urgent_tickets",
    "billing__days_overdue",
    "lifecycle__days_to_term_end",
    "lifecycle__seats",
)


def recent_signals(table: pd.DataFrame, catalogue: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Pick the signals of each row.

    Parameters
    ----------
    table:
        Feature table of one date.
    catalogue:
        Entries of `features.catalog.catalog_json`.

    Returns
    -------
    pandas.DataFrame
        account_id and signals: a list of {feature, description, unit, value} a row, without
        the features that the table does not have or that are null in that row.
    """
    entries = {entry["column"]: entry for entry in catalogue}
    shown = [name for name in SHOWN if name in entries and name in table]
    signals = [
        [
            _signal(entries[name], value)
            for name, value in zip(shown, values, strict=True)
            if pd.notna(value)
        ]
        for values in table[shown].itertuples(index=False, name=None)
    ]
    return pd.DataFrame({"account_id": table["account_id"].to_numpy(), "signals": signals})


def _signal(entry: Mapping[str, Any], value: float) -> dict[str, Any]:
    return {
        "feature": entry["column"],
        "description": entry["description"],
        "unit": entry["unit"],
        "value": float(value),
    }
