"""On which days of a month an account can be seen, and the rhythm of the week and year."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.sources.sample.history import History
from features.sources.sample.world import FIRST_DAY, Floats, Ints

WEEKEND = 0.15
SATURDAY = 5
AUGUST = 8
HOLIDAYS = frozenset({(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)})


@dataclass(frozen=True)
class Days:
    """The days of one month.

    Parameters
    ----------
    start
        Day number of the first.
    open
        Whether the account pays on a day, shape (rows, days).
    rhythm
        Share of a working day's use that is usual on a day, shape (days,).
    """

    start: int
    open: npt.NDArray[np.bool_]
    rhythm: Floats

    @property
    def count(self) -> int:
        """Count the days."""
        return len(self.rhythm)


def seen_days(history: History, month: int, rows: Ints) -> Days:
    """Find the days on which accounts pay: from joining, up to the day they are lost."""
    cal, accounts = history.calendar, history.accounts
    start = int(cal.starts[month])
    day = start + np.arange(cal.days(month))
    left = history.months[month].leaving.left_on[rows]
    first = np.where(accounts.joins[rows] == month, start + accounts.billing_day[rows] - 1, start)
    open_ = (day >= first[:, None]) & (day < left[:, None])
    return Days(start, open_, rhythm(day))


def rhythm(day: Ints) -> Floats:
    """Share of a working day's use that is usual on days, by week, holidays and late summer."""
    dates = np.datetime64(FIRST_DAY, "D") + day.astype("timedelta64[D]")
    weekday = (dates.astype("datetime64[D]").astype(int) + 3) % 7
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    of_month = (dates - dates.astype("datetime64[M]")).astype(int) + 1
    holiday = np.array([(m, d) in HOLIDAYS for m, d in zip(month, of_month, strict=True)])
    share = np.where(weekday >= SATURDAY, WEEKEND, 1.0) * np.where(holiday, WEEKEND, 1.0)
    return share * np.where(month == AUGUST, 0.85, 1.0)
