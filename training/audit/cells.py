"""A column cut into cells, and rows judged by those of their cell in other folds."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.ready import numbers_in

NULL = -1
BINS = 20


def cells_of(column: pd.Series) -> NDArray[np.int64]:
    """Give the cell of each row: levels, or quantile bins of a number; nulls are -1."""
    numbers = numbers_in(column)
    if numbers is None:
        return pd.factorize(column)[0].astype(np.int64)
    values = numbers.to_numpy(float)
    filled = np.isfinite(values)
    levels = np.unique(values[filled])
    if len(levels) > BINS:
        levels = np.unique(np.quantile(values[filled], np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(filled, np.searchsorted(levels, values, side="right"), NULL).astype(np.int64)


def judged_by_other_folds(
    cell: NDArray[np.int64], hit: NDArray[np.bool_], fold: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the share of hits in the row's cell over the other folds, less that in all their rows.

    Less it, as the folds' base rates differ, which alone would rank rows.
    """
    code = cell - cell.min()
    at = np.unique(fold, return_inverse=True)[1]
    shape = int(at.max()) + 1, int(code.max()) + 1
    place = np.ravel_multi_index((at, code), shape)
    rows = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
    hits = np.bincount(place, weights=hit, minlength=rows.size).reshape(shape)
    rows, hits = rows.sum(axis=0) - rows, hits.sum(axis=0) - hits
    base = hits.sum(axis=1, keepdims=True) / rows.sum(axis=1, keepdims=True)
    # One row's weight of the base rate: a cell never seen says nothing.
    return np.asarray(((hits + base) / (rows + 1) - base)[at, code])
