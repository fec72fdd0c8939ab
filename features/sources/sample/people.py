"""Contacts: who comes and goes at the customers, and when the CRM hears of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.sources.sample.care import dated
from features.sources.sample.history import History
from features.sources.sample.state import GONE
from features.sources.sample.subscriptions import day_of
from features.sources.sample.truth import account_ids

HEARD_SOON_SHARE = 0.9
TECH = 2
USER_LEAVES, USER_LEAVES_IN_STRESS = 0.012, 0.35
USER_JOINS, USER_JOINS_IN_GROWTH = 0.03, 0.60


@dataclass(frozen=True)
class _Person:
    """A contact over the time they are there; NaN as the end of those who stay."""

    account: int
    role: str
    joined: float
    left: float


def contact_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build contacts: a version when the CRM hears of a coming, one when it hears of a going."""
    people = [p for i in range(len(history.accounts)) for p in _people(history, i, rng)]
    table = pd.DataFrame(people)
    table["contact_id"] = [f"con-{i:06d}" for i in range(1, len(table) + 1)]
    table["account_id"] = account_ids(len(history.accounts))[table["account"]]
    heard = np.where(
        rng.random(len(table)) < HEARD_SOON_SHARE,
        rng.exponential(3, len(table)),
        rng.uniform(5, 30, len(table)),
    )
    came = table.assign(recorded_at=table["joined"] + 0.3 * heard, left=np.nan)
    went = table[table["left"].notna()]
    went = went.assign(recorded_at=went["left"] + heard[went.index])
    end = float(history.calendar.starts[history.calendar.months])
    table = pd.concat([came, went])
    table = table[table["recorded_at"] < end].sort_values(["recorded_at", "contact_id"])
    table = table.rename(columns={"joined": "joined_at", "left": "left_at"})
    columns = ["contact_id", "account_id", "role", "joined_at", "left_at", "recorded_at"]
    table = table[columns].reset_index(drop=True)
    return dated(table, history, "joined_at", "left_at", "recorded_at")


def _people(history: History, i: int, rng: np.random.Generator) -> Iterator[_Person]:
    """Give one account's people, champions first."""
    accounts, cal = history.accounts, history.calendar
    first = float(day_of(int(accounts.joins[i]), int(accounts.billing_day[i])))
    states = np.array([s.champion[i] for s in history.states])
    active = np.array([s.active[i] for s in history.states])
    months = np.flatnonzero(active)
    if not len(months):
        months = np.array([max(int(accounts.joins[i]), 0)])
    span = range(int(months[0]), min(int(months[-1]) + 1, cal.months))
    yield from _champions(history, i, first, states == GONE, span, rng)
    if accounts.tier[i] != TECH:
        yield _Person(i, "sponsor", first, np.nan)
    yield _Person(i, "admin", first, np.nan)
    yield from _users(history, i, first, span, rng)


def _champions(
    history: History,
    i: int,
    first: float,
    gone: npt.NDArray[np.bool_],
    span: range,
    rng: np.random.Generator,
) -> Iterator[_Person]:
    """Follow the champion's going and coming through the months; both late in the month."""
    starts, since = history.calendar.starts, first
    if gone[span.start]:
        yield _Person(i, "champion", first, max(first, starts[span.start] - rng.uniform(1, 90)))
    for month in span:
        if gone[month] == gone[month + 1]:
            continue
        day = float(starts[month] + rng.uniform(0.3, 1) * (starts[month + 1] - starts[month] - 1))
        day = max(day, since)
        if gone[month + 1]:
            yield _Person(i, "champion", since, day)
        since = day
    if not gone[span.stop]:
        yield _Person(i, "champion", since, np.nan)


def _users(
    history: History, i: int, first: float, span: range, rng: np.random.Generator
) -> Iterator[_Person]:
    """Let named users come, above all where the customer grows, and go, where it cuts."""
    starts = history.calendar.starts
    here = [first] * int(2 + history.accounts.seats_at_start[i] // 6)
    for month in span:
        state = history.states[month]
        leaves = USER_LEAVES_IN_STRESS if state.in_stress[i] else USER_LEAVES
        joins = USER_JOINS_IN_GROWTH if state.is_growing[i] else USER_JOINS
        day = float(starts[month] + rng.uniform(0, 27))
        stay = rng.random(len(here)) >= leaves
        for since, stays in zip(here, stay, strict=True):
            if not stays:
                yield _Person(i, "user", since, max(day, since))
        here = [since for since, stays in zip(here, stay, strict=True) if stays]
        here += [max(day, first)] * int(rng.random() < joins)
    for since in here:
        yield _Person(i, "user", since, np.nan)
