"""From what was kept of each account at each snapshot to what counts there, merges played."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.merges import Identity
from features.windows import NEVER, first_from

Whole = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Sight:
    """Whose rows count as whose, from which snapshot until which.

    Parameters
    ----------
    days
        The snapshots' days, rising.
    accounts
        The accounts to measure.
    raw
        Those whose rows count for them.
    of, as_, begins, ends
        One entry for each span: a number in `raw`, one in `accounts`, the first snapshot and the
        one after the last, by number.
    """

    days: tuple[int, ...]
    accounts: tuple[str, ...]
    raw: tuple[str, ...]
    of: Codes
    as_: Codes
    begins: Codes
    ends: Codes

    @property
    def is_shared(self) -> NDArray[np.bool_]:
        """Which spans are of an account that is more than its own rows, at all times."""
        whole = (self.begins == 0) & (self.ends == len(self.days))
        shares = np.bincount(self.as_, minlength=len(self.accounts)) > 1
        answer: NDArray[np.bool_] = ~whole | shares[self.as_]
        return answer

    @property
    def own(self) -> Codes:
        """By raw account the account that it alone is, or -1."""
        owners = np.full(len(self.raw), -1, np.int32)
        alone = ~self.is_shared
        owners[self.of[alone]] = self.as_[alone]
        return owners

    def at(self, snapshot: int) -> NDArray[np.bool_]:
        """Tell which spans a snapshot lies in."""
        inside: NDArray[np.bool_] = (self.begins <= snapshot) & (snapshot < self.ends)
        return inside

    def gathered(self, kept: NDArray[np.generic], join: np.ufunc, nothing: int) -> Whole:
        """Join what is kept by snapshot and raw account, by snapshot and account."""
        out = np.full((len(self.days), len(self.accounts)), nothing, np.int64)
        for snapshot in range(len(self.days)):
            inside = self.at(snapshot)
            join.at(out[snapshot], self.as_[inside], kept[snapshot, self.of[inside]])
        return out


def sight(days: Sequence[int], accounts: Sequence[str], merged: Sequence[Identity]) -> Sight:
    """See the accounts at snapshots, with the rows of those that were merged into them."""
    numbers = {account: number for number, account in enumerate(accounts)}
    moved = {identity.account_id for identity in merged}
    spans = [Identity(account, account, 0, NEVER) for account in accounts if account not in moved]
    spans += [span for span in merged if span.becomes in numbers]
    raw = tuple(dict.fromkeys(span.account_id for span in spans))
    places = {account: place for place, account in enumerate(raw)}
    edges = {edge for span in spans for edge in (span.becomes_on, span.becomes_until)}
    firsts = {edge: first_from(edge, days) for edge in edges}
    return Sight(
        tuple(days),
        tuple(accounts),
        raw,
        _codes([places[span.account_id] for span in spans]),
        _codes([numbers[span.becomes] for span in spans]),
        _codes([firsts[span.becomes_on] for span in spans]),
        _codes([firsts[span.becomes_until] for span in spans]),
    )


def _codes(numbers: list[int]) -> Codes:
    return np.array(numbers, np.int32)
