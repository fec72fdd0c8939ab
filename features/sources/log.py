"""Reading a log: source part by source part, into one part for each week."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from features.contracts import Table
from features.errors import SourceError
from features.ledger import Ledger, SourcePart
from features.sources.accept import Accepted, accepted_as, good_rows, judge
from features.sources.folder import FolderReader
from features.sources.foreign import foreign_rows, rows_of_part
from features.sources.rules import World
from features.sources.sql import literal, parquet, run
from features.sources.stage import ROW, Staged, stage_rows
from features.sources.weeks import Weeks, digest

_LAYOUT = 1  # of the weekly parts; another one makes every log be read again


@dataclass(frozen=True)
class ReadLog:
    """A log as it was read: staged in pieces, a file for each file of the source.

    Parameters
    ----------
    staged
        All of the pieces together.
    sources
        The files of the source in the order of `staged.files`; () where the rows of the log come
        from elsewhere than from files of its own.
    terms
        As in the ledger.
    """

    staged: Staged
    sources: tuple[SourcePart, ...]
    terms: str


def read_log(reader: FolderReader, table: Table, work: Path) -> ReadLog:
    """Read a log's rows into typed Parquet files in `work`, one for each file of the source.

    Raises
    ------
    SourceError
        As `features.sources.stage.stage` does, and when a file changes while it is read.
    """
    whole = foreign_rows(reader, table)
    terms = _terms(reader, table, tuple(whole.columns))
    parts = reader.parts(table.name)
    if not parts:
        return ReadLog(stage_rows(whole, work / f"{table.name}.staged.parquet"), (), terms)
    pieces: list[Staged] = []
    sources: list[SourcePart] = []
    for number, part in enumerate(parts):
        before = part.stat()
        content = digest(part)
        foreign = rows_of_part(whole, part)
        after = sum(piece.read for piece in pieces)
        piece = stage_rows(foreign, work / f"{table.name}.{number}.staged.parquet", after=after)
        _hold_still(part, before.st_size, before.st_mtime_ns)
        pieces.append(piece)
        sources.append(
            SourcePart(
                name=part.relative_to(reader.mapping.folder).as_posix(),
                bytes=before.st_size,
                mtime_ns=before.st_mtime_ns,
                sha256=content,
                rows=piece.read,
                quarantined=0,
                malformed=0,
            )
        )
    return ReadLog(_together(pieces), tuple(sources), terms)


def accept_log(
    connection: duckdb.DuckDBPyConnection, log: ReadLog, world: World, out: Path
) -> tuple[Accepted, Ledger]:
    """Hold a log against the contract and write the rows that keep it into weekly parts.

    Parameters
    ----------
    connection
        The reader's connection.
    log, world
        The log, and what it is held against.
    out
        The folder that gets `<table>/<monday>.parquet`.
    """
    staged = log.staged
    failures = judge(connection, staged, world)
    folder, work = out / staged.table.name, out.parent / f"{staged.table.name}.weeks"
    folder.mkdir()
    work.mkdir()
    weeks = Weeks(connection, staged, work, folder)
    for number, file in enumerate(staged.files):
        piece = replace(staged, files=(file,))
        weeks.add(number, good_rows(connection, piece, failures))
    parts = tuple(weeks.write(monday) for monday in weeks.touched()) or (weeks.write_none(),)
    accepted = accepted_as(
        staged,
        tuple(folder / part.file for part in parts),
        failures,
        rows=sum(part.rows for part in parts),
        unversioned=0,
    )
    aside = _set_aside(connection, staged, failures, out.parent)
    ledger = Ledger(log.terms, _with_quarantined(log.sources, failures), parts)
    return replace(accepted, staged=replace(staged, files=(aside,))), ledger


def _terms(reader: FolderReader, table: Table, columns: tuple[str, ...]) -> str:
    mapping = reader.mapping.table(table.name)
    mapped = (mapping.file, mapping.sql, mapping.key, sorted(mapping.left_out))
    given = sorted(mapping.columns.items())
    hangs_on = (_LAYOUT, duckdb.__version__, pa.__version__, table, sorted(columns), mapped, given)
    return hashlib.sha256(repr(hangs_on).encode()).hexdigest()


def _hold_still(part: Path, size: int, mtime_ns: int) -> None:
    now = part.stat()
    if (now.st_size, now.st_mtime_ns) != (size, mtime_ns):
        raise SourceError(
            f"Expected {part} to stay as it is while it is read, got a change. "
            "Run this again when the extract is complete."
        )


def _together(pieces: Sequence[Staged]) -> Staged:
    return replace(
        pieces[0],
        files=tuple(file for piece in pieces for file in piece.files),
        unknown=tuple(dict.fromkeys(name for piece in pieces for name in piece.unknown)),
        read=sum(piece.read for piece in pieces),
    )


def _set_aside(
    connection: duckdb.DuckDBPyConnection, staged: Staged, failures: pl.DataFrame, work: Path
) -> Path:
    # what the quarantine tells of these rows stands in a file of their own
    file = work / f"{staged.table.name}.aside.parquet"
    connection.register("__aside", failures.select(pl.col(ROW).unique()).to_arrow())
    run(
        connection,
        f"COPY (FROM {parquet(staged.files)} SEMI JOIN __aside USING ({ROW})) "
        f"TO {literal(file)} (FORMAT parquet)",
    )
    connection.unregister("__aside")
    return file


def _with_quarantined(
    sources: tuple[SourcePart, ...], failures: pl.DataFrame
) -> tuple[SourcePart, ...]:
    rows = failures[ROW].unique()
    counted, after = [], 0
    for part in sources:
        within = rows.is_between(after + 1, after + part.rows).sum()
        counted.append(replace(part, quarantined=int(within)))
        after += part.rows
    return tuple(counted)
