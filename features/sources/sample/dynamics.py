"""One month of hidden life, as a pure step over arrays of any leading shape.

The same step makes the company's one past and, played many times, the oracle's futures.
"""

from dataclasses import dataclass, replace

import numpy as np

from features.sources.sample.accounts import Accounts
from features.sources.sample.leaving import Leaving, days_of, leave
from features.sources.sample.spending import Billing, Buying, bill, buy
from features.sources.sample.state import GONE, STEADY, WAVERING, Bools, Codes, State
from features.sources.sample.world import NEVER, Calendar, Floats, Ints, World

UNTOUCHED, TREATED, HELD_BACK, BY_CHOICE = 0, 1, 2, 3


@dataclass(frozen=True)
class Month:
    """What happened in one month; arrays of shape (..., accounts).

    Parameters
    ----------
    leaving, buying, billing
        Requests and losses; upsell and cross-sell; what the billing day changed.
    touch
        0 none, 1 treated, 2 held back as control, 3 at the CSM's discretion.
    outage
        Pain added by this month's outages and defects.
    outage_is_shared
        Whether others in the region met the same outage.
    """

    leaving: Leaving
    buying: Buying
    billing: Billing
    touch: Codes
    outage: Floats
    outage_is_shared: Bools


def step(
    state: State,
    accounts: Accounts,
    world: World,
    cal: Calendar,
    month: int,
    bad_year: Ints,
    rng: np.random.Generator,
) -> tuple[State, Month]:
    """Live one month.

    Parameters
    ----------
    state
        What is true at the month's start, shape (..., accounts).
    bad_year
        Months that the bad year still lasts, shape (..., 1); 0 in other years.

    Returns
    -------
    tuple
        The state at the start of the next month, and what happened in this one.
    """
    days = days_of(state, accounts, cal, month)
    leaving = leave(state, accounts, world, days, rng)
    buying = buy(state, world, days, leaving, rng)
    paid, billing = bill(state, accounts, world, cal, month, buying, leaving, rng)
    touch = _touch(state, accounts, world, rng)
    outage, is_shared = _outage(state, accounts, world, rng)
    happened = Month(leaving, buying, billing, touch, outage, is_shared)
    return _next(paid, accounts, world, happened, bad_year, rng), happened


def next_bad_year(world: World, bad_year: Ints, rng: np.random.Generator) -> Ints:
    """Count a bad year down by a month, or let one start; shape (..., 1)."""
    law = world.drift
    starts = rng.random(bad_year.shape) < law.bad_year_starts
    return np.where(bad_year > 0, bad_year - 1, np.where(starts, law.bad_year_months, 0))


def touch_effect(state: State, accounts: Accounts) -> Floats:
    """Give what a touch would add to care now: nothing mends an outage or a cut budget."""
    beyond_reach = state.in_stress | (state.outage > 1)
    return np.where(beyond_reach, 0, accounts.response)


def _touch(state: State, accounts: Accounts, world: World, rng: np.random.Generator) -> Codes:
    """Half by an experiment's coin, half because the CSM saw something."""
    law = world.touching
    enrols, coin, acts = rng.random((3, *state.adoption.shape), dtype=np.float32)
    seen = (state.champion == GONE) | (state.outage > 1) | (state.adoption < -1)
    wish = np.array(law.discretion)[accounts.tier]
    wish = wish + seen * np.array(law.discretion_at_risk)[accounts.tier]
    by_coin = np.where(coin < law.treated_share, TREATED, HELD_BACK)
    enrolled = enrols < np.array(law.enrolled)[accounts.tier]
    touch = np.where(enrolled, by_coin, np.where(acts < wish, BY_CHOICE, UNTOUCHED))
    return np.where(state.active, touch, UNTOUCHED).astype(np.int8)


