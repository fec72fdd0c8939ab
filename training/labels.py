"""What came true after each account and date: the only code that looks forward.

docs/definitions.md says in words and examples what is computed here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.checked import CheckedSource
from models.question import Question
from training.paths import MICROSECONDS_PER_DAY, Contracts, Customers, customers
from training.steps import LONG_AGO, NEVER, Booleans, Integers, Paths, paths, spans, timeline

Floats = NDArray[np.float64]

KINDS = ("a further product", "more seats", "a higher price", "not told")
"""What an expansion is made of; not told where a product's rows name no seats."""

_BASIS = 10_000  # thresholds are exact to a ten-thousandth


def label(source: CheckedSource, states: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Say what came true for each account and date, and how far the future is known.

    Parameters
    ----------
    source
        Its newest versions of the subscription rows are the truth.
    states
        One row per account and date, with at least account_id and as_of.
    question
        Gives outcome, grace and threshold.

    Returns
    -------
    The rows of `states` in their order, with

    - event_days: days from as_of to the first event, NaN without one in the known future,
    - observed_days: days after as_of whose outcome is known (the extract less the grace),
    - competing_days: days to a churn that came before any such event (not for churn itself),
    - lead_days: days to the loss or to a cancel request before it, whichever comes first,
    - mrr_change__<h>d: MRR at the horizon over that at as_of, less 1; NaN beyond the known future,
    - cause: end_reason of the loss.

    An account that by now is known not to have been active at as_of has NaN in all of them: a
    late row told of a loss before that date, so that nothing was left to lose.
    """
    grace = question.grace_days * MICROSECONDS_PER_DAY
    extracted = int(np.datetime64(source.extracted_at, "us").astype(np.int64))
    future = _future(source, states, grace)
    loss, event, competing = future.loss, future.loss, np.full(len(states), NEVER)
    if question.outcome != "churn":
        event = _first_change(future, question, grace)
        competing = np.where(loss < event, loss, NEVER)
        event = np.where(event < loss, event, NEVER)
    is_known = (future.base > 0) & (loss < extracted - grace)
    cause, leaving = _endings(future, np.where(is_known, loss, NEVER))
    span = (extracted - grace - future.as_of) / MICROSECONDS_PER_DAY
    span = np.where(future.base > 0, span, np.nan)
    return states.assign(
        event_days=_days_to(event, future.as_of, span),
        observed_days=span,
        competing_days=_days_to(competing, future.as_of, span),
        lead_days=_days_to(leaving, future.as_of, span),
        **_changes(future, span, question),
        cause=cause,
    )


def purchases(source: CheckedSource, labels: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Say which product each account bought next, and of which kind its expansion was.

    Parameters
    ----------
    labels
        As `label` gives them of the question of expansion.

    Returns
    -------
    The rows of `labels` in their order, with

    - next_product: the first product that the customer comes to pay for and keeps for the grace,
      of those that it paid for neither just before as_of nor a grace earlier; of two at once the
      dearer; None without one in the known future,
    - next_product_days: days from as_of to that purchase,
    - kind: which of `KINDS` made up most of the rise at the moment of the expansion; None without.
    """
    grace = question.grace_days * MICROSECONDS_PER_DAY
    customer, account_ids = pd.factorize(labels["account_id"])
    known = customers(source, pd.Index(account_ids))
    rows = _Asked(customer, labels["as_of"].to_numpy("datetime64[us]").astype(np.int64))
    rise = labels["event_days"].to_numpy(dtype=float) * MICROSECONDS_PER_DAY
    moments = rows.as_of + np.rint(np.nan_to_num(rise)).astype(np.int64)
    bought, dearest = np.full(len(labels), NEVER), np.zeros(len(labels), dtype=np.int64)
    which, gains = np.full(len(labels), -1), np.zeros((len(KINDS), len(labels)))
    for number in range(len(known.products)):
        part = known.of_product(number)
        starts = _taken_up(part, rows, grace)
        mrr = part.paid.at(customer, starts)
        first = (starts < bought) | ((starts == bought) & (starts < NEVER) & (mrr > dearest))
        bought, dearest = np.where(first, starts, bought), np.where(first, mrr, dearest)
        which = np.where(first, number, which)
        gains += _gains(part, rows, moments)
    days = _days_to(bought, rows.as_of, labels["observed_days"].to_numpy(dtype=float))
    names = np.array([*known.products, None], dtype=object)
    kinds = np.array([*KINDS, None], dtype=object)
    return labels.assign(
        next_product=names[np.where(np.isfinite(days), which, -1)],
        next_product_days=days,
        kind=kinds[np.where(np.isfinite(rise), gains.argmax(axis=0), -1)],
    )


def outcome_within(labels: pd.DataFrame, horizon_days: int) -> Floats:
    """Give 1 where the event came within the horizon, 0 where not, NaN where it is unknown."""
    known = labels["observed_days"].to_numpy(dtype=float) >= horizon_days
    came = labels["event_days"].to_numpy(dtype=float) < horizon_days
    return np.where(known, came.astype(float), np.nan)


@dataclass(frozen=True)
class _Future:
    """Each row's customer, and what its path is measured against.

    Parameters
    ----------
    customer, as_of
        Of each row, by number and in microseconds.
    signed, paid
        What the customers signed, and their MRR.
    is_lost
        Marks the steps of `paid` at 0 that last for the grace.
    base
        Each row's MRR just before its date.
    joining
        By row, the MRR just before its date of the accounts that have merged in since, so that a
        merge alone is no expansion.
    """

    customer: Integers
    as_of: Integers
    signed: Contracts
    paid: Paths
    is_lost: Booleans
    base: Integers
    joining: Paths

    @property
    def loss(self) -> Integers:
        """The first lost step at or after each row's date, `NEVER` without one."""
        return self.paid.steps.where(self.is_lost).next(self.customer, self.as_of)


def _future(source: CheckedSource, states: pd.DataFrame, grace: int) -> _Future:
    customer, account_ids = pd.factorize(states["account_id"])
    as_of = states["as_of"].to_numpy("datetime64[us]").astype(np.int64)
    known = customers(source, pd.Index(account_ids))
    return _Future(
        customer=customer,
        as_of=as_of,
        signed=known.signed,
        paid=known.paid,
        is_lost=_held(
            known.paid.levels == 0,
            known.paid.steps.owners,
            known.paid.steps.moments,
            known.paid.ends,
            grace,
        ),
        base=known.paid.just_before(customer, as_of),
        joining=_joining(known, customer, as_of),
    )


def _joining(known: Customers, customer: Integers, as_of: Integers) -> Paths:
    others = known.members.others
    first, after = (np.searchsorted(others.customers, customer + more) for more in (0, 1))
    row, member = spans(first, after)
    accounts, joined = others.accounts[member], others.joined[member]
    mrr = known.own.paths().just_before(accounts, as_of[row])
    is_ahead = as_of[row] <= joined
    return paths(row[is_ahead], joined[is_ahead], mrr[is_ahead])


def _held(
    flags: Booleans, owners: Integers, moments: Integers, ends: Integers, grace: int
) -> Booleans:
    """Keep the flagged steps whose unbroken run, within an owner, lasts at least the grace."""
    begins = np.ones(len(flags), dtype=bool)
    begins[1:] = ~(flags[1:] & flags[:-1] & (owners[1:] == owners[:-1]))
    first = np.flatnonzero(begins)
    lengths = np.diff(first, append=len(flags))
    lasts = ends[first + lengths - 1] >= moments[first] + grace
    return np.asarray(flags & np.repeat(lasts, lengths))


def _first_change(future: _Future, question: Question, grace: int) -> Integers:
    """Give the first moment from each date on at which the MRR begins to be beyond the threshold.

    `NEVER` where it is not, or not for the grace.
    """
    steps = future.paid.steps
    last = np.full(len(future.as_of), LONG_AGO)
    row, step = spans(
        steps.first_from(future.customer, future.as_of), steps.first_from(future.customer + 1, last)
    )
    moments = steps.moments[step]
    bases = future.base[row] + future.joining.at(row, moments)
    levels = future.paid.levels[step] * _BASIS
    threshold = round(question.change_threshold * _BASIS)
    if question.outcome == "expansion":
        is_beyond = levels >= bases * (_BASIS + threshold)
    else:
        is_beyond = (levels <= bases * (_BASIS - threshold)) & ~future.is_lost[step]
    held = _held(is_beyond, row, moments, future.paid.ends[step], grace)
    first = np.full(len(future.as_of), NEVER)
    np.minimum.at(first, row[held], moments[held])
    return first


def _days_to(moment: Integers, as_of: Integers, span: Floats) -> Floats:
    """Give the days to a moment within the known span, NaN beyond it."""
    days = (moment - as_of) / MICROSECONDS_PER_DAY
    return np.where((moment < NEVER) & (days < span), np.maximum(days, 0.0), np.nan)


def _endings(future: _Future, loss: Integers) -> tuple[NDArray[np.object_], Integers]:
    """Give, for each loss, the reason of the largest row that ended then, and when it was leaving.

    An account is leaving once every row has a cancel request; without one, from the loss itself.
    """
    ended = future.signed.where(future.signed.ended < NEVER)
    ended = ended.where(np.argsort(-ended.mrr, kind="stable"))
    endings, at = timeline(ended.owners, ended.ended)
    _, largest = np.unique(at, return_index=True)
    asked = np.full(len(largest), LONG_AGO)
    np.maximum.at(asked, at, ended.requested)
    found = endings.place_of(future.customer, loss)
    no_reason = np.full(1, None, dtype=object)
    cause = np.concatenate([ended.reason[largest], no_reason])[found]
    return cause, np.minimum(loss, np.append(asked, NEVER)[found])


def _changes(future: _Future, span: Floats, question: Question) -> dict[str, Floats]:
    """Give the MRR at each horizon over the base, less 1; NaN beyond the known span."""
    changes, steps = {}, future.paid.steps
    rows, moments = np.arange(len(future.as_of)), np.append(steps.moments, LONG_AGO)
    for horizon in question.horizons_days:
        then = future.as_of + horizon * MICROSECONDS_PER_DAY
        at = steps.first_from(future.customer, then) - 1
        bases = future.base + future.joining.at(rows, moments[at])
        share = future.paid.level(future.customer, at) / np.where(bases > 0, bases, 1) - 1
        changes[f"mrr_change__{horizon}d"] = np.where(span >= horizon, share, np.nan)
    return changes


@dataclass(frozen=True)
class _Asked:
    """The customer of each row, by number, and its date in microseconds."""

    customer: Integers
    as_of: Integers


def _taken_up(part: Customers, rows: _Asked, grace: int) -> Integers:
    """Give when each row's customer comes to pay for a product for the grace, `NEVER` else.

    It counts from not paying for it just before the date, nor a grace earlier: a contract signed
    late is no purchase, and neither is what an account brings along that is merged in.
    """
    steps, levels = part.paid.steps, part.paid.levels
    lasting = _held(levels > 0, steps.owners, steps.moments, part.paid.ends, grace)
    before = np.append(0, levels)[:-1] * (steps.owners == np.append(-1, steps.owners)[:-1])
    starts = steps.where(lasting & (before == 0)).next(rows.customer, rows.as_of)
    has_it = part.paid.just_before(rows.customer, rows.as_of) > 0
    had_it = part.paid.just_before(rows.customer, rows.as_of - grace) > 0
    brought = _joining(part, rows.customer, rows.as_of).at(np.arange(len(starts)), starts) > 0
    return np.where(has_it | had_it | brought, NEVER, starts)


def _gains(part: Customers, rows: _Asked, moments: Integers) -> Floats:
    """Give what a product's rise until each row's moment is made of, by kind: (kinds, n)."""
    (mrr, rise), (seats, more) = (_risen(each, rows, moments) for each in (part, part.in_seats()))
    is_new, is_told = mrr == 0, (seats > 0) & (seats + more > 0)
    by_seats = np.where(is_told, more * mrr / np.where(seats > 0, seats, 1), 0.0)
    none = np.zeros(len(rise))
    return np.stack(
        [
            np.where(is_new, rise, none),
            np.where(is_new, none, by_seats),
            np.where(is_told & ~is_new, rise - by_seats, none),
            np.where(is_new | is_told, none, rise),
        ]
    )


def _risen(part: Customers, rows: _Asked, moments: Integers) -> tuple[Floats, Floats]:
    """Give a level just before each row's date, and how far it lies above that at a moment."""
    joined = _joining(part, rows.customer, rows.as_of).at(np.arange(len(moments)), moments)
    base = part.paid.just_before(rows.customer, rows.as_of) + joined
    return base.astype(float), (part.paid.at(rows.customer, moments) - base).astype(float)
