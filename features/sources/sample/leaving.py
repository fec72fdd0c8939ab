"""Who decides to leave in a month, why, and when it takes effect."""

from dataclasses import dataclass

import numpy as np

from features.sources.sample.accounts import Accounts
from features.sources.sample.state import GONE, Bools, Codes, State, logistic
from features.sources.sample.world import CAUSES, NEVER, Calendar, Floats, Ints, World


@dataclass(frozen=True)
class Days:
    """A month's dates for each account, as day numbers; shape (accounts,) or (..., accounts)."""

    start: int
    end: int
    billing: Ints
    next_billing: Ints
    term_end: Ints


def days_of(state: State, accounts: Accounts, cal: Calendar, month: int) -> Days:
    """Look up a month's first day, the next month's, and each account's own days."""
    day = accounts.billing_day - 1
    start, end = int(cal.starts[month]), int(cal.starts[month + 1])
    return Days(start, end, start + day, end + day, cal.starts[state.term_end] + day)


@dataclass(frozen=True)
class Leaving:
    """Cancellations and losses of one month; arrays of shape (..., accounts).

    Parameters
    ----------
    chance
        The month's true hazard: to decide against us, or to be lost for want of payment.
    requested_on
        Day number of a cancellation asked for in this month; NEVER if none.
    leaves_on
        Day number of the end that is now pending or has come; NEVER if none.
    left_on
        Day number at which MRR fell to 0 in this month; NEVER if not.
    is_lost_unpaid
        The loss was for want of payment.
    cause
        Index into CAUSES of the pending end.
    """

    chance: Floats
    requested_on: Ints
    leaves_on: Ints
    left_on: Ints
    is_lost_unpaid: Bools
    cause: Codes


def causes_of_risk(state: State, world: World) -> tuple[Floats, ...]:
    """Log odds added by each of CAUSES after the first, in order; shape (..., accounts) each."""
    risk = world.risk
    return (
        risk.low_adoption * np.maximum(risk.healthy_from - state.adoption, 0),
        risk.low_value * np.maximum(risk.healthy_from - state.value, 0),
        risk.champion_gone * (state.champion == GONE),
        risk.outage * np.minimum(state.outage, 2),
        risk.price * np.minimum(state.price, 1.2),
        risk.budget * state.in_stress,
    )


def chance_to_decide(state: State, accounts: Accounts, world: World) -> Floats:
    """Chance to decide against us, were this a month in which that can be decided."""
    risk = world.risk
    monthly = np.array(risk.monthly_base, dtype=np.float32)[accounts.tier]
    renewal = np.array(risk.renewal_base, dtype=np.float32)[accounts.tier]
    logit = np.where(accounts.is_monthly, monthly, renewal)
    for added in causes_of_risk(state, world):
        logit = logit + added
    return logistic(logit - risk.care * state.care - risk.growth * state.is_growing)


def leave(
    state: State, accounts: Accounts, world: World, days: Days, rng: np.random.Generator
) -> Leaving:
    """Let customers decide, and lose those that did not pay."""
    chance, requested, ends = _decide(state, accounts, world, days, rng)
    cause = np.where(requested < NEVER, _leading_cause(state, world, rng), state.leaves_for)
    leaves_on = np.minimum(state.leaves_on, ends)
    money = world.money
    harsh = np.where(state.in_stress, money.lost_when_unpaid_in_stress, money.lost_when_unpaid)
    unpaid = np.where(state.is_unpaid & state.active & (days.billing < leaves_on), harsh, 0)
    lost = rng.random(chance.shape, dtype=np.float32) < unpaid
    leaves_on = np.where(lost, days.billing, leaves_on)
    return Leaving(
        chance=1 - (1 - chance) * (1 - unpaid),
        requested_on=np.where(lost & (requested >= days.billing), NEVER, requested),
        leaves_on=leaves_on,
        left_on=np.where(state.active & (leaves_on < days.end), leaves_on, NEVER),
        is_lost_unpaid=lost,
        cause=np.where(lost, CAUSES.index("budget"), cause).astype(np.int8),
    )


def _decide(
    state: State, accounts: Accounts, world: World, days: Days, rng: np.random.Generator
) -> tuple[Floats, Ints, Ints]:
    """Chance, day of the request and day of the end (NEVER where nothing is decided)."""
    shape = state.adoption.shape
    free = state.active & (state.leaves_on == NEVER)
    deadline = days.term_end - accounts.notice_days
    in_month = (deadline >= days.start) & (deadline < days.end)
    may = free & (accounts.is_monthly | in_month)
    chance = np.where(may, chance_to_decide(state, accounts, world), 0)
    decides = rng.random(shape, dtype=np.float32) < chance
    last = np.where(accounts.is_monthly, days.end, deadline + 1)
    spread = (last - days.start) * rng.random(shape, dtype=np.float32)
    request = np.minimum(days.start + spread.astype(np.int64), last - 1)
    monthly_end = np.where(request < days.billing, days.billing, days.next_billing)
    end = np.where(accounts.is_monthly, monthly_end, days.term_end)
    return chance, np.where(decides, request, NEVER), np.where(decides, end, NEVER)


def _leading_cause(state: State, world: World, rng: np.random.Generator) -> Codes:
    """Draw the cause of a decision in proportion to what each one adds to the odds."""
    point = rng.random(state.adoption.shape, dtype=np.float32)
    weights = [np.expm1(x) for x in causes_of_risk(state, world)]
    point = point * (1 + sum(weights[1:], start=weights[0]))
    cause = np.zeros(point.shape, dtype=np.int8)
    reach = np.ones(point.shape, dtype=point.dtype)
    for weight in weights:
        cause += point >= reach
        reach = reach + weight
    # Walking past k weights means the k-th drew it; the last edge is never passed.
    return cause
