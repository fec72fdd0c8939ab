"""What a fold keeps of a log, each thing as small as the features that are read from it allow."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts import TABLES
from features.declare import Distinct, Extreme, Feature, Total, facts_of
from features.fold.folded import Condition, condition_of, value_column
from features.fold.late import Late
from features.fold.pairs import Pairs
from features.fold.reader import Enough
from features.fold.rows import Batch, Choice, Setting
from features.fold.sharing import count_shared, count_shared_days
from features.fold.texts import Codes
from features.recipes.totals import COUNT, counts_values

NEVER_SEEN = np.iinfo(np.int16).max
HIGH = np.iinfo(np.int32).max
LOW = np.iinfo(np.int32).min


class Kept(Protocol):
    """Something that a fold keeps."""

    columns: tuple[str, ...]
    """The log's columns that it reads, besides account and time."""
    enough: Enough
    """What of a week tells it as much as all of its rows."""

    def reaches(self, low: int, high: int) -> bool:
        """Tell whether rows between two days, counted from the first, can matter."""
        ...

    def take(self, batch: Batch) -> None:
        """Take rows in."""
        ...

    def given(self) -> dict[str, pa.Array]:
        """Give each feature's numbers, by snapshot and account, and take nothing more."""
        ...


def _total(feature: Feature) -> Total:
    if not isinstance(feature.recipe, Total):
        raise TypeError(f"Expected a total, got {feature.column}.")
    return feature.recipe


class Sums:
    """Counts and sums of one column, by segment of days, account and condition."""

    enough = Enough.ROWS

    def __init__(self, features: Sequence[Feature], setting: Setting) -> None:
        self.setting, self.features = setting, features
        self.value = value_column(_total(features[0]))
        wanted: dict[tuple[Condition, bool], int] = {}
        self.reads: dict[str, tuple[int, int]] = {}
        for number, feature in enumerate(features):
            chosen = condition_of(feature)
            weighs = _total(feature).value is not None
            slots = [("", (chosen, weighs))]
            slots += [(COUNT, (chosen, False))] if counts_values(feature) else []
            for suffix, slot in slots:
                self.reads[feature.column + suffix] = (number, wanted.setdefault(slot, len(wanted)))
        self.choice = Choice(tuple(chosen for chosen, _ in wanted))
        self.weighs = np.array([weighs for _, weighs in wanted], np.uint8)
        self.segments = setting.segments([feature.window for feature in features])
        shape = (self.segments.count, len(setting.sight.raw), len(wanted))
        self.total = np.zeros(shape, np.int64)
        self.late = Late((*shape[:2], len(wanted), len(setting.sight.days)))
        read = (self.choice.column, self.value)
        self.columns = tuple(name for name in read if name is not None)

    def reaches(self, low: int, high: int) -> bool:
        """Tell whether rows between two days can matter."""
        return self.segments.reach(low, high)

    def take(self, batch: Batch) -> None:
        """Add rows up."""
        codes, quantity = self.choice.of(batch), np.zeros(0, np.int64)
        if self.value is not None:
            table = TABLES[facts_of(self.features[0]).source_table]
            quantity = batch.quantity(self.value, table[self.value].default or 0.0)
        setting, segments = self.setting, self.segments.of_day
        choice = (codes, self.choice.firsts, self.choice.slots)
        rows = (batch.account, batch.day, batch.bucket)
        setting.loops.add_up(
            *rows, setting.bucket_of, segments, *choice, self.weighs, quantity, self.total
        )
        if batch.late:
            self._take_late(batch, codes, quantity)

    def _take_late(self, batch: Batch, codes: Codes, quantity: NDArray[np.int64]) -> None:
        segment = self.segments.of_day[batch.day]
        is_late = batch.bucket != self.setting.bucket_of[batch.day]
        rows = np.nonzero(is_late & (batch.account >= 0) & (segment >= 0))[0]
        held = codes[rows] if len(codes) else np.zeros(len(rows), np.int32)
        for slot, weighs in enumerate(self.weighs):
            at = rows[self.choice.holds[held, slot]]
            amount = quantity[at] if weighs else np.ones(len(at), np.int64)
            place = (segment[at], batch.account[at], np.full(len(at), slot), batch.bucket[at])
            self.late.add(place, amount)

    def given(self) -> dict[str, pa.Array]:
        """Read each window at each snapshot, from sums that run over the segments."""
        running = np.cumsum(self.total, axis=0, out=self.total)
        sight = self.setting.sight
        columns = {}
        for name, (window, slot) in self.reads.items():
            seen = np.zeros((len(sight.days), len(sight.raw)), np.int64)
            for snapshot, (low, high) in enumerate(self.segments.ranges[window]):
                if high > low:
                    before = running[low - 1, :, slot] if low else 0
                    seen[snapshot] = running[high - 1, :, slot] - before
                    self.late.add_to(seen[snapshot], (low, high), slot, snapshot)
            columns[name] = pa.array(sight.gathered(seen, np.add, 0).ravel())
        return columns


