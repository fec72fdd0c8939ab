"""A large usage log, drawn month by month, as a warehouse unloads one: Parquet in order of time."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.usage import ACCOUNTS, DAYS, EVENTS, FIRST_DAY, SEED, account_names

DAY = 86_400_000_000
WORKDAYS = 5
STAYING = 0.75
"""The share of accounts that use the product to the end."""


@dataclass(frozen=True)
class Population:
    """Who uses the product: for each account how often, over which days, and by which users."""

    weight: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    users: NDArray[np.int64]

    @property
    def offset(self) -> NDArray[np.int64]:
        """The number of each account's first user."""
        ends: NDArray[np.int64] = np.cumsum(self.users)
        return ends - self.users


def population() -> Population:
    """Draw the accounts; a few are far larger than the rest, some come late, some leave."""
    dice = np.random.default_rng(SEED)
    size = dice.normal(size=ACCOUNTS)
    users = 1 + np.exp(2.4 + 1.0 * size + 0.4 * dice.normal(size=ACCOUNTS)).astype("int64")
    weight = users * np.exp(0.5 * dice.normal(size=ACCOUNTS))
    first = dice.integers(-600, DAYS - 60, ACCOUNTS).clip(0)
    stays = dice.random(ACCOUNTS) < STAYING
    last = np.where(stays, DAYS, first + dice.integers(30, DAYS, ACCOUNTS))
    return Population(weight, first, last, users)


def write_log(log: Path, events: int) -> None:
    """Write about so many events into `<log>/<month>.parquet`, and `_written` when they are.

    Columns: account_id, user_id, occurred_at and event. Only one month is ever in memory.
    """
    log.mkdir(parents=True, exist_ok=True)
    people = population()
    users = pa.array(
        [f"usr_{number * 2_654_435_761 % 2**32:08x}" for number in range(people.users.sum())]
    )
    accounts, kinds = pa.array(account_names()), pa.array(EVENTS)
    for month in _months():
        account, user, kind, time = _month(people, month, events)
        table = pa.table(
            {
                "account_id": accounts.take(pa.array(account)),
                "user_id": users.take(pa.array(user)),
                "occurred_at": pa.array(time, pa.timestamp("us")),
                "event": kinds.take(pa.array(kind)),
            }
        )
        pq.write_table(table, log / f"{month[0]:%Y-%m}.parquet")
    (log / "_written").touch()


def _months() -> list[tuple[date, date]]:
    """Give the first day of each month of the log, and the day after its last."""
    end = FIRST_DAY + timedelta(days=DAYS)
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    firsts = [day for day in days if day.day == 1 or day == FIRST_DAY]
    return list(zip(firsts, (*firsts[1:], end), strict=True))


def _month(
    people: Population, month: tuple[date, date], events: int
) -> tuple[NDArray[np.int64], ...]:
    """Draw one month's events in order of time: account, user and kind by number, and the time."""
    first, end = ((day - FIRST_DAY).days for day in month)
    dice = np.random.default_rng([SEED, first])
    rows = round(events * (end - first) / DAYS)
    days = np.arange(first, end)
    pull = np.where((days + FIRST_DAY.weekday()) % 7 < WORKDAYS, 1.0, 0.25)
    day = np.sort(dice.choice(days, rows, p=pull / pull.sum()))
    hour = (dice.normal(13.0, 3.5, rows) % 24) * 3_600_000_000
    moment = (FIRST_DAY - date(1970, 1, 1)).days * DAY + day * DAY + hour.astype("int64")
    is_there = (people.first < end) & (people.last > first)
    share = people.weight * is_there
    account = np.searchsorted(np.cumsum(share) / share.sum(), dice.random(rows)).clip(
        0, ACCOUNTS - 1
    )
    own = (people.users[account] * dice.random(rows) ** 2.0).astype("int64")
    frequency = 1.0 / np.arange(1, len(EVENTS) + 1)
    kind = dice.choice(len(EVENTS), rows, p=frequency / frequency.sum())
    order = np.argsort(moment, kind="stable")
    return account[order], (people.offset[account] + own)[order], kind[order], moment[order]
