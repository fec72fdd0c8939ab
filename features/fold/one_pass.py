"""One pass over a log in the order of its files, and from it the counts at every snapshot.

What is kept hangs on accounts, users and the stretches of days between the edges of windows, never
on the number of rows. The order of the rows does not matter, and every number is whole: the result
is that of `features.measure`, to the last digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pyarrow as pa

from features.checked import CheckedSource
from features.contracts import TABLES, Type
from features.daily import EVENT_DAYS
from features.declare import Distinct, Feature, Ranked, Total, View, facts_of
from features.fold.folded import condition_of, value_column
from features.fold.keeping import Kept, Keys, Moments, Sums, UseDays
from features.fold.ranks import Ranks
from features.fold.reader import Log, Wanted, open_log
from features.fold.rows import Batch, Setting
from features.fold.sightings import Sight, sight
from features.fold.texts import Codes, Texts
from features.merges import identities
from features.rollups import rolled_up
from features.windows import first_to_see

EARLIEST = -1_000_000
"""The first day of a log that does not say its own: before any time that a source can hold."""


def fold(
    source: CheckedSource, features: Sequence[Feature], accounts: Sequence[str], days: Sequence[int]
) -> pa.Table:
    """Give account_id, as_of_day and a whole number for each feature over one log.

    Parameters
    ----------
    source
        A checked source with that log.
    features
        Features of which `features.fold.folded.is_folded` says yes.
    accounts, days
        Where to measure; the days rising.

    Returns
    -------
    pyarrow.Table
        One row for each account and day; beside a mean, and a sum that may be unknown, the number
        of its values, as `measure` gives it. A ranking of too many keys is left out.
    """
    table = facts_of(features[0]).source_table
    seen = sight(days, accounts, identities(source))
    present = source.columns[table]
    texts = [c.name for c in TABLES[table] if c.dtype is Type.TEXT and c.name in present]
    by_day = rolled_up(source, EVENT_DAYS) if table == EVENT_DAYS.table else None
    log = open_log(source.parts(table), TABLES[table].first_time, texts, by_day, seen.days)
    kept = _pass(log, table, present, features, seen)
    return _table({name: part for one in kept for name, part in one.given().items()}, seen)


def _pass(
    log: Log, table: str, present: Sequence[str], features: Sequence[Feature], seen: Sight
) -> list[Kept]:
    from features.fold import compiled  # noqa: PLC0415 - Numba is loaded where a log is folded

    setting = _setting(log, seen, compiled)
    kept = _keepers(features, setting)
    known = ("known_at",) if "recorded_at" in present else ()
    reader = _Reader(setting, log, TABLES[table].first_time, bool(known))

    def wanted(span: tuple[int, int] | None) -> Wanted:
        asking = [one for one in kept if _reaches(one, span, setting)]
        if not asking:
            return Wanted()
        own = dict.fromkeys(name for one in asking for name in one.columns if name in present)
        enough = min(one.enough for one in asking)
        return Wanted(("account_id", log.time, *known, *own), enough)

    for span, rows in log.stretches(wanted):
        batch = reader.batch(rows)
        for one in kept:
            if _reaches(one, span, setting):
                one.take(batch)
    return kept


def _reaches(one: Kept, span: tuple[int, int] | None, setting: Setting) -> bool:
    if span is None:
        return True
    low, high = (day - setting.first_day for day in span)
    return one.reaches(max(low, 0), max(high, 0))


def _setting(log: Log, seen: Sight, loops: ModuleType) -> Setting:
    """Lay the days from the log's first to the last snapshot, by the snapshot that sees each."""
    span = log.span()
    last = seen.days[-1]
    first = min(span[0] if span else EARLIEST, last)
    first = max(first, EARLIEST)
    buckets = [first_to_see(day, seen.days) for day in range(first, last + 1)]
    return Setting(seen, first, np.array(buckets, np.int32), loops)


@dataclass
class _Reader:
    """Turns rows of the log into whole numbers."""

    setting: Setting
    log: Log
    time: str
    has_known: bool

    def __post_init__(self) -> None:
        self.accounts = Texts(self.setting.loops)
        raw = self.setting.sight.raw
        self.accounts.numbers(pa.array(raw, pa.string()), np.zeros(len(raw), np.int32))
        self.texts: dict[str, Texts] = {}
        self.last = pa.array([], pa.string()), np.zeros(0, np.int32)

    def batch(self, rows: pa.RecordBatch) -> Batch:
        """Place rows in time and at their accounts."""
        codes, numbers = self._accounts(rows.column("account_id"))
        size = len(rows)
        account, day, bucket = (np.empty(size, np.int32) for _ in range(3))
        moments = _moments(rows.column(self.time))
        has_known = self.has_known and "known_at" in rows.schema.names
        known = _moments(rows.column("known_at")) if has_known else np.zeros(0, np.int64)
        setting = self.setting
        late = setting.loops.place(
            codes,
            numbers,
            moments,
            known,
            setting.first_day,
            setting.bucket_of,
            account,
            day,
            bucket,
        )
        return Batch(rows, account, day, bucket, late, self.log.coded, self.texts, setting.loops)

    def _accounts(self, column: pa.Array) -> tuple[Codes, Codes]:
        """Give each row's code, and each code's account or -1."""
        if isinstance(column, pa.DictionaryArray):
            named = column.dictionary
            codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
            if not self._is_last(named):
                self.last = named, self.accounts.numbers(named, np.zeros(len(named), np.int32))
            numbers = self.last[1]
        else:
            codes = self.accounts.numbers(column, np.zeros(len(column), np.int32))
            numbers = np.arange(len(self.accounts), dtype=np.int32)
        return codes, np.where(numbers < len(self.setting.sight.raw), numbers, -1).astype(np.int32)

    def _is_last(self, named: pa.Array) -> bool:
        """Tell whether these are the texts that were numbered last, at the same place."""
        here, last = (array.buffers()[2] for array in (named, self.last[0]))
        is_there = here is not None and last is not None and here.address == last.address
        return is_there and len(named) == len(self.last[0]) and named.offset == 0


def _moments(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    whole = (
        column if column.type == pa.int64() else column.cast(pa.timestamp("us")).cast(pa.int64())
    )
    moments: np.ndarray[tuple[int], np.dtype[np.int64]] = whole.to_numpy(zero_copy_only=False)
    return moments


def _keepers(features: Sequence[Feature], setting: Setting) -> list[Kept]:
    """Put features together that one thing kept can give."""
    groups: dict[tuple[object, ...], list[Feature]] = {}
    for feature in features:
        recipe, facts, chosen = feature.recipe, facts_of(feature), condition_of(feature)
        if isinstance(facts.table, View):
            key: tuple[object, ...] = (UseDays,)
        elif isinstance(recipe, Distinct):
            key = (Keys, recipe.key, chosen)
        elif isinstance(recipe, Total):
            key = (Sums, chosen.column, value_column(recipe))
        elif isinstance(recipe, Ranked):
            key = (Ranks, recipe.key, chosen, value_column(recipe))
        else:
            key = (Moments, chosen.column)
        groups.setdefault(key, []).append(feature)
    return [key[0](together, setting) for key, together in groups.items()]  # type: ignore[operator]


def _table(columns: dict[str, pa.Array], seen: Sight) -> pa.Table:
    accounts = pa.array(seen.accounts, pa.string())
    everyone = np.tile(np.arange(len(accounts)), len(seen.days))
    days = np.repeat(np.array(seen.days, np.int64), len(accounts))
    return pa.table({"account_id": accounts.take(pa.array(everyone)), "as_of_day": days, **columns})
