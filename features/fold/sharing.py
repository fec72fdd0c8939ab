"""Keys and days of accounts that merged: what several of them have is counted once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.fold.sightings import Sight
from features.fold.texts import Codes, Texts

Whole = NDArray[np.int64]
Look = Callable[[Codes, Codes], None]
"""Adds, for pairs with an owner, by window, snapshot and owner, how many are seen."""


@dataclass(frozen=True)
class Together:
    """The pairs of accounts with several spans, those of one account and key put together.

    Parameters
    ----------
    pair, span, group
        One entry for each pair in each span: their numbers, and that of the group.
    accounts
        By group the account.
    """

    pair: Whole
    span: Whole
    group: Whole
    accounts: Codes


def together(pairs: Texts, sight: Sight) -> Together:
    """Put together the pairs of accounts with several spans."""
    spans = np.nonzero(sight.is_shared)[0]
    owners = pairs.owners
    order = np.argsort(owners, kind="stable").astype(np.int64)
    begins = np.searchsorted(owners[order], sight.of[spans])
    ends = np.searchsorted(owners[order], sight.of[spans], side="right")
    each = [order[begin:end] for begin, end in zip(begins, ends, strict=True)]
    pair = np.concatenate([order[:0], *each])
    span = np.repeat(spans, [len(numbers) for numbers in each])
    texts = {number: pairs.content(number) for number in np.unique(pair).tolist()}
    keys: dict[tuple[int, bytes], int] = {}
    group = [
        keys.setdefault((account, texts[number]), len(keys))
        for account, number in zip(sight.as_[span].tolist(), pair.tolist(), strict=True)
    ]
    accounts = np.array([account for account, _ in keys], np.int32)
    return Together(pair, span, np.array(group, np.int64), accounts)


def count_shared(pairs: Texts, sight: Sight, look: Look, count: Codes) -> None:
    """Add the different keys of accounts with several spans, by window, snapshot and account."""
    shared = together(pairs, sight)
    if not len(shared.accounts):
        return
    used, place = np.unique(shared.pair, return_inverse=True)
    alone = np.full(len(pairs), -1, np.int32)
    alone[used] = np.arange(len(used), dtype=np.int32)
    seen = np.zeros((*count.shape[:2], len(used)), np.int32)
    look(alone, seen)
    for snapshot in range(count.shape[1]):
        inside = sight.at(snapshot)[shared.span]
        for window in range(count.shape[0]):
            has = np.zeros(len(shared.accounts), bool)
            has[shared.group[inside & (seen[window, snapshot, place] > 0)]] = True
            np.add.at(count[window, snapshot], shared.accounts[has], 1)


def count_shared_days(
    seen: NDArray[np.int16], inside: Sequence[Sequence[int]], sight: Sight
) -> Whole:
    """Give the different days of accounts with several spans, by snapshot and account.

    `inside` gives each snapshot's first day and the one after the last. Days of spans that end
    apart are counted apart, as the rows of the days are.
    """
    count = np.zeros((len(sight.days), len(sight.accounts)), np.int64)
    spans = np.nonzero(sight.is_shared)[0]
    together: dict[tuple[int, int], list[int]] = {}
    for span in spans.tolist():
        together.setdefault((int(sight.as_[span]), int(sight.ends[span])), []).append(span)
    for (account, end), several in together.items():
        first = np.maximum(seen[sight.of[several]], sight.begins[several, None]).min(axis=0)
        for snapshot, (low, high) in enumerate(inside[:end]):
            count[snapshot, account] += int((first[low:high] <= snapshot).sum())
    return count
