"""Discrete time: a row of an account at a date becomes one row per interval of the question.

The hazard of interval k is P(event in k | none before k). For expansion it is the subdistribution
hazard of Fine and Gray (1999): an account that churned first stays at risk without an event, so
that one minus the product of the complements is the cumulative incidence, with churn competing.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.question import Question

TERM_END = "lifecycle__days_to_term_end"
TERM_MONTHS = "lifecycle__term_months"
COVARIATES = ("interval__number", "interval__term_ends", "interval__days_to_term_end")
DAYS_PER_MONTH = 365.25 / 12

Floats = NDArray[np.float64]


def covariates(question: Question, days_to_term_end: Floats, term_months: Floats) -> Floats:
    """Describe each interval for each row: which one, and how the signed terms fall into it.

    Parameters
    ----------
    question
        Gives the intervals.
    days_to_term_end
        Days from ``as_of`` to the end of the signed term, shape (n,); NaN without a term.
    term_months
        Length of the term in months, shape (n,); NaN where unknown: then it ends only once.

    Returns
    -------
    Array of shape (n, intervals, 3): the interval's number, the count of term ends in it, and the
    days from its start to the first term end at or after that start (NaN where there is none).
    """
    borders = np.array([0, *question.horizons_days], dtype=float)
    starts = borders[:-1]
    first = days_to_term_end[:, None]
    length = np.where(term_months > 0, term_months, np.nan)[:, None] * DAYS_PER_MONTH
    before = _ends_before(borders, first, length)
    before_start = before[:, :-1]
    ends_within = before[:, 1:] - before_start
    next_end = np.where(before_start == 0, first, first + before_start * length)
    number = np.broadcast_to(np.arange(len(starts), dtype=float), ends_within.shape)
    return np.stack([number, ends_within, next_end - starts], axis=2)


def _ends_before(day: Floats, first: Floats, length: Floats) -> Floats:
    """Count the term ends before a day: the first one, then one each ``length`` days."""
    later = np.ceil((day - first) / np.where(np.isnan(length), np.inf, length))
    return np.where(np.isnan(first), np.nan, np.where(first < day, np.maximum(later, 1.0), 0.0))


def covariates_of(question: Question, days_to_term_end: float, term_months: float) -> Floats:
    """Give of one row what `covariates` gives of many, shape (1, intervals, 3), in less time."""
    first, borders = days_to_term_end, (0, *question.horizons_days)
    length = term_months * DAYS_PER_MONTH if term_months > 0 else math.nan
    counts = [_count_before(day, first, length) for day in borders]
    told = [
        (
            number,
            after - before,
            (first if before == 0 else first + before * length) - borders[number],
        )
        for number, (before, after) in enumerate(pairwise(counts))
    ]
    return np.array([told], dtype=np.float64)


def _count_before(day: float, first: float, length: float) -> float:
    if math.isnan(first):
        return math.nan
    if first >= day:
        return 0.0
    ends = 0.0 if math.isnan(length) else (day - first) / length
    return ends if math.isinf(ends) else max(math.ceil(ends), 1.0)


def matrix(features: NDArray[np.float32], interval_covariates: Floats) -> NDArray[np.float32]:
    """Lay features (n, p) and covariates (n, k, 3) out as rows (n * k, p + 3), row by row."""
    rows, count, described = interval_covariates.shape
    width = features.shape[1]
    cells = np.empty((rows, count, width + described), dtype=np.float32)
    cells[:, :, :width] = features[:, None, :]
    cells[:, :, width:] = interval_covariates
    return cells.reshape(rows * count, width + described)


def at_risk(question: Question, event_days: Floats, known_days: Floats) -> NDArray[np.bool_]:
    """Tell which intervals count for which row, shape (n, intervals).

    An interval counts when it is known to its end, whatever happened early in it, and no event
    came before its start. ``known_days`` are the days after ``as_of`` whose outcome is known.
    """
    starts, ends = np.array(question.intervals_days, dtype=float).T
    before = np.where(np.isnan(event_days), np.inf, event_days)[:, None]
    return np.asarray((before >= starts) & (known_days[:, None] >= ends))


def happened_in(question: Question, event_days: Floats) -> NDArray[np.bool_]:
    """Tell in which interval the event came, shape (n, intervals); all False without one."""
    starts, ends = np.array(question.intervals_days, dtype=float).T
    days = event_days[:, None]
    return np.asarray((days >= starts) & (days < ends))


def cumulative(hazards: Floats) -> Floats:
    """P(event within each horizon) from hazards (n, intervals); never falls along a row."""
    return np.asarray(1.0 - np.cumprod(1.0 - hazards, axis=1), dtype=np.float64)
