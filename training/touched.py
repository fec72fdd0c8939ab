"""The team's own answer: which rows customer success had touched, and what share of all."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import feature_table
from features.catalog import available
from features.checked import CheckedSource

Floats = NDArray[np.float64]

DAYS = 90
COUNTED = f"touches__touches__{DAYS}d"
KEYS = ["account_id", "as_of"]


def touched(source: CheckedSource, rows: pd.DataFrame) -> Floats:
    """Say whether customer success had touched each account in the 90 days before its date.

    A touch that an experiment held back is none. What was done after the date plays no part: an
    account that leaves early can be touched no more, so that rows "not touched afterwards" would
    gather the losses, whatever a touch does.

    Parameters
    ----------
    rows
        One row per account and date, with account_id and as_of.

    Returns
    -------
    1 or 0, shape (n,); NaN where the source has no touches, so that nobody can tell.
    """
    found = [each for each in available(source, touches=True) if each.column == COUNTED]
    if not found:
        return np.full(len(rows), np.nan)
    table = feature_table(source, rows[KEYS], features=found)
    counts = rows[KEYS].merge(table, on=KEYS, how="left", validate="many_to_one")[COUNTED]
    return (counts.to_numpy(dtype=float) > 0).astype(float)


def touched_share(source: CheckedSource, rows: pd.DataFrame) -> float | None:
    """Give the share of rows that were touched, 0 to 1; None where the source does not tell."""
    is_touched = touched(source, rows)
    return float(is_touched.mean()) if np.isfinite(is_touched).any() else None


def told(share: float | None) -> Iterator[str]:
    """Say what that share means for whoever reads the figures; nothing where it is unknown."""
    if share is not None:
        yield (
            f"Customer success had touched {share:.0%} of the rows in the {DAYS} days before: what "
            "came of those is in part the team's own doing."
        )
