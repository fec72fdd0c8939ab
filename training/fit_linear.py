"""Fitting a linear hazard: a logistic regression whose weights a normal prior draws to 0."""

import numpy as np
from numpy.typing import NDArray

from models.intervals import COVARIATES
from models.linear import Linear, compressed, standardised
from training.calibrate import logistic_map
from training.fit import HazardRows, LinearParams

Floats = NDArray[np.float64]

INTERCEPT_SPREAD = 10.0
INTERVAL_SPREAD = 1.0
_SMALLEST_SPREAD = 1e-9


def fit_linear(known: HazardRows, params: LinearParams) -> Linear:
    """Fit a linear model of the hazard.

    Parameters
    ----------
    known
        Rows by interval, their last columns those of the interval: these are few and bear much of
        the hazard, so that they are hardly drawn to 0.
    params
        How strongly the others are.
    """
    missing = np.isnan(known.cells)
    there = known.weights[:, None] * ~missing
    absent_shares = known.weights @ missing / known.weights.sum()
    centres, spreads = placed(known.cells, there)
    varies = missing.any(axis=0) & ~missing.all(axis=0)
    features = len(centres) - len(COVARIATES)
    spread = np.full(len(centres), params.spread / np.sqrt(max(features, 1)))
    spread[-len(COVARIATES) :] = INTERVAL_SPREAD
    parts = (
        np.ones((len(known.cells), 1)),
        standardised(known.cells, centres, spreads),
        missing[:, varies] - absent_shares[varies],
    )
    precision = np.concatenate([[INTERCEPT_SPREAD], spread, spread[varies]]) ** -2.0
    prior = np.zeros(len(precision))
    prior[0] = _log_odds(known)
    found = logistic_map(np.hstack(parts), known.outcomes, prior, precision, known.weights)
    absent = np.zeros(len(centres))
    absent[varies] = found[len(centres) + 1 :]
    per_column = (centres, spreads, found[1 : len(centres) + 1], absent, absent_shares)
    return Linear(float(found[0]), *(tuple(map(float, each)) for each in per_column))


def placed(cells: NDArray[np.float32], there: Floats) -> tuple[Floats, Floats]:
    """Give mean and standard deviation of each compressed column of cells (n, columns).

    `there` holds the weight of each cell, 0 where it is missing.
    """
    values = np.nan_to_num(compressed(cells))
    counts = np.maximum(there.sum(axis=0), 1e-12)
    centres = (there * values).sum(axis=0) / counts
    spreads = np.sqrt((there * (values - centres) ** 2).sum(axis=0) / counts)
    # A column of one value tells nothing apart: all its rows lie at the centre.
    return centres, np.where(spreads > _SMALLEST_SPREAD, spreads, 1.0)


def _log_odds(known: HazardRows) -> float:
    events = (known.weights * known.outcomes).sum()
    return float(np.log((events + 0.5) / (known.weights.sum() - events + 0.5)))
