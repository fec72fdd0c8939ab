"""What a fold keeps of rankings: the sums of each account's keys, and when each was seen last."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts import TABLES
from features.declare import Feature, Ranked, facts_of
from features.fold.folded import condition_of, value_column
from features.fold.late import Late
from features.fold.pairs import Pairs
from features.fold.reader import Enough
from features.fold.rows import Batch, Setting
from features.fold.sharing import together
from features.windows import Window

Whole = NDArray[np.int64]
MOST_SUMS = 1 << 26
"""So many sums are kept, half a gigabyte; a log with more keys is left to the definition."""


class Ranks:
    """Sums of one column, or counts, by segment of days and pair of account and key."""

    enough = Enough.ROWS

    def __init__(self, features: Sequence[Feature], setting: Setting) -> None:
        self.setting, self.features = setting, features
        recipe = _ranked(features[0])
        self.value = value_column(recipe)
        windows = [feature.window for feature in features]
        trails = [_trail(feature.window) for feature in features if _ranked(feature).since]
        self.segments = setting.segments([*windows, *trails])
        self.pairs = Pairs(recipe.key, condition_of(features[0]), self.segments, setting)
        self.room = MOST_SUMS // self.segments.count
        # Numbers are given as keys come, so what is beyond them costs no memory before it is used.
        self.total = np.zeros((self.segments.count, self.room), np.int64)
        self.last = np.zeros((len(setting.sight.days) if trails else 0, self.room), np.int32)
        self.late = Late((1 << 31, self.segments.count, len(setting.sight.days)))
        read = (*self.pairs.columns, *filter(None, [self.value]))
        self.columns = tuple(dict.fromkeys(read))

    @property
    def is_full(self) -> bool:
        """Whether there are more keys than there is room for."""
        return len(self.pairs.texts) > self.room

    def reaches(self, low: int, high: int) -> bool:
        """Tell whether rows between two days can matter."""
        return not self.is_full and self.segments.reach(low, high)

    def take(self, batch: Batch) -> None:
        """Add rows up."""
        pair = self.pairs.of(batch)
        if self.is_full:
            self.total, self.last = self.total[:, :0], self.last[:, :0]
            return
        quantity = np.zeros(0, np.int64)
        if self.value is not None:
            table = TABLES[facts_of(self.features[0]).source_table]
            quantity = batch.quantity(self.value, table[self.value].default or 0.0)
        loops, of_day = self.setting.loops, self.segments.of_day
        rows = (pair, batch.day, batch.bucket)
        loops.add_up_pairs(*rows, self.setting.bucket_of, of_day, quantity, self.total)
        if len(self.last):
            loops.keep_last(*rows, self.last)
        if batch.late:
            late = self.pairs.late(batch, pair)
            place = (pair[late], of_day[batch.day[late]], batch.bucket[late])
            self.late.add(place, quantity[late] if len(quantity) else None)

    def given(self) -> dict[str, pa.Array]:
        """Rank each account's keys at each snapshot; nothing where they were too many."""
        if self.is_full:
            return {}
        count = len(self.pairs.texts)
        self.last = np.maximum.accumulate(self.last[:, :count], axis=0)
        self.own = self.setting.sight.own[self.pairs.texts.owners]
        self.shared = together(self.pairs.texts, self.setting.sight)
        return {feature.column: self._given(n, feature) for n, feature in enumerate(self.features)}

    def _given(self, number: int, feature: Feature) -> pa.Array:
        recipe, sight = _ranked(feature), self.setting.sight
        shape = (len(sight.days), len(sight.accounts))
        best, latest = np.zeros(shape, np.int64), np.zeros(shape, np.int32)
        sign = 1 if recipe.pick == "max" else -1
        for snapshot in range(len(sight.days)):
            amount, is_there = self._sums(number, snapshot)
            amount *= sign
            last = self.last[snapshot] if recipe.since else is_there.astype(np.int32)
            self._rank(snapshot, amount, is_there, last, (best[snapshot], latest[snapshot]))
        seen_last = latest.astype(np.int64) - 1 + self.setting.first_day
        value = np.array(sight.days)[:, None] - seen_last if recipe.since else best * sign
        return pa.array(value.ravel(), mask=(latest == 0).ravel())

    def _sums(self, window: int, snapshot: int) -> tuple[Whole, NDArray[np.bool_]]:
        """Add up what a snapshot sees in a window, by pair, and tell which have anything there."""
        count = len(self.pairs.texts)
        amount, is_there = np.zeros(count, np.int64), np.zeros(count, np.bool_)
        low, high = (int(edge) for edge in self.segments.ranges[window, snapshot])
        for whole in self.total[low:high, :count]:
            is_there |= whole != 0
            amount += np.where(whole == self.setting.loops.ZERO, 0, whole)
        (pair, segment, bucket), late = self.late.all()
        is_seen = (low <= segment) & (segment < high) & (bucket <= snapshot)
        np.add.at(amount, pair[is_seen], late[is_seen])
        is_there[pair[is_seen]] = True
        return amount, is_there

    def _rank(
        self,
        snapshot: int,
        amount: Whole,
        is_there: NDArray[np.bool_],
        last: NDArray[np.int32],
        out: tuple[Whole, NDArray[np.int32]],
    ) -> None:
        """Find the first of each account's keys; those of accounts that count together as one."""
        rank, shared = self.setting.loops.rank, self.shared
        rank(self.own, amount, is_there, last, *out)
        if len(shared.accounts):
            inside = self.setting.sight.at(snapshot)[shared.span]
            group, pair = shared.group[inside], shared.pair[inside]
            count = len(shared.accounts)
            sums, there, day = (np.zeros(count, kind) for kind in (np.int64, np.bool_, np.int32))
            np.add.at(sums, group, amount[pair])
            np.logical_or.at(there, group, is_there[pair])
            np.maximum.at(day, group, last[pair])
            rank(shared.accounts, sums, there, day, *out)


def _ranked(feature: Feature) -> Ranked:
    if not isinstance(feature.recipe, Ranked):
        raise TypeError(f"Expected values in a ranking, got {feature.column}.")
    return feature.recipe


def _trail(window: Window) -> Window:
    """Give a window and what comes after it, up to the snapshot."""
    return Window(None if window.days is None else window.days + window.lag_days)
