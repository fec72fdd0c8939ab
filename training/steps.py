"""Step functions of many owners (customers, accounts, rows), end to end in flat arrays.

Beside each moment stands the number of its owner, so that a question about all owners is one
look-up and no owner costs a call. Times are microseconds since 1970, levels whole numbers.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).max
LONG_AGO = np.iinfo(np.int64).min

Integers: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Timeline:
    """The moments of many owners: by owner, then in time, none twice.

    `keys` are those of the pairs (owner, moment), `calendar` the moments there are, rising.
    """

    keys: Integers
    calendar: Integers

    @property
    def owners(self) -> Integers:
        """Whose moment each is."""
        return self.keys // (len(self.calendar) + 1)

    @property
    def moments(self) -> Integers:
        """Which moment each is."""
        return self.calendar[self.keys % (len(self.calendar) + 1)]

    def first_from(self, owners: Integers, times: Integers) -> Integers:
        """Give the place of each owner's first moment at or after a time, or where it would be."""
        return self._place(owners, np.searchsorted(self.calendar, times, side="left"))

    def first_after(self, owners: Integers, times: Integers) -> Integers:
        """Give the place of each owner's first moment after a time, or where it would be."""
        return self._place(owners, np.searchsorted(self.calendar, times, side="right"))

    def is_of(self, owners: Integers, at: Integers) -> Booleans:
        """Tell whether a place, which may lie before the first or after the last, is an owner's."""
        return np.asarray(np.append(self.owners, -1)[at] == owners)

    def next(self, owners: Integers, times: Integers) -> Integers:
        """Give each owner's first moment at or after a time, `NEVER` without one."""
        at = self.first_from(owners, times)
        return np.where(self.is_of(owners, at), np.append(self.moments, NEVER)[at], NEVER)

    def place_of(self, owners: Integers, times: Integers) -> Integers:
        """Give the place of each owner's moment at exactly a time, -1 without one."""
        at = self.first_from(owners, times)
        is_there = self.is_of(owners, at) & (np.append(self.moments, NEVER)[at] == times)
        return np.where(is_there, at, -1)

    def where(self, keep: Booleans) -> "Timeline":
        """Give the timeline of some of the moments."""
        return Timeline(self.keys[keep], self.calendar)

    def _place(self, owners: Integers, ranks: NDArray[np.intp]) -> Integers:
        return np.searchsorted(self.keys, owners * (len(self.calendar) + 1) + ranks)


def timeline(owners: Integers, moments: Integers) -> tuple[Timeline, Integers]:
    """Give the timeline of pairs, and the place of each pair in it."""
    calendar, ranks = np.unique(moments, return_inverse=True)
    keys, at = np.unique(owners * (len(calendar) + 1) + ranks, return_inverse=True)
    return Timeline(keys, calendar), at


@dataclass(frozen=True)
class Paths:
    """Step functions: an owner's level from one of its moments to the next; 0 before the first."""

    steps: Timeline
    levels: Integers

    @property
    def ends(self) -> Integers:
        """Where each step ends; an owner's last one never does."""
        owners, moments = self.steps.owners, self.steps.moments
        is_last = owners != np.append(owners, -1)[1:]
        return np.where(is_last, NEVER, np.append(moments, NEVER)[1:])

    def just_before(self, owners: Integers, times: Integers) -> Integers:
        """Give the level just before each time, as the state at a snapshot is defined."""
        return self.level(owners, self.steps.first_from(owners, times) - 1)

    def at(self, owners: Integers, times: Integers) -> Integers:
        """Give the level at each time."""
        return self.level(owners, self.steps.first_after(owners, times) - 1)

    def level(self, owners: Integers, at: Integers) -> Integers:
        """Give the level on a step, by its place; 0 where that is not the owner's."""
        return np.where(self.steps.is_of(owners, at), np.append(self.levels, 0)[at], 0)


def paths(owners: Integers, moments: Integers, changes: Integers) -> Paths:
    """Add up changes of owners' levels, in any order; a change that never comes counts for none."""
    comes = moments < NEVER
    steps, at = timeline(owners[comes], moments[comes])
    change = np.zeros(len(steps.keys), dtype=np.int64)
    np.add.at(change, at, changes[comes])
    total = np.cumsum(change)
    first = steps.first_from(steps.owners, np.full(len(total), LONG_AGO))
    return Paths(steps, total - (total - change)[first])


def spans(first: Integers, after: Integers) -> tuple[Integers, Integers]:
    """Unroll the spans [first, after): give the span's number and the place, for each in them."""
    lengths = after - first
    each = np.repeat(np.arange(len(first)), lengths)
    skipped = np.cumsum(lengths) - lengths
    return each, np.arange(len(each)) - skipped[each] + first[each]
