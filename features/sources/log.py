"""Reading a log: of its source's files only those that no earlier check has read."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts import Table
from features.errors import SourceError
from features.home import Home
from features.ledger import SourcePart
from features.sources.folder import FolderReader
from features.sources.foreign import Foreign, foreign_rows, rows_of_part
from features.sources.left_out import left_out, rows_out
from features.sources.sql import literal, run
from features.sources.stage import ROW, Staged, nothing_of, stage_rows
from features.sources.takeover import YOUNG_NS, Previous, previous_log
from features.sources.weeks import digest
from features.sources.workers import Workers
from features.tombstones import Tombstones

PART = "__part"
_LAYOUT = 3  # of the weekly parts; another one makes every log be read again


@dataclass(frozen=True)
class ReadLog:
    """A log as it was read.

    Parameters
    ----------
    reader
        Who read it, and may have to read it as a whole.
    staged
        The rows to judge: those of new files, and those that the check before set aside; with
        `read` and the row numbers of the whole log.
    sources
        Its files in their order; () where its rows come from elsewhere, and are all read each time.
    terms
        As in the ledger.
    before
        What is taken over, or None where all rows were read.
    """

    reader: "LogReader"
    staged: Staged
    sources: tuple[SourcePart, ...]
    terms: str
    before: Previous | None

    def latest_day(self) -> Iterator[date]:
        """Give the latest day of the rows that are taken over, if there are any."""
        day = self.before.ledger.latest_day if self.before else None
        if day:
            yield day

    def new_rows(self) -> int:
        """Give how many rows no earlier check has read."""
        known = self.before.known() if self.before else {}
        return sum(part.rows for part in self.sources if part.name not in known)

    def starts(self) -> Mapping[str, int]:
        """Give how many rows lie before each file's own."""
        return {
            part.name: sum(earlier.rows for earlier in self.sources[:place])
            for place, part in enumerate(self.sources)
        }


@dataclass(frozen=True)
class LogReader:
    """Reads one log of a source.

    Parameters
    ----------
    reader, table
        The open source, and the log's declaration.
    origin
        Digest of the source's address.
    home, work
        Where earlier checks lie, and a folder for this check's own files.
    workers
        Who reads the files.
    erased
        Whose rows are left out.
    """

    reader: FolderReader
    table: Table
    origin: str
    home: Home
    work: Path
    workers: Workers
    erased: Tombstones

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The source's connection."""
        return self.reader.connection

    def read(self, *, anew: bool = False) -> ReadLog:
        """Read the rows that no earlier check of the same source has accepted, or all `anew`.

        Raises
        ------
        SourceError
            As `features.sources.stage.stage` does; also when a file changes while it is read, and
            when what an earlier check wrote is damaged.
        """
        whole = foreign_rows(self.reader, self.table)
        parts, terms = self._parts(), self._terms(whole)
        if not parts:
            file = self.work / f"{self.table.name}.staged.parquet"
            rows = stage_rows(whole, file, self.erased.persons_key)
            staged = left_out(self.connection, rows, self.erased)
            return ReadLog(self, staged, (), terms, None)
        before = None
        if not anew:
            before = previous_log(self.home, self.origin, self.table.name, terms, parts, self.work)
        pieces, sources = self._read(whole, parts, before)
        log = ReadLog(self, nothing_of(whole), sources, terms, before)
        if before:
            pieces = [*pieces, self._to_judge_again(before, log.starts())]
        left = sum(part.erased for part in sources) + (before.ledger.erased if before else 0)
        read = sum(part.rows for part in sources)
        staged = replace(log.staged, files=tuple(pieces), read=read, erased=left)
        return replace(log, staged=staged)

    def _parts(self) -> Mapping[str, Path]:
        folder = self.reader.mapping.folder
        paths = self.reader.parts(self.table.name)
        return {path.relative_to(folder).as_posix(): path for path in paths}

    def _terms(self, whole: Foreign) -> str:
        mapping = whole.mapping
        mapped = (mapping.file, mapping.sql, mapping.key, sorted(mapping.left_out))
        given = sorted(mapping.columns.items())
        writers = (_LAYOUT, duckdb.__version__, pa.__version__)
        key = hashlib.sha256(self.erased.persons_key).hexdigest()
        hangs_on = (writers, self.table, sorted(whole.columns), mapped, given, key)
        return hashlib.sha256(repr(hangs_on).encode()).hexdigest()

    def _read(
        self, whole: Foreign, parts: Mapping[str, Path], before: Previous | None
    ) -> tuple[Sequence[Path], tuple[SourcePart, ...]]:
        known = before.known() if before else {}
        tasks: list[_Part] = []
        after = 0
        for name, path in parts.items():
            if name not in known:
                file = self.work / f"{self.table.name}.{len(tasks)}.staged.parquet"
                tasks.append(_Part(name, path, file, after, pq.read_metadata(path).num_rows))
            after += known[name].rows if name in known else tasks[-1].rows
        step = partial(_read_part, self.table, whole.columns, self.erased)
        new = {part.name: part for part in self.workers.each(step, tasks)}
        sources = [
            new[name] if name in new else replace(known[name], mtime_ns=_settled_ns(path))
            for name, path in parts.items()
        ]
        return [task.file for task in tasks], tuple(sources)

    def _to_judge_again(self, before: Previous, starts: Mapping[str, int]) -> Path:
        file = self.work / f"{self.table.name}.again.staged.parquet"
        rows = ", ".join(f"({literal(name)}, {start})" for name, start in starts.items())
        run(
            self.connection,
            f"COPY (SELECT a.* EXCLUDE ({PART}) REPLACE (a.{ROW} + s.start AS {ROW}) "
            f"FROM {literal(before.aside)} AS a JOIN (VALUES {rows}) AS s({PART}, start) "
            f"USING ({PART})) TO {literal(file)} (FORMAT parquet)",
        )
        rows_out(self.connection, self.table, file, self.erased)
        return file


@dataclass(frozen=True)
class _Part:
    """A file of the source to read into another, its `rows` numbered from `after` + 1."""

    name: str
    path: Path
    file: Path
    after: int
    rows: int


def _read_part(
    table: Table, columns: dict[str, str], erased: Tombstones, reader: FolderReader, part: _Part
) -> SourcePart:
    path, whole = part.path, Foreign(reader, table, "", columns)
    before, mtime_ns, content = path.stat(), _settled_ns(path), digest(path)
    rows = rows_of_part(whole, path)
    staged = stage_rows(rows, part.file, erased.persons_key, after=part.after)
    now = path.stat()
    is_same = (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    if not is_same or staged.read != part.rows:
        raise SourceError(
            f"Expected {path} to stay as it is while it is read, got a change. "
            "Check the source again when the extract is complete."
        )
    left = left_out(reader.connection, staged, erased).erased
    return SourcePart(part.name, before.st_size, mtime_ns, content, staged.read, 0, left)


def _settled_ns(path: Path) -> int | None:
    mtime_ns = path.stat().st_mtime_ns
    return mtime_ns if time.time_ns() - mtime_ns > YOUNG_NS else None
