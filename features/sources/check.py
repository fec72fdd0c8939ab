"""Checking a source: read, hold against the contract, set aside what breaks it, keep the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import polars as pl

from features.checked import CheckedSource, origin_of
from features.contracts import TABLES
from features.engine import Cluster
from features.errors import SourceError
from features.home import Home
from features.sources.accept import Accepted, accept, known_accounts
from features.sources.accept_log import accept_log
from features.sources.currency import read_rates
from features.sources.extracted import doubts, guess_extracted_at
from features.sources.folder import FolderReader, open_folder
from features.sources.left_out import left_out, merged_too
from features.sources.log import LogReader, ReadLog
from features.sources.mapping import SourceMap, is_database, read_mapping
from features.sources.notes import errors_of, notes, stable_columns, warnings
from features.sources.publish import publish
from features.sources.quarantine import write_quarantine
from features.sources.rules import World
from features.sources.stage import Staged, stage
from features.sources.workers import Here, OnCluster, Workers
from features.sources.workplace import remove_superseded, workplace
from features.tombstones import Tombstones, at_work, with_key

DEFAULT_LIMIT = 0.05


def check(
    source: str,
    *,
    home: Home,
    limit: float = DEFAULT_LIMIT,
    progress: Callable[[str], None] | None = None,
    on: Cluster | None = None,
) -> CheckedSource:
    """Check a source against the contract and keep what passes, as Parquet, in `home.checked`.

    Parameters
    ----------
    source
        A folder, or a database URL such as sqlite:///company.db.
    home
        Where the checked tables and the quarantine file go.
    limit
        The largest share of broken rows of one table, 0 to 1, that does not stop the run.
    progress
        Called with a line for each step.
    on
        Whose workers read a log that comes as Parquet, hold it against the contract and write its
        weeks; they must see the source and `home` by the same paths. By default this process does.
        The result is the same to the byte.

    Raises
    ------
    SourceError
        When the source cannot be read, a required table or column is absent, or a table's share
        of broken rows is above the limit; its rows are in the quarantine file then too.
    """
    say = progress or _silent
    with at_work(home):
        with workplace(home) as work:
            checked = _check(_mapping(source, work, say), work, home, limit, say, on)
        remove_superseded(checked, home)
    return checked


def _silent(_line: str) -> None:
    return


def _mapping(source: str, work: Path, say: Callable[[str], None]) -> SourceMap:
    if is_database(source):
        return _unloaded(SourceMap(work, database=source), work, say)
    folder = Path(source).resolve()
    if not folder.is_dir():
        raise SourceError(
            f"Expected a folder or a database URL as the source, got {source!r}. Check the path."
        )
    mapping = read_mapping(folder)
    return _unloaded(mapping, work, say) if mapping.database else mapping


def _unloaded(mapping: SourceMap, work: Path, say: Callable[[str], None]) -> SourceMap:
    from features.sources.database import unload  # noqa: PLC0415 - no folder needs SQLAlchemy

    say("unloading the database")
    folder = work / "unloaded"
    folder.mkdir()
    unload(str(mapping.database), folder, mapping.names())
    return replace(mapping, folder=folder)


def _check(
    mapping: SourceMap,
    work: Path,
    home: Home,
    limit: float,
    say: Callable[[str], None],
    on: Cluster | None,
) -> CheckedSource:
    out = work / "out"
    out.mkdir()
    reader = open_folder(mapping, work)
    try:
        workers = OnCluster(on, mapping, work) if on else Here(reader)
        read = _read(reader, home, work, say, workers)
        extracted_at = mapping.extracted_at or guess_extracted_at(
            reader.connection,
            [_staged(table) for table in read],
            [day for table in read if isinstance(table, ReadLog) for day in table.latest_day()],
            datetime.now(UTC).replace(tzinfo=None),
        )
        tables = _accept(reader, read, extracted_at, out, say)
        quarantine = write_quarantine(reader.connection, tables.values(), home, work)
        _hold_limit(tables, limit, quarantine)
        checked = _describe(reader, tables, extracted_at, quarantine)
    finally:
        reader.connection.close()
    digests = {name: sha for table in tables.values() for name, sha in table.digests.items()}
    return publish(checked, out, home, digests)


def _origin(mapping: SourceMap) -> str:
    return origin_of(mapping.database or str(mapping.folder))


def _read(
    reader: FolderReader, home: Home, work: Path, say: Callable[[str], None], workers: Workers
) -> tuple[Staged | ReadLog, ...]:
    present = reader.tables()
    for table in TABLES.values():
        if table.required and table.name not in present:
            raise SourceError(
                f"Expected a file {table.name}.parquet or {table.name}.csv in "
                f"{reader.mapping.folder}, got {', '.join(reader.files) or 'no data files'}. "
                f"Add it, or map another file at `tables.{table.name}.file` in source.toml."
            )
    read_rates(reader)
    found: list[Staged | ReadLog] = []
    erased = _erased(reader, home, work)
    for name in present:
        say(f"reading {name}")
        table = TABLES[name]
        if table.is_log:
            log = LogReader(reader, table, _origin(reader.mapping), home, work, workers, erased)
            found.append(log.read())
        else:
            staged = _with_rows(stage(reader, table, work, erased.persons_key))
            found.append(left_out(reader.connection, staged, erased))
    return tuple(found)


def _erased(reader: FolderReader, home: Home, work: Path) -> Tombstones:
    """Say whose rows are left out: erased accounts, and what was merged into them since."""
    erased, merges = with_key(home), TABLES["account_merges"]
    if erased and merges.name in reader.tables():
        staged = stage(reader, merges, work, erased.persons_key)
        return merged_too(reader.connection, staged, erased)
    return erased


def _staged(table: Staged | ReadLog) -> Staged:
    return table.staged if isinstance(table, ReadLog) else table


def _how_many(table: Staged | ReadLog) -> str:
    if isinstance(table, Staged) or not table.before:
        return f"{_staged(table).read:,}"
    return f"{table.new_rows():,} of {table.staged.read:,}"


def _with_rows(staged: Staged) -> Staged:
    name = staged.table.name
    if staged.table.required and not (staged.read or staged.malformed):
        raise SourceError(
            f"Expected rows in the table {name}, got none: {name} has no rows below its "
            "heading. Extract it again."
        )
    return staged


def _accept(
    reader: FolderReader,
    read: Sequence[Staged | ReadLog],
    extracted_at: datetime,
    out: Path,
    say: Callable[[str], None],
) -> dict[str, Accepted]:
    connection = reader.connection
    tables: dict[str, Accepted] = {}
    files = {_staged(table).table.name: _staged(table).files for table in read}
    world = World(pl.Series("account_id", [], dtype=pl.String), extracted_at)
    for table in read:
        staged = _staged(table)
        name = staged.table.name
        say(f"checking {name}: {_how_many(table)} rows")
        if isinstance(table, ReadLog):
            tables[name] = accept_log(table, world, tables, out)
        else:
            tables[name] = accept(connection, table, world, out)
        if name in {"accounts", "account_merges"}:
            # merges are read right after accounts; their own rows may name each other's ids
            files[name] = tables[name].files
            known = known_accounts(connection, files["accounts"], files.get("account_merges", ()))
            world = World(known, extracted_at)
    return tables


def _hold_limit(tables: Mapping[str, Accepted], limit: float, quarantine: Path | None) -> None:
    over = [
        _share(table)
        for table in tables.values()
        if table.counts.read and table.counts.quarantined / table.counts.read > limit
    ]
    if over:
        raise SourceError(
            f"Expected at most {limit:.1%} broken rows in each table, got {'; '.join(over)}. "
            f"The rows and reasons are in {quarantine}: mend the source, map it in source.toml, "
            "or look past the limit with: tenure validate SOURCE --limit 1"
        )
    for table in tables.values():
        if table.staged.table.required and not table.counts.accepted:
            raise SourceError(
                f"Expected good rows in the table {table.staged.table.name}, got none. "
                f"The rows and reasons are in {quarantine}: mend the source."
            )


def _share(table: Accepted) -> str:
    counts, worst = table.counts, errors_of(table)[0]
    return (
        f"{counts.quarantined / counts.read:.1%} in {table.staged.table.name} "
        f"({counts.quarantined:,} of {counts.read:,}; most often {worst.message})"
    )


def _describe(
    reader: FolderReader,
    tables: Mapping[str, Accepted],
    extracted_at: datetime,
    quarantine: Path | None,
) -> CheckedSource:
    is_guess = reader.mapping.extracted_at is None
    findings = (
        *(finding for table in tables.values() for finding in errors_of(table)),
        *doubts(reader.connection, tables, extracted_at, is_guess=is_guess),
        *warnings(reader.connection, tables),
        *notes(reader, tables, extracted_at, is_guess=is_guess),
    )
    return CheckedSource(
        folder=Path(),
        columns=MappingProxyType({name: table.staged.columns for name, table in tables.items()}),
        extracted_at=extracted_at,
        extracted_at_is_guess=is_guess,
        currency=reader.mapping.currency,
        stable_columns=stable_columns(tables),
        fingerprint="",
        counts=MappingProxyType({name: table.counts for name, table in tables.items()}),
        findings=findings,
        quarantine=quarantine,
        origin=_origin(reader.mapping),
        ledgers=MappingProxyType({n: t.ledger for n, t in tables.items() if t.ledger}),
    )
