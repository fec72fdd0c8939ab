"""Why the log odds of rows are what they are: effects by interval become effects at a horizon."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import intervals

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """Why the log odds of rows are what they are: ``effects.sum(axis=1) + baseline == log_odds``.

    Attributes
    ----------
    effects
        Shape (n, features) in calibrated log odds, averaged over the horizon's intervals by their
        share of the hazard; what the intervals say of term ends is part of days to term end.
    baseline, log_odds
        Shape (n,): the starting point and the sum.
    """

    effects: Floats
    baseline: Floats
    log_odds: Floats


def explained(parts: Floats, log_odds: Floats, slope: float, features: Sequence[str]) -> Explained:
    """Average what the columns add in each interval by the intervals' shares of the hazard.

    Parameters
    ----------
    parts
        Shape (n, intervals, columns + 1): what each column adds to the raw log odds, and last what
        they start from. The columns are the features and the interval covariates.
    log_odds
        Calibrated, shape (n, intervals).
    slope
        The calibration's.
    """
    hazards = 1.0 / (1.0 + np.exp(-log_odds))
    share = hazards / hazards.sum(axis=1, keepdims=True)
    effects = np.einsum("nk,nkp->np", share, parts) * slope
    own = effects[:, : len(features)].copy()
    if intervals.TERM_END in features:
        at = list(features).index(intervals.TERM_END)
        own[:, at] += effects[:, len(features) + 1 : -1].sum(axis=1)
    whole = (share * log_odds).sum(axis=1)
    return Explained(own, whole - own.sum(axis=1), whole)


def nothing_explained(features: Sequence[str]) -> Explained:
    """Explain no rows."""
    return Explained(np.empty((0, len(features))), np.empty(0), np.empty(0))
