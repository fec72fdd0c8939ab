"""The company's one past: the step, lived from the first month to the last."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from features.sources.sample.accounts import Accounts
from features.sources.sample.dynamics import Month, step
from features.sources.sample.state import State
from features.sources.sample.world import NEVER, Calendar, Ints, World

STREAM = MappingProxyType({"accounts": 1, "dynamics": 2, "observation": 3, "faults": 4})


@dataclass(frozen=True)
class History:
    """Everything that happened.

    Parameters
    ----------
    states
        The state at the start of each month and at the extract: months + 1 of shape (accounts,).
    months
        What happened in each month.
    bad_year
        Months that the bad year lasts at the start of each month, shape (months + 1,).
    """

    accounts: Accounts
    calendar: Calendar
    states: tuple[State, ...]
    months: tuple[Month, ...]
    bad_year: Ints

    def present(self, month: int) -> Ints:
        """Rows of the accounts that pay at some time of a month, joiners included."""
        state = self.states[month]
        return np.flatnonzero(state.active | (self.accounts.joins == month))


def stream(seed: int, name: str, *more: int) -> np.random.Generator:
    """Give an independent random stream for one purpose."""
    return np.random.default_rng([seed, STREAM[name], *more])


def live(accounts: Accounts, world: World, cal: Calendar, rng: np.random.Generator) -> History:
    """Live all months; accounts start to be at risk in the month after they join."""
    bad_year = _bad_years(world, cal.months, rng)
    state = _first_state(accounts, world, rng)
    states, months = [state], []
    for month in range(cal.months):
        now = np.array([bad_year[month]])
        state, happened = step(state, accounts, world, cal, month, now, rng)
        newcomers = accounts.joins == month
        state = replace(state, active=state.active | newcomers)
        states.append(state)
        months.append(happened)
    return History(accounts, cal, tuple(states), tuple(months), bad_year)


def _bad_years(world: World, months: int, rng: np.random.Generator) -> Ints:
    """Draw one bad year into the middle of the past; the law lets it start at any time."""
    begins = int(months * rng.uniform(0.33, 0.46))
    months_left = [0]
    for month in range(1, months + 1):
        left = months_left[-1] - 1
        months_left.append(world.drift.bad_year_months if month == begins else max(left, 0))
    return np.array(months_left)


def _first_state(accounts: Accounts, world: World, rng: np.random.Generator) -> State:
    """Draw each account's state in the month it joins, or at the first day if it was there."""
    n, law = len(accounts), world.drift
    is_new = accounts.joins >= 0
    spread = np.where(is_new, 1.1, 0.85)
    champion = rng.choice([0, 1, 2], n, p=[0.90, 0.02, 0.08])
    addons = rng.random((2, n)) < np.where(is_new, 0.08, 0.22)
    size = np.array(world.growth.addon_share).mean() * accounts.seats_at_start
    price = np.round(size * accounts.price_at_start, 2)
    return State(
        active=accounts.joins < 0,
        adoption=accounts.adoption_norm - 0.2 * is_new + spread * rng.standard_normal(n),
        value=accounts.value_norm + spread * rng.standard_normal(n),
        champion=np.where(is_new, 0, champion).astype(np.int8),
        in_stress=(rng.random(n) < _settled(law.stress_starts, law.stress_ends)) & ~is_new,
        is_growing=rng.random(n) < _settled(law.growth_starts, law.growth_ends),
        outage=np.zeros(n),
        price=np.zeros(n),
        care=np.zeros(n),
        seats=accounts.seats_at_start.astype(float),
        seat_price=accounts.price_at_start.copy(),
        analytics=np.where(addons[0], price, 0.0),
        automation=np.where(addons[1], price, 0.0),
        quoted=np.zeros(n),
        term_end=_first_term_end(accounts),
        leaves_on=np.full(n, NEVER, dtype=np.int64),
        is_unpaid=np.zeros(n, dtype=bool),
        leaves_for=np.zeros(n, dtype=np.int8),
    )


def _settled(starts: float, ends: float) -> float:
    """Give the share of time that a two-state chain spends in its second state."""
    return starts / (starts + ends) if starts else 0.0


def _first_term_end(accounts: Accounts) -> Ints:
    """Month in which the term that runs at the first day, or from joining, ends."""
    term, joins = accounts.term_months, accounts.joins
    return np.where(joins >= 0, joins + term, joins + term * (-(joins // term)))
