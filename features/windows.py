"""Time's one home: on which snapshots a fact counts. Nothing else compares the two.

A snapshot is 00:00 UTC of a date and sees the state just before it, so whole days are exact: a
fact of time t is before a snapshot if and only if t's day is before the snapshot's. Inside
features, a time is an integer of microseconds since 1970, a day an integer of days since 1970.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = nw.LazyFrame[Any]
"""Lazy rows on whatever engine runs."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = 2_000_000  # a day past the year 7400: the end of what has no end
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)

AS_OF_DAY = nw.col("as_of_day")
"""The snapshot's day, in expressions over rows that stand at a snapshot."""


def day_number(moment: datetime) -> int:
    """Give the days from 1970 to a naive UTC moment, rounded down."""
    return (moment - EPOCH) // timedelta(days=1)


def day_numbers(moments: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Give the days from 1970 to naive UTC moments, rounded down."""
    return moments.astype("datetime64[D]").astype(np.int64)


def day_of(time: str) -> nw.Expr:
    """Give the day on which a time, in microseconds, lies.

    Spark divides in floating point: a time next to midnight, far ahead, would be moved to it.
    """
    return (nw.col(time) - nw.col(time) % DAY) // DAY


def first_day_after(time: str) -> nw.Expr:
    """Give the day of the first snapshot that comes after a time in microseconds."""
    return day_of(time) + 1


def known_by(own_time: str, time: str) -> nw.Expr:
    """Tell whether what happened at `own_time` was known at `time`; both in microseconds."""
    return nw.col(own_time) <= nw.col(time)


def happened_before(time: str, as_of: datetime) -> nw.Expr:
    """Tell whether a naive UTC time column lies before a snapshot; null where it is null."""
    return nw.col(time) < nw.lit(as_of)


@dataclass(frozen=True)
class Window:
    """The days before a snapshot, half open: [as_of - lag - days, as_of - lag).

    Parameters
    ----------
    days
        How long it is; None: since ever.
    lag_days
        How long before the snapshot it ends. Facts that became known since then count.
    """

    days: int | None
    lag_days: int = 0

    def __post_init__(self) -> None:
        if self.lag_days < 0 or (self.days is not None and self.days <= 0):
            raise ValueError(f"Expected a window before the snapshot, got {self}.")

    def enters(self, row_enters: str, at_day: str) -> nw.Expr:
        """Give the day of the first snapshot that sees a fact of `at_day` in this window.

        `row_enters` is the first snapshot's day by which the fact's row is known.
        """
        return nw.max_horizontal(nw.col(row_enters), nw.col(at_day) + self.lag_days + 1)

    def leaves(self, row_leaves: str, at_day: str, until_day: str | None = None) -> nw.Expr:
        """Give the day of the first snapshot that sees it in this window no more.

        `row_leaves` is when the row was replaced; `until_day` the day on which a state ended.
        """
        ends = [nw.col(row_leaves), nw.lit(NEVER, nw.Int64)]  # Spark compares at least two
        if self.days is not None:
            ends.append(nw.col(at_day) + self.lag_days + self.days + 1)
        if until_day is not None:
            ends.append(nw.col(until_day) + self.lag_days + 1)
        return nw.min_horizontal(*ends)

    def span(self, as_of_day: int, first_day: int) -> tuple[int, int]:
        """Give the first day that a snapshot sees in it, `first_day` if any, and the end."""
        end = as_of_day - self.lag_days
        return (first_day if self.days is None else end - self.days), end

    def part(self, at: str, until: str) -> tuple[nw.Expr, nw.Expr]:
        """Give from when until when, in microseconds, a state lies in it, at a snapshot.

        One without an end lies there up to the window's end.
        """
        end = (AS_OF_DAY - self.lag_days) * DAY
        until_end = nw.min_horizontal(nw.col(until), end)
        if self.days is None:
            return nw.col(at), until_end
        return nw.max_horizontal(nw.col(at), end - self.days * DAY), until_end


def first_to_see(day: int, snapshot_days: Sequence[int]) -> int:
    """Give the number of the first of rising snapshots that comes after a day."""
    return bisect_right(snapshot_days, day)


def first_from(day: int, snapshot_days: Sequence[int]) -> int:
    """Give the number of the first of rising snapshots that is not before a day."""
    return bisect_left(snapshot_days, day)


def is_seen(enters: str, leaves: str) -> nw.Expr:
    """Tell whether the snapshot `as_of_day` lies in the span [enters, leaves)."""
    return (nw.col(enters) <= AS_OF_DAY) & (nw.col(leaves) > AS_OF_DAY)


def is_inside(after_day: str, last_day: str) -> nw.Expr:
    """Tell whether the snapshot lies after the one day, and not after the other."""
    return (nw.col(after_day) < AS_OF_DAY) & (nw.col(last_day) >= AS_OF_DAY)


def is_ahead(day: str) -> nw.Expr:
    """Tell whether a day has not passed at the snapshot, whose own day has not."""
    return nw.col(day) >= AS_OF_DAY


def is_before_snapshot_in_month(day_of_month: nw.Expr) -> nw.Expr:
    """Tell whether this day of the snapshot's month has passed at the snapshot."""
    return day_of_month < nw.col("as_of_dom")
