"""What customers buy, what their bill does, and what that makes of MRR."""

from dataclasses import dataclass, replace

import numpy as np

from features.sources.sample.accounts import Accounts
from features.sources.sample.leaving import Days, Leaving
from features.sources.sample.state import Bools, State, logistic
from features.sources.sample.world import NEVER, Calendar, Floats, Ints, World


@dataclass(frozen=True)
class Buying:
    """Upsell and cross-sell of one month; arrays of shape (..., accounts).

    Parameters
    ----------
    chance
        The month's true hazard of buying more.
    day
        Day number with its fraction, at noon; NEVER if nothing was bought.
    seats
        Seats added.
    analytics, automation
        Money a month of a newly bought add-on.
    """

    chance: Floats
    day: Floats
    seats: Floats
    analytics: Floats
    automation: Floats


@dataclass(frozen=True)
class Billing:
    """What the month's billing day changed; arrays of shape (..., accounts).

    Parameters
    ----------
    day
        Day number of the bill, renewal or term end.
    is_renewal
        A signed term of a year or more was renewed.
    rise, quote
        Price rise that took effect; price rise announced for the next renewal. Shares.
    cut
        Seats that went.
    mrr_between, mrr_after
        MRR after the earlier of the month's two moments of change, and after both.
    fails
        The first attempt to pay this month's bill failed.
    """

    day: Ints
    is_renewal: Bools
    rise: Floats
    quote: Floats
    cut: Floats
    mrr_between: Floats
    mrr_after: Floats
    fails: Bools


def buy(
    state: State, world: World, days: Days, leaving: Leaving, rng: np.random.Generator
) -> Buying:
    """Let customers that are not about to leave add seats or an add-on."""
    law, shape = world.growth, state.adoption.shape
    who, size, which, when = rng.random((4, *shape), dtype=np.float32)
    upsell, crosssell = _chances_to_buy(state, world)
    may = state.active & (leaving.leaves_on == NEVER)
    chance = np.where(may, 1 - (1 - upsell) * (1 - crosssell), 0)
    adds_seats = may & (who < upsell)
    adds_product = may & ~adds_seats & (who < chance)
    low, high = law.upsell_size
    seats = np.ceil(state.seats * (low + (high - low) * size))
    low, high = law.addon_share
    price = np.round(state.seats * state.seat_price * (low + (high - low) * size), 2)
    wants_analytics = (state.automation > 0) | (which < law.analytics_first)
    first = adds_product & (state.analytics == 0) & wants_analytics
    day = days.start + np.floor((days.end - days.start) * when) + 0.5
    return Buying(
        chance=chance,
        day=np.where(adds_seats | adds_product, day, NEVER),
        seats=np.where(adds_seats, seats, 0),
        analytics=np.where(first, price, 0),
        automation=np.where(adds_product & ~first, price, 0),
    )


def _chances_to_buy(state: State, world: World) -> tuple[Floats, Floats]:
    law = world.growth
    upsell = logistic(
        law.upsell_base
        + law.upsell_when_growing * state.is_growing
        + law.upsell_value * state.value
        + law.upsell_in_stress * state.in_stress
    )
    crosssell = logistic(
        law.crosssell_base
        + law.crosssell_value * state.value
        + law.crosssell_adoption * state.adoption
        + law.crosssell_when_growing * state.is_growing
    )
    owns_all = (state.analytics > 0) & (state.automation > 0)
    return upsell, np.where(owns_all, 0, crosssell)


def bill(
    state: State,
    accounts: Accounts,
    world: World,
    cal: Calendar,
    month: int,
    buying: Buying,
    leaving: Leaving,
    rng: np.random.Generator,
) -> tuple[State, Billing]:
    """Renew, raise prices, cut seats and send the bill; give the paid side of the next state."""
    billing_day = cal.starts[month] + accounts.billing_day - 1
    stays = state.active & (leaving.left_on > billing_day)
    is_renewal = stays & (state.term_end == month) & ~accounts.is_monthly
    rise, quote = _rises(state, accounts, world, cal, month, rng)
    rise = np.where(stays, np.where(is_renewal, state.quoted, rise), 0)
    cut = np.where(stays, _cut(state, accounts, world, is_renewal, rng), 0)
    moved = _repriced(state, rise, cut)
    bought = _with_bought(moved, buying)
    first_bought = _with_bought(state, buying)
    between = np.where(buying.day < billing_day, first_bought.mrr, moved.mrr)
    money = world.money
    failing = np.where(state.in_stress, money.payment_fails_in_stress, money.payment_fails)
    fails = stays & accounts.is_monthly & (rng.random(stays.shape, dtype=np.float32) < failing)
    gone = leaving.left_on < NEVER
    done = Billing(
        day=billing_day,
        is_renewal=is_renewal,
        rise=rise,
        quote=np.where(leaving.leaves_on == NEVER, quote, 0),
        cut=cut,
        mrr_between=np.where(gone, 0, between),
        mrr_after=np.where(gone, 0, bought.mrr),
        fails=fails,
    )
    return bought, done


def _rises(
    state: State,
    accounts: Accounts,
    world: World,
    cal: Calendar,
    month: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Draw rises: a monthly account's of this month, and one announced for a later renewal."""
    law = world.money
    kind, size = rng.random((2, *state.adoption.shape), dtype=np.float32)
    usual = law.usual_rise[0] + (law.usual_rise[1] - law.usual_rise[0]) * size
    shock = law.shock_rise[0] + (law.shock_rise[1] - law.shock_rise[0]) * size
    rise = np.where(kind < law.shock_chance, shock, usual)
    now = accounts.is_monthly & (accounts.rise_month == cal.month_of_year(month))
    later = ~accounts.is_monthly & (state.term_end - law.quote_months_ahead == month)
    return np.where(now & state.active, rise, 0), np.where(later & state.active, rise, 0)


def _cut(
    state: State, accounts: Accounts, world: World, is_renewal: Bools, rng: np.random.Generator
) -> Floats:
    """Draw seats that go at the billing day; two always stay."""
    law = world.money
    whether, size = rng.random((2, *state.adoption.shape), dtype=np.float32)
    chances = (law.cut_in_stress, law.cut_in_low_use, law.cut_else)
    in_stress, in_low_use, otherwise = (
        np.where(accounts.is_monthly, monthly, np.where(is_renewal, renewal, 0))
        for monthly, renewal in chances
    )
    calm = np.where(state.adoption < law.low_use, in_low_use, otherwise)
    chance = np.where(state.in_stress, in_stress, calm)
    low, high = law.cut_size
    cut = np.minimum(np.ceil(state.seats * (low + (high - low) * size)), state.seats - 2)
    return np.where(whether < chance, np.maximum(cut, 0), 0)


def _repriced(state: State, rise: Floats, cut: Floats) -> State:
    factor = 1 + rise
    return replace(
        state,
        seats=state.seats - cut,
        seat_price=np.round(state.seat_price * factor, 2),
        analytics=np.round(state.analytics * factor, 2),
        automation=np.round(state.automation * factor, 2),
    )


def _with_bought(state: State, buying: Buying) -> State:
    return replace(
        state,
        seats=state.seats + buying.seats,
        analytics=state.analytics + buying.analytics,
        automation=state.automation + buying.automation,
    )
