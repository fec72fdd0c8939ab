"""Holding a log against the contract, and merging what keeps it into the log's weekly parts."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType

import duckdb
import polars as pl

from features.contracts import Table
from features.ledger import Ledger, SourcePart, WeeklyPart
from features.rollups import rollup, rollups_of
from features.sources.accept import (
    Accepted,
    accepted_as,
    broken_keys,
    good_rows,
    judge_rows,
    known_accounts,
)
from features.sources.early import USUALLY_AFTER, change_of_early, early_by_file, first_times
from features.sources.folder import FolderReader
from features.sources.log import PART, ReadLog
from features.sources.rolling import roll_up
from features.sources.rules import FAILURES, World
from features.sources.sql import literal, number, parquet, run
from features.sources.stage import FOREIGN_KEY, ROW, Staged
from features.sources.takeover import Previous, link
from features.sources.weeks import Weeks, digest


def accept_log(log: ReadLog, world: World, tables: Mapping[str, Accepted], out: Path) -> Accepted:
    """Hold a log against the contract and write the rows that keep it into weekly parts.

    The result is the same as if all rows had been read: where a row that was accepted before may
    no longer be, they are.

    Parameters
    ----------
    log
        What was read of it.
    world, tables
        What it is held against, and the tables before it.
    out
        The folder that gets `<table>/<monday>.parquet`.
    """
    log, judged = _judged(log, world, out)
    failures, aside, weeks = judged.failures, judged.aside, judged.weeks
    parts = _with_early(log, _written(log, weeks), tables, weeks)
    accepted = accepted_as(
        log.staged,
        tuple(weeks.parts / part.file for part in parts),
        failures,
        rows=sum(part.rows for part in parts),
        unversioned=0,
    )
    kept = _keep_aside(log, aside, out) if log.sources else None
    erased = log.before.ledger.erased if log.before else 0
    ledger = Ledger(log.terms, _with_quarantined(log, failures), parts, kept, erased)
    stored = {f"{log.staged.table.name}/{part.file}": part.sha256 for part in parts}
    if log.before:
        stored |= {name: file.sha256 for name, file in log.before.stored(out).items()}
    staged = replace(log.staged, files=(aside,))
    return replace(accepted, staged=staged, ledger=ledger, digests=MappingProxyType(stored))


@dataclass(frozen=True)
class _Judged:
    """Which rows were set aside and why, the file with them, and the others in their weeks."""

    failures: pl.DataFrame
    aside: Path
    weeks: Weeks


def _judged(log: ReadLog, world: World, out: Path) -> tuple[ReadLog, _Judged]:
    reader = log.reader
    if log.before and not _still_holds(reader.connection, log.before, world):
        return _judged(reader.read(anew=True), world, out)
    work = Path(tempfile.mkdtemp(prefix=f"{log.staged.table.name}.weeks.", dir=reader.work))
    weeks = Weeks(reader.connection, log.staged, work, out)
    held = reader.workers.each(partial(_held, log.staged, world), log.staged.files)
    of_rows = pl.concat([FAILURES.to_frame(), *held])
    of_keys = broken_keys(reader.connection, log.staged, of_rows)
    tasks = [
        (place, file, pl.concat([failures, of_keys]))
        for place, (file, failures) in enumerate(zip(log.staged.files, held, strict=True))
    ]
    asides = reader.workers.each(partial(_parted, log.staged, work, out), tasks)
    has_key = FOREIGN_KEY in log.staged.extras
    if log.before and has_key and _shares_a_key(weeks, log.before):
        return _judged(reader.read(anew=True), world, out)
    aside = _set_aside(log, [file for file in asides if file])
    return log, _Judged(pl.concat([of_rows, of_keys]), aside, weeks)


def _held(staged: Staged, world: World, _reader: FolderReader, file: Path) -> pl.DataFrame:
    return judge_rows(replace(staged, files=(file,)), world)


def _parted(
    staged: Staged,
    work: Path,
    out: Path,
    reader: FolderReader,
    task: tuple[int, Path, pl.DataFrame],
) -> Path | None:
    """Put the good rows of a file into their weeks, and give a file with the others, if any."""
    place, file, failures = task
    connection, piece = reader.connection, replace(staged, files=(file,))
    shutil.rmtree(work / str(place), ignore_errors=True)  # what a worker left that was lost
    Weeks(connection, staged, work, out).add(place, good_rows(connection, piece, failures))
    if failures.is_empty():
        return None
    aside = work / f"{place}.aside.parquet"
    connection.register("__aside", failures.select(pl.col(ROW).unique()).to_arrow())
    rows = f"FROM {literal(file)} SEMI JOIN __aside USING ({ROW})"
    run(connection, f"COPY ({rows}) TO {literal(aside)} (FORMAT parquet)")
    connection.unregister("__aside")
    return aside


def _still_holds(connection: duckdb.DuckDBPyConnection, before: Previous, world: World) -> bool:
    """Tell whether the accounts and the time of the extract still allow all rows of then."""
    if world.extracted_at < before.extracted_at:
        return False
    then = known_accounts(
        connection, before.files("accounts.parquet"), before.files("account_merges.parquet")
    )
    vanished = then.filter(~then.is_in(world.accounts.implode()))
    if vanished.is_empty():
        return True
    connection.register("__vanished", vanished.to_frame().to_arrow())
    rows = number(
        connection,
        f"SELECT count(*) FROM {parquet(before.parts())} SEMI JOIN __vanished USING (account_id)",
    )
    connection.unregister("__vanished")
    return rows == 0


def _shares_a_key(weeks: Weeks, before: Previous) -> bool:
    """Tell whether a new row has the key of an accepted one, and is not its copy."""
    return any(
        weeks.has_other(monday, before.identities(), _kept(weeks, before, monday))
        for monday in weeks.touched()
    )


def _kept(weeks: Weeks, before: Previous | None, monday: date) -> str | None:
    name = f"{monday}.parquet"
    (part,) = before.parts(name) or (None,) if before else (None,)
    if before is None or part is None:
        return None
    (identities,) = before.identities(name) or (None,)
    before.verify(part, *before.identities(name))
    return weeks.kept(part, identities)


def _written(log: ReadLog, weeks: Weeks) -> tuple[WeeklyPart, ...]:
    """Write the weeks that new rows touch, and link the others."""
    before = log.before
    tasks = [(monday, _kept(weeks, before, monday)) for monday in weeks.touched()]
    step = partial(_week, weeks.staged, weeks.work, weeks.out)
    written = {part.file: part for part in log.reader.workers.each(step, tasks)}
    for part in before.ledger.parts if before else ():
        if part.rows and part.file not in written and before:
            for file in before.parts(part.file):
                _take_over(file, before, weeks)
            written[part.file] = part
    return tuple(written[name] for name in sorted(written)) or (weeks.write_none(),)


def _take_over(part: Path, before: Previous, weeks: Weeks) -> None:
    """Link a week's files; what was rolled up of it in another way is rolled up anew."""
    present = weeks.staged.columns
    views = rollups_of(before.table, present)
    rollups = [rollup(part.parent, view) / part.name for view in views]
    is_rolled_up = all(file.is_file() for file in rollups)
    beside = (*before.identities(part.name), *(rollups if is_rolled_up else ()))
    for file in (part, *beside):
        link(file, weeks.out / file.relative_to(before.folder))
    if not is_rolled_up:
        before.verify(part)
        roll_up(weeks.parts / part.name, present)