class Moments:
    """The first and the last day, by the snapshot that first sees it, account and condition."""

    columns: tuple[str, ...]

    def __init__(self, features: Sequence[Feature], setting: Setting) -> None:
        self.setting, self.features = setting, features
        self.slots = {
            chosen: n for n, chosen in enumerate(dict.fromkeys(map(condition_of, features)))
        }
        self.choice = Choice(tuple(self.slots))
        self.columns = (self.choice.column,) if self.choice.column else ()
        self.enough = Enough.ROWS if self.columns else Enough.EDGES
        shape = (len(setting.sight.days), len(setting.sight.raw), len(self.slots))
        self.lowest, self.highest = np.full(shape, HIGH, np.int32), np.full(shape, LOW, np.int32)

    def reaches(self, _low: int, _high: int) -> bool:
        """Say yes: a first or last day may lie anywhere."""
        return True

    def take(self, batch: Batch) -> None:
        """Keep rows that are earlier, or later, than those before."""
        codes = self.choice.of(batch)
        choice = (codes, self.choice.firsts, self.choice.slots)
        rows = (batch.account, batch.day, batch.bucket)
        self.setting.loops.reach(*rows, *choice, self.lowest, self.highest)

    def given(self) -> dict[str, pa.Array]:
        """Read at each snapshot what the ones up to it have seen."""
        np.minimum.accumulate(self.lowest, axis=0, out=self.lowest)
        np.maximum.accumulate(self.highest, axis=0, out=self.highest)
        return {feature.column: self._given(feature) for feature in self.features}

    def _given(self, feature: Feature) -> pa.Array:
        sight, slot = self.setting.sight, self.slots[condition_of(feature)]
        recipe = feature.recipe
        if not isinstance(recipe, Extreme):
            raise TypeError(f"Expected an extreme, got {feature.column}.")
        if recipe.pick == "min":
            day = sight.gathered(self.lowest[:, :, slot], np.minimum, HIGH)
        else:
            day = sight.gathered(self.highest[:, :, slot], np.maximum, LOW)
        as_of = np.array(sight.days)[:, None]
        first = self.setting.first_day
        begins = [feature.window.span(at, first)[0] - first for at in sight.days]
        is_none = (day == HIGH) | (day < np.array(begins)[:, None])
        at = day + first
        value = as_of - at if recipe.since else at - as_of if recipe.ahead else at
        return pa.array(value.ravel(), mask=is_none.ravel())


