"""What the accounts of the last dates before a border had: what others are compared with."""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.peers import TENTHS, Peers, Tails

Floats = NDArray[np.float64]

DATES = 3
"""So many dates: a season of one of them should not stand for the year."""
FEWEST_ROWS = 50
"""Of fewer accounts a tenth is too few to speak of."""


def peers_of(rows: pd.DataFrame, features: Sequence[str], border: datetime) -> Peers:
    """Give where a tenth and a fifth of accounts lie, by feature that is a number and varies.

    Parameters
    ----------
    rows
        Features, one row per account and date.
    features
        Their columns.
    border
        Only the last dates before it count.

    Returns
    -------
    Peers
        About no feature with fewer than 50 rows.
    """
    before = rows.loc[rows["as_of"] < border, "as_of"]
    last = rows[rows["as_of"].isin(before.drop_duplicates().nlargest(DATES))]
    if len(last) < FEWEST_ROWS:
        return Peers(MappingProxyType({}))
    numbers = [name for name in features if pd.api.types.is_numeric_dtype(last[name])]
    found = {name: _tails(last[name].to_numpy(dtype=float, na_value=np.nan)) for name in numbers}
    return Peers(MappingProxyType({name: tails for name, tails in found.items() if tails}))


def _tails(values: Floats) -> Tails | None:
    """Give the bounds; None where all values are one, or too many are missing for any bound."""
    if len(np.unique(values[~np.isnan(values)])) < 2:  # noqa: PLR2004 - of one value nothing is far out
        return None
    # A missing value is on neither side: it counts as below what is low, and as above what is high.
    rising = np.sort(np.where(np.isnan(values), -np.inf, values))
    falling = np.sort(np.where(np.isnan(values), np.inf, values))[::-1]
    places = [len(values) * (10 - tenths) // 10 for tenths in TENTHS]
    low9, low8 = (_bound(rising[place]) for place in places)
    high9, high8 = (_bound(falling[place]) for place in places)
    bounds = low9, low8, high8, high9
    return bounds if any(bound is not None for bound in bounds) else None


def _bound(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