def _outage(
    state: State, accounts: Accounts, world: World, rng: np.random.Generator
) -> tuple[Floats, Bools]:
    """Pain from this month's outages: shared ones by region, and defects of one's own."""
    law, shape = world.drift, state.adoption.shape
    regions = (*shape[:-1], 4)
    strikes = rng.random(regions, dtype=np.float32) < law.outage_month
    depth = np.float32(0.7) + np.float32(1.1) * rng.random(regions, dtype=np.float32)
    reached = rng.random(shape, dtype=np.float32) < law.outage_reach
    shared = strikes[..., accounts.region] & reached & state.active
    own = (rng.random(shape, dtype=np.float32) < law.defect) & state.active
    return shared * depth[..., accounts.region] + own * np.float32(law.defect_pain), shared


def _next(
    paid: State,
    accounts: Accounts,
    world: World,
    happened: Month,
    bad_year: Ints,
    rng: np.random.Generator,
) -> State:
    """Move the hidden side on by a month."""
    law, leaving, billing = world.drift, happened.leaving, happened.billing
    rise = np.where(accounts.is_monthly, billing.rise, billing.quote)
    is_shock = rise > world.money.shock_rise[0] - 0.01
    hurt = np.where(is_shock, accounts.sensitivity, 0)
    treated = (happened.touch == TREATED) | (happened.touch == BY_CHOICE)
    is_bad = bad_year > 0
    quoted = np.where(billing.quote > 0, billing.quote, paid.quoted)
    return replace(
        paid,
        active=paid.active & (leaving.left_on == NEVER),
        adoption=_adoption(paid, accounts, world, rng),
        value=_value(paid, accounts, world, rng),
        champion=_champion(paid, world, rng),
        in_stress=_chain(
            paid.in_stress,
            np.where(is_bad, law.stress_starts_in_bad_year, law.stress_starts),
            law.stress_ends,
            rng,
        ),
        is_growing=_chain(
            paid.is_growing,
            np.where(is_bad, law.growth_starts_in_bad_year, law.growth_starts),
            law.growth_ends,
            rng,
        ),
        outage=law.outage_memory * paid.outage + happened.outage,
        price=law.price_memory * paid.price + hurt,
        care=law.care_memory * paid.care + treated * touch_effect(paid, accounts),
        quoted=np.where(billing.is_renewal, 0, quoted),
        term_end=paid.term_end + np.where(billing.is_renewal, accounts.term_months, 0),
        leaves_on=leaving.leaves_on,
        is_unpaid=billing.fails,
        leaves_for=leaving.cause,
    )


def _adoption(state: State, accounts: Accounts, world: World, rng: np.random.Generator) -> Floats:
    law, norm = world.drift, accounts.adoption_norm
    noise = rng.standard_normal(state.adoption.shape, dtype=np.float32)
    pull = 0.12 * state.is_growing - 0.10 * (state.champion == GONE) - 0.08 * state.in_stress
    kept = norm + law.adoption_memory * (state.adoption - norm)
    moved: Floats = kept + law.adoption_noise * noise + pull.astype(np.float32)
    return moved


def _value(state: State, accounts: Accounts, world: World, rng: np.random.Generator) -> Floats:
    law, norm = world.drift, accounts.value_norm
    noise = rng.standard_normal(state.value.shape, dtype=np.float32)
    kept = norm + law.value_memory * (state.value - norm)
    moved: Floats = kept + law.value_noise * noise - np.float32(0.1) * (state.outage > 1)
    return moved


def _champion(state: State, world: World, rng: np.random.Generator) -> Codes:
    law, now = world.drift, state.champion
    u = rng.random(now.shape, dtype=np.float32)
    from_steady = np.where(u < law.champion_wavers, WAVERING, STEADY)
    from_wavering = np.where(u < law.champion_goes, GONE, STEADY)
    from_gone = np.where(u < law.champion_replaced, STEADY, GONE)
    after = np.where(now == STEADY, from_steady, np.where(now == GONE, from_gone, from_wavering))
    return after.astype(np.int8)


def _chain(now: Bools, starts: Floats, ends: float, rng: np.random.Generator) -> Bools:
    """Move a two-state chain on by a month."""
    u = rng.random(now.shape, dtype=np.float32)
    return np.where(now, u >= ends, u < starts)
