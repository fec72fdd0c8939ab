"""MRR paths: what each customer paid from moment to moment, by the newest version of each row.

Times are microseconds since 1970 and MRR is in ten-thousandths of the currency unit, both as
int64, so that "10 % above" is decided exactly.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.checked import CheckedSource

NEVER = np.iinfo(np.int64).max
LONG_AGO = np.iinfo(np.int64).min
MICROSECONDS_PER_DAY = 86_400_000_000
UNITS_PER_MRR = 10_000

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The subscription rows of one account, as arrays of one length.

    A row runs in [started, ended); `requested` is the cancel request, `NEVER` where there is none.
    """

    started: Integers
    ended: Integers
    requested: Integers
    mrr: Integers
    reason: NDArray[np.object_]


@dataclass(frozen=True)
class Member:
    """An account that is part of a customer from `joined` on."""

    account_id: str
    joined: int


@dataclass(frozen=True)
class MrrPath:
    """A step function: `levels[j]` is the MRR in [moments[j], moments[j + 1]); 0 before.

    Moments rise strictly.
    """

    moments: Integers
    levels: Integers

    def just_before(self, times: Integers) -> Integers:
        """Give the MRR just before each time, as the state at a snapshot is defined."""
        at = np.searchsorted(self.moments, times, side="left")
        return np.concatenate([[0], self.levels])[at]

    @property
    def ends(self) -> Integers:
        """Where each step ends; the last one never does."""
        return np.append(self.moments[1:], NEVER)


@dataclass(frozen=True)
class Paths:
    """All accounts' subscription rows, and who became one with whom, when."""

    rows: Mapping[str, Rows]
    joins: Mapping[str, tuple[Member, ...]]

    def customer(self, account_id: str) -> tuple[Member, ...]:
        """Give the accounts that are, or will be, one customer with this one; itself first."""
        return (Member(account_id, LONG_AGO), *self.joins.get(account_id, ()))

    def path(self, account_id: str) -> MrrPath:
        """Give the MRR path of the customer that this account is, and later becomes part of."""
        return _path(self._running(member) for member in self.customer(account_id))

    def own_path(self, account_id: str) -> MrrPath:
        """Give the MRR path of the account's own rows."""
        return _path([self._running(Member(account_id, LONG_AGO))])

    def _running(self, member: Member) -> tuple[Integers, Integers, Integers]:
        rows = self.rows.get(member.account_id) or _no_rows()
        started = np.maximum(rows.started, member.joined)
        keep = rows.ended > started
        return started[keep], rows.ended[keep], rows.mrr[keep]


def _path(parts: Iterable[tuple[Integers, Integers, Integers]]) -> MrrPath:
    started, ended, mrr = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    moments, at = np.unique(np.concatenate([started, ended]), return_inverse=True)
    steps = np.zeros(len(moments), dtype=np.int64)
    np.add.at(steps, at, np.concatenate([mrr, -mrr]))
    does_end = moments < NEVER
    return MrrPath(moments[does_end], np.cumsum(steps)[does_end])


def mrr_paths(source: CheckedSource) -> Paths:
    """Read the newest version of every subscription row, and the merges."""
    newest = source.newest("subscriptions").sort_values("account_id", kind="stable")
    names, starts = np.unique(newest["account_id"].to_numpy(dtype=object), return_index=True)
    columns = [np.split(column, starts[1:]) for column in _columns(newest)]
    parts = zip(*columns, strict=True)
    rows = {str(name): Rows(*part) for name, part in zip(names, parts, strict=True)}
    merges = source.newest("account_merges") if source.has("account_merges") else None
    return Paths(rows, {} if merges is None else _joins(merges))


def _columns(rows: pd.DataFrame) -> tuple[NDArray[Any], ...]:
    """Give the columns of `Rows`, in their order."""
    count = len(rows)
    mrr = [int(value * UNITS_PER_MRR) for value in rows["mrr"]]
    reason = rows["end_reason"] if "end_reason" in rows else pd.Series(None, index=rows.index)
    return (
        _microseconds(rows["started_at"]),
        _microseconds(rows.get("ended_at"), count),
        _microseconds(rows.get("cancel_requested_at"), count),
        np.array(mrr, dtype=np.int64),
        reason.astype(object).where(reason.notna(), None).to_numpy(),
    )


def _microseconds(times: pd.Series | None, count: int = 0) -> Integers:
    if times is None:
        return np.full(count, NEVER)
    numbers = times.to_numpy("datetime64[us]").astype(np.int64)
    return np.where(times.isna(), NEVER, numbers)


def _no_rows() -> Rows:
    none = np.empty(0, dtype=np.int64)
    return Rows(none, none, none, none, reason=np.empty(0, dtype=object))


def _joins(merges: pd.DataFrame) -> dict[str, tuple[Member, ...]]:
    """Replay the merges in time: from merged_at on, all accounts of both sides are one."""
    ordered = merges.sort_values("merged_at", kind="stable")
    pairs: Sequence[tuple[str, str]] = list(
        zip(ordered["from_account_id"], ordered["into_account_id"], strict=True)
    )
    side: dict[str, list[str]] = {name: [name] for pair in pairs for name in pair}
    joins: dict[str, list[Member]] = defaultdict(list)
    for (vanished, kept), merged in zip(pairs, _microseconds(ordered["merged_at"]), strict=True):
        ours, theirs = side[vanished], side[kept]
        if ours is theirs:
            continue
        for near, far in ((ours, theirs), (theirs, ours)):
            for name in near:
                joins[name] += [Member(other, int(merged)) for other in far]
        both = ours + theirs
        side.update(dict.fromkeys(both, both))
    return {name: tuple(members) for name, members in joins.items()}
