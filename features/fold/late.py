"""Rows that became known only after a snapshot that would have seen them, added up by place."""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
AT_ONCE = 1 << 20
"""So many are kept before those of one place are put together."""


class Late:
    """Amounts by place; the last coordinate of a place is the first snapshot that sees them.

    Parameters
    ----------
    shape
        How many values each coordinate has.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self.steps = [prod(shape[number + 1 :]) for number in range(len(shape))]
        self.keys: list[Whole] = []
        self.amounts: list[Whole] = []

    def add(self, place: Sequence[NDArray[np.generic]], amounts: Whole | None) -> None:
        """Add rows at places; without amounts they are only marked."""
        key = sum(p.astype(np.int64) * step for p, step in zip(place, self.steps, strict=True))
        self.keys.append(np.asarray(key))
        self.amounts.append(np.ones(len(place[0]), np.int64) if amounts is None else amounts)
        if sum(map(len, self.keys)) > 2 * len(self.keys[0]) + AT_ONCE:
            self._put_together()

    def _put_together(self) -> None:
        keys, places = np.unique(np.concatenate(self.keys), return_inverse=True)
        amounts = np.zeros(len(keys), np.int64)
        np.add.at(amounts, places, np.concatenate(self.amounts))
        self.keys, self.amounts = [keys], [amounts]

    def all(self) -> tuple[tuple[Whole, ...], Whole]:
        """Give the places, rising, and the amount at each."""
        if not self.keys:
            nothing = np.zeros(0, np.int64)
            return tuple(nothing for _ in self.shape), nothing
        if len(self.keys) > 1 or len(self.keys[0]):
            self._put_together()
        (key,), (amounts,) = self.keys, self.amounts
        sizes = zip(self.steps, self.shape, strict=True)
        return tuple(key // step % size for step, size in sizes), amounts

    def add_to(self, seen: Whole, span: tuple[int, int], slot: int, snapshot: int) -> None:
        """Add the amounts of segments in a span that a snapshot sees to those of accounts."""
        if not self.keys:
            return
        (segment, account, of_slot, bucket), amounts = self.all()
        low, high = span
        is_seen = (low <= segment) & (segment < high) & (of_slot == slot) & (bucket <= snapshot)
        np.add.at(seen, account[is_seen], amounts[is_seen])