class UseDays:
    """By account and day the first snapshot that sees any row of that day."""

    columns: tuple[str, ...] = ()
    enough = Enough.DAYS

    def __init__(self, features: Sequence[Feature], setting: Setting) -> None:
        self.setting, self.features = setting, features
        self.segments = setting.segments([feature.window for feature in features])
        reached = np.nonzero(self.segments.of_day >= 0)[0]
        self.from_day = int(reached[0]) if len(reached) else 0
        length = int(reached[-1]) + 1 - self.from_day if len(reached) else 0
        self.seen = np.full((len(setting.sight.raw), length), NEVER_SEEN, np.int16)

    def reaches(self, low: int, high: int) -> bool:
        """Tell whether rows between two days can matter."""
        return self.segments.reach(low, high)

    def take(self, batch: Batch) -> None:
        """Mark the days of rows."""
        rows = (batch.account, batch.day, batch.bucket)
        self.setting.loops.mark_days(*rows, self.from_day, self.seen)

    def given(self) -> dict[str, pa.Array]:
        """Count the days of each window that each snapshot has seen."""
        first, sight = self.setting.first_day + self.from_day, self.setting.sight
        columns = {}
        for feature in self.features:
            count = np.zeros((len(sight.days), len(sight.raw)), np.int64)
            spans = [feature.window.span(day, first) for day in sight.days]
            inside = [tuple(max(day - first, 0) for day in span) for span in spans]
            for snapshot, (low, high) in enumerate(inside):
                count[snapshot] = (self.seen[:, low:high] <= snapshot).sum(axis=1)
            alone = replace(sight, ends=np.where(sight.is_shared, sight.begins, sight.ends))
            whole = alone.gathered(count, np.add, 0)
            whole += count_shared_days(self.seen, inside, sight)
            columns[feature.column] = pa.array(whole.ravel())
        return columns


class Keys:
    """The segments of days in which each account's keys were seen."""

    enough = Enough.ROWS

    def __init__(self, features: Sequence[Feature], setting: Setting) -> None:
        self.setting, self.features = setting, features
        recipe = features[0].recipe
        if not isinstance(recipe, Distinct):
            raise TypeError(f"Expected a distinct count, got {features[0].column}.")
        self.segments = setting.segments([feature.window for feature in features])
        self.pairs = Pairs(recipe.key, condition_of(features[0]), self.segments, setting)
        self.columns = self.pairs.columns
        self.seen = np.zeros((1 << 12, (self.segments.count + 63) // 64), np.uint64)
        self.late = Late((1 << 31, self.segments.count, len(setting.sight.days)))

    def reaches(self, low: int, high: int) -> bool:
        """Tell whether rows between two days can matter."""
        return self.segments.reach(low, high)

    def take(self, batch: Batch) -> None:
        """Mark the segments of the rows' keys."""
        pair, count = self.pairs.of(batch), len(self.pairs.texts)
        if count > len(self.seen):
            larger = np.zeros((2 * count, self.seen.shape[1]), np.uint64)
            larger[: len(self.seen)] = self.seen
            self.seen = larger
        bucket_of, of_day = self.setting.bucket_of, self.segments.of_day
        rows = (pair, batch.day, batch.bucket)
        self.setting.loops.mark_keys(*rows, bucket_of, of_day, self.seen)
        if batch.late:
            late = self.pairs.late(batch, pair)
            self.late.add((pair[late], of_day[batch.day[late]], batch.bucket[late]), None)

    def given(self) -> dict[str, pa.Array]:
        """Count the keys whose segments meet a window."""
        sight = self.setting.sight
        owners = sight.own[self.pairs.texts.owners]
        late, firsts = self._late()
        count = np.zeros((len(self.features), len(sight.days), len(sight.accounts)), np.int32)

        def look(owners: Codes, count: Codes) -> None:
            ranges = self.segments.ranges
            self.setting.loops.count_keys(self.seen, owners, ranges, late, firsts, count)

        look(owners, count)
        count_shared(self.pairs.texts, sight, look, count)
        return {
            feature.column: pa.array(count[number].ravel().astype(np.int64))
            for number, feature in enumerate(self.features)
        }

    def _late(self) -> tuple[Codes, Codes]:
        """Give segment and snapshot of late rows, by pair, and where each pair's begin."""
        (pair, segment, bucket), _ = self.late.all()
        if not len(pair):
            return np.zeros((0, 2), np.int32), np.zeros(0, np.int32)
        firsts = np.searchsorted(pair, np.arange(len(self.pairs.texts) + 1)).astype(np.int32)
        return np.stack([segment, bucket], axis=1).astype(np.int32), firsts
