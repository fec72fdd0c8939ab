"""What came true after each account and date: the only code that looks forward.

docs/definitions.md says in words and examples what is computed here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.checked import CheckedSource
from models.question import Question
from training.paths import (
    LONG_AGO,
    MICROSECONDS_PER_DAY,
    NEVER,
    Integers,
    MrrPath,
    Paths,
    mrr_paths,
)

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

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
    - cause: end_reason of the loss,
    - mrr_change__<h>d: MRR at the horizon over that at as_of, less 1; NaN beyond the known future.

    An account that by now is known not to have been active at as_of has NaN in all of them: a
    late row told of a loss before that date, so that nothing was left to lose.
    """
    paths = mrr_paths(source)
    as_of = states["as_of"].to_numpy("datetime64[us]").astype(np.int64)
    extracted = int(np.datetime64(source.extracted_at, "us").astype(np.int64))
    known_until = extracted - question.grace_days * MICROSECONDS_PER_DAY
    found = _empty(len(states), question)
    by_account = states.reset_index(drop=True).groupby("account_id", sort=False).indices
    for account_id, at in by_account.items():
        rows = _label_account(paths, str(account_id), as_of[at], known_until, question)
        for name, values in rows.items():
            found[name][at] = values
    return states.assign(**found)


def outcome_within(labels: pd.DataFrame, horizon_days: int) -> Floats:
    """Give 1 where the event came within the horizon, 0 where not, NaN where it is unknown."""
    known = labels["observed_days"].to_numpy(dtype=float) >= horizon_days
    came = labels["event_days"].to_numpy(dtype=float) < horizon_days
    return np.where(known, came.astype(float), np.nan)


def _empty(count: int, question: Question) -> dict[str, NDArray[np.generic]]:
    days = ["event_days", "observed_days", "competing_days", "lead_days"]
    changes = [f"mrr_change__{horizon}d" for horizon in question.horizons_days]
    empty: dict[str, NDArray[np.generic]] = {n: np.full(count, np.nan) for n in days + changes}
    return {**empty, "cause": np.full(count, None, dtype=object)}


@dataclass(frozen=True)
class _Future:
    """One customer's path beside its rows at m dates, and what the path is measured against.

    `base` (m,) is the MRR just before each date; `bases` (m, moments) adds the MRR of the accounts
    that have merged in by each moment, so that a merge alone is no expansion. `lost` (moments,)
    marks the steps at 0 that last for the grace.
    """

    path: MrrPath
    as_of: Integers
    base: Integers
    bases: Integers
    lost: Booleans


def _label_account(
    paths: Paths, account_id: str, as_of: Integers, known_until: int, question: Question
) -> dict[str, NDArray[np.generic]]:
    grace = question.grace_days * MICROSECONDS_PER_DAY
    future = _future(paths, account_id, as_of, grace)
    loss = _first(future.lost[None, :], future)
    event, competing = loss, np.full(len(as_of), NEVER)
    if question.outcome != "churn":
        event = _first(_held(_changed(future, question), future.path, grace), future)
        competing = np.where(loss < event, loss, NEVER)
        event = np.where(event < loss, event, NEVER)
    is_known = (future.base > 0) & (loss < known_until)
    cause, leaving = _endings(paths, account_id, np.where(is_known, loss, NEVER))
    moments = {"event_days": event, "competing_days": competing, "lead_days": leaving}
    span = np.where(future.base > 0, (known_until - as_of) / MICROSECONDS_PER_DAY, np.nan)
    return {
        **{name: _days_to(moment, as_of, span) for name, moment in moments.items()},
        "observed_days": span,
        "cause": cause,
        **_changes(future, span, question),
    }


