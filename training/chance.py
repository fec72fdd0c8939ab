"""An AUC, and how far it lies from one half by chance, where a customer brings many rows."""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEWEST_CUSTOMERS = 10


def auc_beyond_chance(
    values: Floats, outcome: Floats, customers: NDArray[np.object_], *, of: int
) -> tuple[float, float] | None:
    """Give the bounds within which the AUC of values for a known outcome lies, at 95 %.

    The variance is DeLong's, summed by customer, as rows of one are alike (Obuchowski 1997,
    "Nonparametric analysis of clustered ROC curve data", Biometrics 53, equations 2 and 3). The
    bounds are Student's, with a degree of freedom for each customer of the rarer kind but one, and
    corrected for so many features looked at (Bonferroni): with chance alone, all `of` of them lie
    within theirs in 95 of 100 profiles or more, on either side.

    Parameters
    ----------
    values, outcome
        One for each row; outcomes are 0 or 1. Ties count half.
    customers
        Whose row it is.
    of
        How many features are looked at.

    Returns
    -------
    tuple of float or None
        None with fewer than ten customers with the outcome, or without it.
    """
    came = outcome == 1
    events, others = values[came], values[~came]
    _, codes = np.unique(customers, return_inverse=True)
    with_event, without = (len(np.unique(codes[kind])) for kind in (came, ~came))
    fewest = min(with_event, without)
    if fewest < FEWEST_CUSTOMERS:
        return None
    above, below = _placed(events, others), 1 - _placed(others, events)
    auc = above.mean()
    count = int(codes.max()) + 1
    of_events = np.bincount(codes[came], above - auc, count) / len(events)
    of_others = np.bincount(codes[~came], below - auc, count) / len(others)
    variance = (
        with_event / (with_event - 1) * (of_events**2).sum()
        + without / (without - 1) * (of_others**2).sum()
        + 2 * count / (count - 1) * (of_events * of_others).sum()
    )
    reach = _student(0.025 / of, fewest - 1) * np.sqrt(max(variance, 0.0))
    return float(auc - reach), float(auc + reach)


def auc(values: NDArray[Any], outcome: NDArray[np.bool_]) -> float:
    """Give the share of pairs, one with the outcome and one without, that values put in order.

    Ties count half; there must be rows of both kinds.
    """
    return float(_placed(values[outcome], values[~outcome]).mean())


def _placed(ones: NDArray[Any], among: NDArray[Any]) -> Floats:
    """Give, for each value, the share of the others that lie below it, ties counting half."""
    ordered = np.sort(among)
    low = np.searchsorted(ordered, ones, side="left")
    high = np.searchsorted(ordered, ones, side="right")
    return np.asarray((low + high) / (2 * len(among)))


def _student(share_above: float, freedom: int) -> float:
    """Give what so small a share of Student's distribution lies above.

    By its expansion around the normal one (Abramowitz and Stegun 1964, 26.7.5).
    """
    z = NormalDist().inv_cdf(1 - share_above)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
