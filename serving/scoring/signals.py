"""Figures of a feature row that a person asks for first, and sharp changes in them, in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.catalog import sentence

SHOWN = (
    "usage__active_users__28d",
    "usage__days_since_last_event",
    "support__open_tickets",
    "support__open_urgent_tickets",
    "billing__days_overdue",
    "lifecycle__days_to_term_end",
    "lifecycle__seats",
)


@dataclass(frozen=True)
class Sharp:
    """A change that is worth a look before a model counts it as risk.

    Attributes
    ----------
    kind
        What happened.
    columns
        The features that tell; the first that is not null does.
    least
        From where on it is sharp; one below 0 counts downwards.
    is_beyond_others
        Whether it has to be that sharp beyond what the middle account did: a week in which all
        customers rest tells nothing of one of them.
    """

    kind: str
    columns: tuple[str, ...]
    least: float
    is_beyond_others: bool = False

    def of(self, row: Mapping[str, Any], bounds: Mapping[str, float]) -> str | None:
        """Name the feature by which it happened in a row, None where it did not."""
        told = next((name for name in self.columns if pd.notna(row.get(name))), None)
        if told is None:
            return None
        least = bounds.get(told, self.least)
        is_there = row[told] <= least if self.least < 0 else row[told] >= least
        return told if is_there else None


SHARP = (
    Sharp("champion_left", ("people__champions_left__28d",), 1),
    Sharp("failed_payment", ("billing__failed_payments__28d",), 1),
    Sharp("outage", ("reliability__open_incidents",), 1),
    Sharp("outage", ("reliability__critical_outage_minutes__28d",), 1),
    # Per working day where the account's country is known: a holiday is no drop. The days around
    # one are working days by the calendar, and yet many take them off: hence beyond the others.
    Sharp(
        "drop_in_use",
        ("rhythm__pace_change__7d", "usage__week_against_month"),
        -0.5,
        is_beyond_others=True,
    ),
)
"""What `sharp_changes` looks for, the first of several first."""
FEWEST_OTHERS = 30
"""Of fewer accounts there is no middle to compare with."""
KINDS = tuple(dict.fromkeys(sharp.kind for sharp in SHARP))


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


def sharp_changes(table: pd.DataFrame, catalogue: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Find what changed sharply of late, whether or not a model counts it as risk.

    Parameters
    ----------
    table, catalogue
        As `recent_signals` takes them.

    Returns
    -------
    pandas.DataFrame
        One row per account of which something did: account_id, signal (the first one's kind) and
        signal_text, a sentence for each kind.
    """
    entries = {entry["column"]: entry for entry in catalogue}
    told, bounds = [], _bounds(table)
    for row in table.to_dict("records"):
        found = _sharp_in(row, entries, bounds)
        if found:
            said = " ".join(f"{text.rstrip('.')}." for text in found.values())
            told.append((row["account_id"], next(iter(found)), said))
    return pd.DataFrame(told, columns=["account_id", "signal", "signal_text"], dtype=object)


def _bounds(table: pd.DataFrame) -> dict[str, float]:
    """Give from where on a relative fall is sharp beyond the middle account's, by column."""
    bounds = {}
    falls = {name: each.least for each in SHARP if each.is_beyond_others for name in each.columns}
    for name, least in falls.items():
        if name in table and table[name].count() >= FEWEST_OTHERS:
            middle = min(float(table[name].median()), 0.0)
            # Where the middle account fell sharply itself, nobody's fall is a sign of its own.
            bounds[name] = (1 + least) * (1 + middle) - 1 if middle > least else -math.inf
    return bounds


def _sharp_in(
    row: Mapping[Any, Any], entries: Mapping[str, Mapping[str, Any]], bounds: Mapping[str, float]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for sharp in SHARP:
        column = sharp.of(row, bounds)
        if column is not None and column in entries:
            found.setdefault(sharp.kind, sentence(entries[column], row))
    return found


def _signal(entry: Mapping[str, Any], value: float) -> dict[str, Any]:
    return {
        "feature": entry["column"],
        "description": entry["description"],
        "unit": entry["unit"],
        "value": float(value),
    }