def _future(paths: Paths, account_id: str, as_of: Integers, grace: int) -> _Future:
    path = paths.path(account_id)
    base = path.just_before(as_of)
    bases = np.repeat(base[:, None], len(path.moments), axis=1)
    for member in paths.customer(account_id)[1:]:
        own = paths.own_path(member.account_id).just_before(as_of)
        joins = (as_of[:, None] <= member.joined) & (path.moments >= member.joined)
        bases += joins * own[:, None]
    lost = _held((path.levels == 0)[None, :], path, grace)[0]
    return _Future(path, as_of, base, bases, lost)


def _held(flags: Booleans, path: MrrPath, grace: int) -> Booleans:
    """Keep the flagged steps (rows, moments) whose unbroken run lasts at least the grace."""
    off = np.zeros((len(flags), 1), dtype=bool)
    begins = flags & ~np.hstack([off, flags[:, :-1]])
    finishes = flags & ~np.hstack([flags[:, 1:], off])
    begun = np.maximum.accumulate(np.where(begins, path.moments, LONG_AGO), axis=1)
    ends = np.where(finishes, path.ends, NEVER)[:, ::-1]
    ended = np.minimum.accumulate(ends, axis=1)[:, ::-1]
    return np.asarray(flags & (ended >= begun + grace))


def _changed(future: _Future, question: Question) -> Booleans:
    """Mark the steps (m, moments) at which the MRR is beyond the question's threshold."""
    threshold = round(question.change_threshold * _BASIS)
    levels = future.path.levels * _BASIS
    if question.outcome == "expansion":
        return np.asarray(levels >= future.bases * (_BASIS + threshold))
    return np.asarray((levels <= future.bases * (_BASIS - threshold)) & ~future.lost)


def _first(flags: Booleans, future: _Future) -> Integers:
    """Give the first flagged moment at or after each date, `NEVER` without one."""
    is_ahead = future.path.moments >= future.as_of[:, None]
    moments = np.where(flags & is_ahead, future.path.moments, NEVER)
    return np.asarray(moments.min(axis=1, initial=NEVER))


def _days_to(moment: Integers, as_of: Integers, span: Floats) -> Floats:
    """Give the days to a moment within the known span, NaN beyond it."""
    days = (moment - as_of) / MICROSECONDS_PER_DAY
    return np.where((moment < NEVER) & (days < span), np.maximum(days, 0.0), np.nan)


def _endings(paths: Paths, account_id: str, loss: Integers) -> tuple[NDArray[np.object_], Integers]:
    """Give, for each loss, the reason of the largest row that ended then, and when it was leaving.

    An account is leaving once every row has a cancel request; without one, from the loss itself.
    """
    cause = np.full(len(loss), None, dtype=object)
    leaving = loss.copy()
    members = [
        paths.rows[m.account_id] for m in paths.customer(account_id) if m.account_id in paths.rows
    ]
    for moment in np.unique(loss[loss < NEVER]):
        ended = [(rows, rows.ended == moment) for rows in members]
        mrr = np.concatenate([rows.mrr[at] for rows, at in ended])
        reason = np.concatenate([rows.reason[at] for rows, at in ended])
        asked = np.concatenate([rows.requested[at] for rows, at in ended])
        is_this = loss == moment
        cause[is_this] = reason[mrr.argmax()] if len(mrr) else None
        leaving[is_this] = min(moment, asked.max(initial=LONG_AGO)) if len(asked) else moment
    return cause, leaving


def _changes(future: _Future, span: Floats, question: Question) -> dict[str, Floats]:
    """Give the MRR at each horizon over the base, less 1; NaN beyond the known span."""
    changes = {}
    for horizon in question.horizons_days:
        then = future.as_of + horizon * MICROSECONDS_PER_DAY
        at = np.searchsorted(future.path.moments, then, side="left") - 1
        bases = np.hstack([future.bases, future.base[:, None]])[np.arange(len(at)), at]
        level = future.path.just_before(then)
        share = level / np.where(bases > 0, bases, 1) - 1
        changes[f"mrr_change__{horizon}d"] = np.where(span >= horizon, share, np.nan)
    return changes