def _week(
    staged: Staged, work: Path, out: Path, reader: FolderReader, task: tuple[date, str | None]
) -> WeeklyPart:
    return Weeks(reader.connection, staged, work, out).write(*task)


def _with_early(
    log: ReadLog, parts: tuple[WeeklyPart, ...], tables: Mapping[str, Accepted], weeks: Weeks
) -> tuple[WeeklyPart, ...]:
    """Count the early rows: of weeks that were taken over only those of accounts that moved."""
    table, connection = log.staged.table, weeks.connection
    other, _ = USUALLY_AFTER[str(table.usually_after)]
    now = first_times(table, tables[other].files)
    taken = (
        {part.file for part in log.before.ledger.parts if part in parts} if log.before else set()
    )
    fresh = [weeks.parts / part.file for part in parts if part.file not in taken]
    workers = log.reader.workers
    counts = workers.each(partial(_early, table, now), workers.shares(fresh))
    early = {file: rows for found in counts for file, rows in found.items()}
    if log.before:
        then = first_times(table, log.before.files(f"{other}.parquet"))
        over = [weeks.parts / part.file for part in parts if part.file in taken]
        early |= change_of_early(connection, table, over, then, now)
    return tuple(
        replace(part, early=early.get(part.file, 0) + (part.early if part.file in taken else 0))
        for part in parts
    )


def _early(
    table: Table, firsts: str, reader: FolderReader, files: Sequence[Path]
) -> dict[str, int]:
    return early_by_file(reader.connection, table, files, firsts)


def _set_aside(log: ReadLog, asides: Sequence[Path]) -> Path:
    # what the quarantine tells of these rows stands in a file of their own
    file = log.reader.work / f"{log.staged.table.name}.aside.parquet"
    rows = parquet(asides) if asides else f"{parquet(log.staged.files)} LIMIT 0"
    run(log.reader.connection, f"COPY (FROM {rows}) TO {literal(file)} (FORMAT parquet)")
    return file


def _keep_aside(log: ReadLog, aside: Path, out: Path) -> str:
    """Keep the rows set aside for the next check, each with its file and its place there."""
    reader = log.reader
    # an empty file begins where the one after it does, and no row is its own
    holding = {part.name for part in log.sources if part.rows} or {log.sources[0].name}
    starts = ", ".join(
        f"({literal(name)}, {start})" for name, start in log.starts().items() if name in holding
    )
    file = reader.work / f"{log.staged.table.name}.kept.parquet"
    run(
        reader.connection,
        f"COPY (SELECT a.* REPLACE (a.{ROW} - s.start AS {ROW}), s.{PART} "
        f"FROM {literal(aside)} AS a ASOF JOIN (VALUES {starts}) AS s({PART}, start) "
        f"ON a.{ROW} > s.start ORDER BY s.{PART}, a.{ROW}) TO {literal(file)} (FORMAT parquet)",
    )
    # named by its content, so that a check of the same accepted rows replaces no file by another
    name = f"{log.staged.table.name}.aside-{digest(file)[:16]}.parquet"
    file.rename(out / name)
    return name


def _with_quarantined(log: ReadLog, failures: pl.DataFrame) -> tuple[SourcePart, ...]:
    rows, starts = failures[ROW].unique(), log.starts()
    return tuple(
        replace(
            part,
            quarantined=int(
                rows.is_between(starts[part.name] + 1, starts[part.name] + part.rows).sum()
            ),
        )
        for part in log.sources
    )
