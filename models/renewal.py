"""The probability to renew: what the churn probabilities say of the next end of the signed term.

An account has renewed when it has not churned by the end of the day on which its term ends. A
contract signed late, within the grace of churn, is a renewal; docs/definitions.md has the examples.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import intervals
from models.question import Question

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NextEnd:
    """The next end of the signed term of each row, shape (n,), and the interval that holds it.

    Attributes
    ----------
    days
        From ``as_of`` to the day of the end.
    interval
        Number of the interval, -1 without a term, or where it ends beyond the last horizon.
    ends
        How many ends of the term that interval holds.
    is_monthly
        Whether the term is a month, or shorter.
    """

    days: Floats
    interval: NDArray[np.intp]
    ends: Floats
    is_monthly: NDArray[np.bool_]


@dataclass(frozen=True)
class AtTermEnd:
    """How the losses of an interval lie in it: the share on the day of a term's end.

    The others lie evenly over the interval's days.

    Attributes
    ----------
    monthly, longer
        The share (0 to 1) among accounts on a term of a month, and on a longer one.
    """

    monthly: float
    longer: float

    def __post_init__(self) -> None:
        if not (0 <= self.monthly <= 1 and 0 <= self.longer <= 1):
            msg = f"Expected shares from 0 to 1, got {self.monthly} and {self.longer}."
            raise ValueError(msg)

    def renewal_probabilities(
        self, question: Question, probabilities: Floats, rows: pd.DataFrame
    ) -> Floats:
        """Give P(no churn by the end of the day of the next term end), shape (n,).

        With P(h) the probability of churn within h days, and the end in the interval from s to e
        days, it is 1 - P(s) - share x (P(e) - P(s)). The share of the interval's losses that come
        by then is that on ends of terms, over the ends that the interval holds, and of the others
        that of the interval's days.

        Parameters
        ----------
        question
            Gives the horizons.
        probabilities
            Of churn by horizon, shape (n, horizons).
        rows
            Feature rows: days to the term's end, and its months.

        Returns
        -------
        NaN without a term, and where it ends on the day of the last horizon or later: what happens
        there, no interval tells.
        """
        end = next_end(question, rows)
        starts, ends = np.array(question.intervals_days, dtype=float)[end.interval].T
        before = np.hstack([np.zeros((len(rows), 1)), probabilities])
        each = np.arange(len(rows))
        by_start, by_end = before[each, end.interval], before[each, end.interval + 1]
        passed = (np.minimum(end.days + 1, ends) - starts) / (ends - starts)
        on_ends = np.where(end.is_monthly, self.monthly, self.longer)
        share = on_ends / np.maximum(end.ends, 1) + (1 - on_ends) * passed
        renewed = 1 - by_start - share * (by_end - by_start)
        return np.asarray(np.where(end.interval < 0, np.nan, renewed), dtype=np.float64)

    def renewal_probability_of(
        self, question: Question, probabilities: Floats, days: float, months: float
    ) -> float:
        """Give of one row what `renewal_probabilities` gives of many, in a fraction of the time."""
        for number, (start, end) in enumerate(question.intervals_days):
            if start <= days < end:
                by_start = float(probabilities[number - 1]) if number else 0.0
                ends = float(intervals.covariates_of(question, days, months)[0, number, 1])
                on_ends = self.monthly if months <= 1 else self.longer
                passed = (min(days + 1, end) - start) / (end - start)
                share = on_ends / max(ends, 1) + (1 - on_ends) * passed
                return 1 - by_start - share * (float(probabilities[number]) - by_start)
        return math.nan


def next_end(question: Question, rows: pd.DataFrame) -> NextEnd:
    """Place the next end of each feature row's term among the question's intervals."""
    days, months = term_columns(rows)
    starts, ends = np.array(question.intervals_days, dtype=float).T
    holds = (days[:, None] >= starts) & (days[:, None] < ends)
    interval = np.where(holds.any(axis=1), holds.argmax(axis=1), -1)
    count = intervals.covariates(question, days, months)[np.arange(len(rows)), interval, 1]
    return NextEnd(days, interval, count, months <= 1)


def term_columns(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Give days to the term's end and its months, shape (n,) each; NaN where the rows lack them."""
    absent = pd.Series(np.nan, index=rows.index)
    days, months = (
        pd.to_numeric(rows.get(name, absent)).to_numpy(dtype=float, na_value=np.nan)
        for name in (intervals.TERM_END, intervals.TERM_MONTHS)
    )
    return days, months


def term_of(values: Mapping[str, str | float | None]) -> tuple[float, float]:
    """Give of a row by name what `term_columns` gives of a table."""
    days, months = (values.get(name) for name in (intervals.TERM_END, intervals.TERM_MONTHS))
    return math.nan if days is None else float(days), math.nan if months is None else float(months)


def at_term_end_from_json(fields: Mapping[str, Any] | None) -> AtTermEnd | None:
    """Rebuild it from the JSON object of its fields; None for a bundle of before there was one."""
    return None if fields is None else AtTermEnd(**fields)
