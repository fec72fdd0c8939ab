"""Rows of a log as whole numbers: what each thing that a fold keeps takes them from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.declare import FIXED
from features.fold.folded import Condition, Segments, segments
from features.fold.sightings import Sight
from features.fold.texts import Codes, Texts
from features.windows import Window

Whole = NDArray[np.int64]
NULL = 0
"""The code of null; texts are coded from 1."""


@dataclass(frozen=True)
class Setting:
    """What a fold is over.

    Parameters
    ----------
    sight
        Snapshots and accounts.
    first_day
        From which days are counted.
    bucket_of
        By day, up to the last snapshot: the number of the first snapshot that comes after it.
    loops
        The compiled loops.
    """

    sight: Sight
    first_day: int
    bucket_of: Codes
    loops: ModuleType

    def segments(self, windows: Sequence[Window]) -> Segments:
        """Cut the days at the edges of windows; `ranges` are by window."""
        spans = [
            [
                tuple(edge - self.first_day for edge in window.span(day, self.first_day))
                for day in self.sight.days
            ]
            for window in windows
        ]
        return segments(spans, len(self.bucket_of))  # type: ignore[arg-type]


@dataclass
class Batch:
    """Some rows of a log.

    Parameters
    ----------
    rows
        As they were read.
    account, day, bucket
        Of each row: whose it is (-1: nobody's), its day counted from the first, and the number of
        the first snapshot that sees it.
    late
        How many rows became known only after a snapshot that would have seen them.
    coded
        The text columns whose texts are compared by code.
    texts
        By column, the texts so far.
    loops
        The compiled loops.
    """

    rows: pa.RecordBatch
    account: Codes
    day: Codes
    bucket: Codes
    late: int
    coded: frozenset[str]
    texts: dict[str, Texts]
    loops: ModuleType
    _codes: dict[str, Codes] = field(default_factory=dict)

    def codes(self, column: str) -> Codes:
        """Give each row's text in a column as a code."""
        if column not in self._codes:
            self._codes[column] = self._coded(column)
        return self._codes[column]

    def _coded(self, column: str) -> Codes:
        if column not in self.rows.schema.names:
            return np.full(len(self.rows), NULL, np.int32)
        texts = self.texts.setdefault(column, Texts(self.loops))
        array = self.rows.column(column)
        if not isinstance(array, pa.DictionaryArray):
            codes: Codes = texts.numbers(array, _nobody_if_null(array)) + np.int32(1)
            return codes
        codes = texts.numbers(array.dictionary, _nobody_if_null(array.dictionary)) + np.int32(1)
        indices = array.indices
        if indices.null_count:
            codes = np.append(codes, np.int32(NULL))
            indices = pc.fill_null(indices, pa.scalar(len(codes) - 1, indices.type))
        found: Codes = codes[indices.to_numpy(zero_copy_only=False)]
        return found

    def pairs(self, column: str, owners: Codes, texts: Texts) -> Codes:
        """Give numbers to the pairs of owner and text; -1 where there is no owner, or no text."""
        if column in self.coded:
            return texts.of_codes(self.codes(column), owners)
        if column not in self.rows.schema.names:
            return np.full(len(self.rows), -1, np.int32)
        array = self.rows.column(column)
        if array.null_count:
            owners = np.where(_nobody_if_null(array) < 0, np.int32(-1), owners)
        return texts.numbers(array, owners)

    def quantity(self, column: str, default: float) -> Whole:
        """Give a number column in ten-thousandths, the default where it is null."""
        if column not in self.rows.schema.names:
            return np.full(len(self.rows), round(default * FIXED), np.int64)
        filled = pc.fill_null(self.rows.column(column).cast(pa.float64()), float(default))
        scaled = filled.to_numpy(zero_copy_only=False) * FIXED
        whole: Whole = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)
        return whole


def _nobody_if_null(texts: pa.Array) -> Codes:
    """Own each text by 0, and a null by nobody."""
    if not texts.null_count:
        return np.zeros(len(texts), np.int32)
    is_null: NDArray[np.bool_] = texts.is_null().to_numpy(zero_copy_only=False)
    return -is_null.astype(np.int32)


@dataclass
class Choice:
    """Which slots a row counts for: those whose condition its text fulfils.

    Parameters
    ----------
    conditions
        By slot, all on one column or on none.
    """

    conditions: tuple[Condition, ...]
    holds: NDArray[np.bool_] = field(init=False)
    firsts: Codes = field(init=False)
    slots: Codes = field(init=False)

    def __post_init__(self) -> None:
        self.holds = np.zeros((0, len(self.conditions)), bool)
        self._learn([None])

    @property
    def column(self) -> str | None:
        """The column of the texts."""
        return self.conditions[0].column

    def of(self, batch: Batch) -> Codes:
        """Give the rows' codes, and know the slots of each; no codes: every row is of code 0."""
        if self.column is None:
            return np.zeros(0, np.int32)
        codes = batch.codes(self.column)
        texts = batch.texts.get(self.column)
        known = len(self.holds) - 1
        if texts is not None and len(texts) > known:
            self._learn([texts.text(number) for number in range(known, len(texts))])
        return codes

    def _learn(self, texts: list[str | None]) -> None:
        new = np.array([condition.holds(texts) for condition in self.conditions], bool).T
        self.holds = np.concatenate([self.holds, new])
        self.slots = np.nonzero(self.holds)[1].astype(np.int32)
        counts = self.holds.sum(axis=1)
        self.firsts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
