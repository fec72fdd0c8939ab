"""A linear model of the hazard, as numbers: what a company with few events is scored by."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FARTHEST = 4.0
"""No value counts as farther from its column's centre than so many spreads."""


@dataclass(frozen=True)
class Linear:
    """Log odds that are a sum over columns: one weight for a value, one for its absence.

    A value v counts as sign(v) * ln(1 + |v|), less the column's centre, over its spread, and at
    most four spreads away. Where it is missing, the weight of absence counts instead.

    Attributes
    ----------
    intercept
        Log odds of a row whose columns are all as they are on average.
    centres, spreads
        Mean and standard deviation of each compressed column where it is there; spreads above 0.
    weights
        Log odds per spread.
    absent
        Log odds of a missing value, less those of one that is there and at the centre.
    absent_shares
        Share of rows in which the column is missing.
    """

    intercept: float
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    absent: tuple[float, ...]
    absent_shares: tuple[float, ...]

    def __post_init__(self) -> None:
        columns = {name: len(getattr(self, name)) for name in _PER_COLUMN}
        if len(set(columns.values())) > 1 or min(self.spreads, default=1.0) <= 0:
            msg = f"Expected numbers for the same columns and spreads above 0, got {columns}."
            raise ValueError(msg)

    def log_odds(self, cells: NDArray[np.float32]) -> Floats:
        """Give the log odds of rows (n, columns), shape (n,); NaN is missing."""
        return np.asarray(self.intercept + self.effects(cells).sum(axis=1))

    def effects(self, cells: NDArray[np.float32]) -> Floats:
        """Give what each column adds to the intercept, shape (n, columns).

        They are exact: with the intercept they are the log odds. On the rows that the model
        learned from each column's mean is 0, up to the limit of four spreads.
        """
        placed = standardised(cells, np.array(self.centres), np.array(self.spreads))
        missing = np.isnan(cells) - np.array(self.absent_shares)
        return np.asarray(placed * np.array(self.weights) + missing * np.array(self.absent))

    def to_text(self) -> str:
        """Write the numbers as JSON; the same numbers give the same text."""
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"


def linear_from_json(fields: Mapping[str, Any]) -> Linear:
    """Rebuild a linear model from the JSON object of its fields."""
    numbers = {name: tuple(map(float, fields[name])) for name in _PER_COLUMN}
    return Linear(intercept=float(fields["intercept"]), **numbers)


_PER_COLUMN = ("centres", "spreads", "weights", "absent", "absent_shares")


def compressed(cells: NDArray[np.float32]) -> Floats:
    """Take the signed logarithm: counts and money span orders of magnitude."""
    wide = cells.astype(np.float64)
    return np.asarray(np.sign(wide) * np.log1p(np.abs(wide)))


def standardised(cells: NDArray[np.float32], centres: Floats, spreads: Floats) -> Floats:
    """Give cells in spreads from their centre, at most four; 0 where they are missing."""
    placed = np.clip((compressed(cells) - centres) / spreads, -FARTHEST, FARTHEST)
    return np.asarray(np.where(np.isnan(cells), 0.0, placed))
