"""Calibration: a line in the log odds, fitted on a later slice than the booster.

Platt's recalibration, logit(h) = a + d_k + b * raw, one offset d_k per interval. Normal priors
draw a and d_k to 0 and b to 1: an interval that the slice hardly shows takes the shared line, and
an empty slice changes nothing.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration, identity

Floats = NDArray[np.float64]

INTERCEPT_SD = 1.0
OFFSET_SD = 0.25
SLOPE_SD = 0.25
SLOWEST_SLOPE = 0.05
_HELD_SD = 1e-4
_STEPS = 50
_TINY = 1e-9


def calibrate(
    raw: Floats,
    counts: NDArray[np.bool_],
    happened: NDArray[np.bool_],
    slope: float | None = None,
) -> Calibration:
    """Fit the calibration of raw log odds.

    Parameters
    ----------
    raw
        Raw log odds, shape (n, intervals): of rows that the booster was not fitted on, where the
        slope is to be found.
    counts
        Which of them have a known outcome, same shape.
    happened
        Whether the event came in the interval, same shape.
    slope
        Held as it is, where it is given: only the intercepts are fitted.
    """
    row, interval = counts.nonzero()
    if not len(row):
        return replace(identity(raw.shape[1]), slope=slope or 1.0)
    design = np.zeros((len(row), raw.shape[1] + 2))
    design[:, 0] = 1.0
    design[np.arange(len(row)), 1 + interval] = 1.0
    design[:, -1] = raw[row, interval]
    prior = np.zeros(design.shape[1])
    prior[-1] = 1.0 if slope is None else slope
    precision = np.full(design.shape[1], OFFSET_SD**-2)
    precision[0] = INTERCEPT_SD**-2
    precision[-1] = (SLOPE_SD if slope is None else _HELD_SD) ** -2
    found = logistic_map(design, happened[row, interval].astype(float), prior, precision)
    intercepts = tuple(float(found[0] + offset) for offset in found[1:-1])
    return Calibration(intercepts, slope or max(float(found[-1]), SLOWEST_SLOPE))


def logistic_map(
    design: Floats,
    outcomes: Floats,
    prior: Floats,
    precision: Floats,
    weights: Floats | None = None,
) -> Floats:
    """Give the logistic coefficients of highest posterior density, by damped Newton steps.

    Parameters
    ----------
    design, outcomes
        Shapes (n, p) and (n,); outcomes 0 or 1.
    prior, precision
        Mean and inverse variance of independent normal priors, shape (p,).
    weights
        How many rows each row counts as, shape (n,); 1 by default.
    """
    found = prior.copy()
    counts = np.ones(len(outcomes)) if weights is None else weights

    def density(at: Floats) -> float:
        line = design @ at
        fit = (counts * (outcomes * line - np.logaddexp(0.0, line))).sum()
        return float(fit - 0.5 * (precision * (at - prior) ** 2).sum())

    height = density(found)
    for _ in range(_STEPS):
        odds = 1.0 / (1.0 + np.exp(-(design @ found)))
        slope = design.T @ (counts * (outcomes - odds)) - precision * (found - prior)
        curve = (design.T * (counts * odds * (1 - odds))) @ design + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        higher = density(found + step)
        while higher < height - _TINY and np.abs(step).max() > _TINY:
            step /= 2
            higher = density(found + step)
        found, height = found + step, higher
        if np.abs(step).max() < _TINY:
            break
    return found
