"""Reads a log's parts, a stretch of rows at a time, and only the columns that somebody asks for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.rollups import edge_groups
from features.windows import DAY, day_number

ROWS_AT_ONCE = 1 << 17
BYTES_OF_A_CODE = 3.0
"""A text column that takes fewer for each value is stored as a dictionary, and read as one."""


class Enough(IntEnum):
    """What of a week tells as much as all of its rows: the days of use, or each account's edges."""

    ROWS = 0
    DAYS = 1
    EDGES = 2


@dataclass(frozen=True)
class Wanted:
    """The columns that are needed of rows, and what of the rows is enough."""

    columns: tuple[str, ...] = ()
    enough: Enough = Enough.ROWS


@dataclass(frozen=True)
class Log:
    """The parts of one log.

    Parameters
    ----------
    parts
        Parquet files of one schema.
    time
        The column of the time at which a row happens.
    coded
        The text columns that are read as dictionaries, in all parts alike.
    days
        Of each part, under its name, the days of use as `features.daily.EVENT_DAYS` gives them;
        None where they are not rolled up.
    snapshots
        The days at which rows are looked at.
    """

    parts: tuple[Path, ...]
    time: str
    coded: frozenset[str]
    days: Path | None = None
    snapshots: tuple[int, ...] = ()

    def span(self) -> tuple[int, int] | None:
        """Give the first day and the last, or None where the parts do not say, or have no rows."""
        spans = [span for file in self._files(self.parts) for _, span in _groups(file, self.time)]
        if not spans or None in spans:
            return None
        known = [span for span in spans if span]
        return min(low for low, _ in known), max(high for _, high in known)

    def rows(self) -> int:
        """Count the rows."""
        return sum(int(file.metadata.num_rows) for file in self._files(self.parts))

    def stretches(
        self, wanted: Callable[[tuple[int, int] | None], Wanted]
    ) -> Iterator[tuple[tuple[int, int] | None, pa.RecordBatch]]:
        """Give rows in the order of the files, with the days between which they lie, if known.

        `wanted` says what is needed of rows between two days. A part of which the days of use are
        enough is read from those, if they are rolled up.
        """
        for part, file in zip(self.parts, self._files(self.parts), strict=True):
            asked = [(group, span, wanted(span)) for group, span in _groups(file, self.time)]
            asked = [(group, span, want) for group, span, want in asked if want.columns]
            enough = min((want.enough for _, _, want in asked), default=Enough.ROWS)
            if enough and self.days and all(span for _, span, _ in asked):
                spans = [span for _, span, _ in asked if span]
                whole = min(low for low, _ in spans), max(high for _, high in spans)
                days = self._by_day(self.days / part.name, whole, enough)
                yield from ((whole, batch) for batch in days)
                continue
            for group, span, want in asked:
                stretch = {"row_groups": [group], "columns": list(want.columns)}
                for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False, **stretch):
                    yield span, batch

    def _by_day(
        self, days: Path, span: tuple[int, int], enough: Enough
    ) -> Iterator[pa.RecordBatch]:
        """Give the days of use as if each were a row of the log, known when the day was.

        Where each snapshot sees all of the days or none, it is left out when they were known, and
        an account's first and last of them are all, if they are enough.
        """
        for file in self._files([days], self.coded & {"account_id"}):
            known = ("enters",) if self._come_bit_by_bit(file, span) else ()
            only_edges = enough is Enough.EDGES and not known
            groups = edge_groups(file.schema_arrow) if only_edges else None
            stretch = {"row_groups": groups, "columns": ["account_id", "used_at", *known]}
            for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False, **stretch):
                made = {
                    "account_id": batch.column("account_id"),
                    self.time: batch.column("used_at"),
                }
                if known:
                    made["known_at"] = pc.multiply(pc.subtract(batch.column("enters"), 1), DAY)
                yield pa.RecordBatch.from_pydict(made)

    def _come_bit_by_bit(self, file: Any, span: tuple[int, int]) -> bool:  # noqa: ANN401 - pyarrow has no types
        """Tell whether a snapshot may see some of the days between two, and not others."""
        place = file.schema_arrow.get_field_index("enters")
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        told = [group.column(place).statistics for group in groups]
        if any(one is None or not one.has_min_max for one in told):
            return True
        last = max((one.max for one in told), default=span[1])
        return any(span[0] < day < last for day in self.snapshots)

    def _files(self, parts: Iterable[Path], coded: frozenset[str] | None = None) -> Iterator[Any]:
        read = sorted(self.coded if coded is None else coded)
        for part in parts:
            with pq.ParquetFile(
                part, read_dictionary=read, memory_map=True, pre_buffer=False
            ) as file:
                yield file


def open_log(
    parts: Sequence[Path],
    time: str,
    texts: Sequence[str],
    days: Path | None = None,
    snapshots: Sequence[int] = (),
) -> Log:
    """Open a log's parts, and see which of its text columns are stored as dictionaries."""
    length = dict.fromkeys(texts, 0.0)
    rows = 0
    for part in parts:
        metadata = pq.read_metadata(part)
        rows += metadata.num_rows
        for group in range(metadata.num_row_groups):
            for place in range(metadata.num_columns):
                column = metadata.row_group(group).column(place)
                if column.path_in_schema in length:
                    length[column.path_in_schema] += column.total_uncompressed_size
    coded = frozenset(name for name in texts if length[name] <= BYTES_OF_A_CODE * max(rows, 1))
    return Log(tuple(parts), time, coded, days, tuple(snapshots))


def _groups(file: Any, time: str) -> Iterator[tuple[int, tuple[int, int] | None]]:  # noqa: ANN401 - pyarrow has no types
    """Give each row group that has rows, and the days of its first and last row if it says."""
    place = file.schema_arrow.get_field_index(time)
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if group.num_rows:
            told = group.column(place).statistics
            is_told = told is not None and told.has_min_max and isinstance(told.min, datetime)
            yield number, (day_number(told.min), day_number(told.max)) if is_told else None
