"""Taking erased accounts out of checked sources: each is written anew, whole, in its own place.

A checked source without them has another fingerprint, and so another folder: the one that a check
of the same source would give now. The next check reads on from it as from any other.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.checked import (
    MANIFEST,
    CheckedSource,
    Counts,
    manifest_of,
    read_manifest,
    write_manifest,
)
from features.contracts import TABLES
from features.errors import SourceError
from features.held import held_folder
from features.home import Home, private
from features.ledger import WeeklyPart
from features.rollups import rollup, rollups_of
from features.sources.early import USUALLY_AFTER, early_by_file, first_times
from features.sources.left_out import PARENT, owners, rows_out, values
from features.sources.publish import fingerprint_of, publish, stored_below
from features.sources.sql import literal, run
from features.sources.stage import FOREIGN_ROW, Staged
from features.sources.takeover import link
from features.sources.weeks import NO_ROWS, Weeks
from features.sources.workplace import PREFIX, alone
from features.tombstones import Tombstones, put_private

MERGES = "account_merges"
_MEMORY_LIMIT = "1GB"


def merged_here(home: Home) -> set[tuple[object, object]]:
    """Give from which id into which each checked source says that accounts were merged."""
    found: set[tuple[object, object]] = set()
    for file in home.checked.glob(f"*/{MERGES}.parquet"):
        rows = pq.read_table(file, columns=["from_account_id", "into_account_id"])
        found.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return found


def sweep_checked(home: Home, erased: Tombstones, say: Callable[[str], None]) -> int:
    """Take erased accounts out of all checked sources, and give how many had any.

    Whoever calls it holds `features.tombstones.erasing`. What was killed is finished by the next.
    """
    checked = private(home.checked).resolve()
    for left in checked.glob(f"{PREFIX}*"):
        shutil.rmtree(left)  # no check is at work, or nobody could be erasing
    changed = 0
    for folder in sorted(path for path in checked.iterdir() if path.is_dir()):
        try:
            source = read_manifest(folder)
        except SourceError:
            shutil.rmtree(folder)  # half removed, or of an older version: nobody can read it
            continue
        dirty = _dirty(folder, erased)
        if dirty:
            say(f"writing the checked source {folder.name[:12]} anew")
            _swept(source, dirty, erased, home)
            changed += 1
    return changed


def followed(home: Home, fingerprint: str) -> str:
    """Give the fingerprint that a checked source has since accounts were taken out of it."""
    now = _moved(home)
    while fingerprint in now:
        fingerprint = now[fingerprint]
    return fingerprint


def _moved(home: Home) -> dict[str, str]:
    file = home.erasure / "fingerprints.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _dirty(folder: Path, erased: Tombstones) -> frozenset[str]:
    """Name the files below a checked source in which an erased account is named."""
    names = (file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*.parquet")))
    return frozenset(name for name in names if _names_any(folder / name, name, erased))


def _names_any(file: Path, name: str, erased: Tombstones) -> bool:
    table = TABLES.get(name.split("/", maxsplit=1)[0].split(".", maxsplit=1)[0])
    there = pq.read_schema(file).names
    whose = {*owners(table), PARENT} if table else set(there)
    return any(erased.among(values(file, column)) for column in there if column in whose)


@dataclass(frozen=True)
class _Sweep:
    """One checked source being written anew, without those rows.

    Parameters
    ----------
    source, erased
        What it was, and whose rows go.
    out
        The new files.
    connection
        Reads and writes them.
    """

    source: CheckedSource
    erased: Tombstones
    out: Path
    connection: duckdb.DuckDBPyConnection


def _swept(source: CheckedSource, dirty: frozenset[str], erased: Tombstones, home: Home) -> None:
    manifests = [MANIFEST, *sorted(path.name for path in source.folder.glob("manifest.*.json"))]
    others = [read_manifest(source.folder, name) for name in manifests[1:]]
    with held_folder(source.folder.parent, PREFIX) as work, duckdb.connect() as connection:
        for setting in ("TimeZone = 'UTC'", f"memory_limit = '{_MEMORY_LIMIT}'"):
            run(connection, f"SET {setting}")
        run(connection, f"SET temp_directory = {literal(work / 'spill')}")
        sweep = _Sweep(source, erased, work / "out", connection)
        weeks = {name: _of_log(name, dirty) for name in source.ledgers}
        renewed = {name for table, days in weeks.items() for name in _files_of(table, days, source)}
        for file in source.folder.rglob("*.parquet"):
            name = file.relative_to(source.folder).as_posix()
            if name not in renewed:
                link(file, sweep.out / name)
        gone = {name: _rows_out(sweep, name) for name in sorted(dirty - renewed)}
        parts = {name: _parts(sweep, name, days) for name, days in weeks.items() if days}
        files = MappingProxyType(stored_below(sweep.out, {}))
        main, *beside = (
            _renewed(replace(each, files=files), gone, parts) for each in (source, *others)
        )
        _put_in_place(main, beside, source.folder, sweep.out, home)


def _of_log(table: str, dirty: Iterable[str]) -> tuple[str, ...]:
    """Name the weekly parts of a log that are dirty, or of which something beside them is."""
    folders = [name.split("/") for name in dirty if "/" in name]
    return tuple(sorted({file for folder, file in folders if folder.split(".")[0] == table}))


def _files_of(table: str, weeks: Iterable[str], source: CheckedSource) -> set[str]:
    """Name all files of some weeks: the parts, and what lies beside each."""
    folders = [path.name for path in source.folder.iterdir() if path.is_dir()]
    own = [name for name in folders if name.split(".")[0] == table]
    return {f"{folder}/{week}" for folder in own for week in weeks}


def _rows_out(sweep: _Sweep, name: str) -> int:
    table = TABLES[name.split(".", maxsplit=1)[0]]
    return rows_out(sweep.connection, table, sweep.out / name, sweep.erased)


def _parts(sweep: _Sweep, table: str, weeks: Iterable[str]) -> tuple[WeeklyPart, ...]:
    """Write weeks of a log anew; one without rows is no more."""
    ledger, folder = sweep.source.ledgers[table], sweep.source.folder
    (sweep.out / table).mkdir(parents=True, exist_ok=True)
    writer = _writer(sweep, table)
    parts = {part.file: part for part in ledger.parts}
    for week in weeks:
        rows = _kept(sweep, writer, folder / table / week)
        part = writer.write_rows(date.fromisoformat(Path(week).stem), rows)
        if part.rows:
            parts[week] = _with_early(sweep, table, part)
        else:
            del parts[week]
            for name in _files_of(table, [week], sweep.source):
                (sweep.out / name).unlink(missing_ok=True)
            for view in rollups_of(table, sweep.source.columns[table]):
                (rollup(sweep.out / table, view) / week).unlink(missing_ok=True)
    if not parts:
        rows = f"{_kept(sweep, writer, folder / table / next(iter(weeks)))} LIMIT 0"
        parts = {"": writer.write_rows(NO_ROWS, rows)}
    return tuple(parts[file] for file in sorted(parts))


def _writer(sweep: _Sweep, table: str) -> Weeks:
    has_identities = (sweep.source.folder / f"{table}.identities").is_dir()
    columns = tuple(sweep.source.columns[table])
    staged = Staged(
        table=TABLES[table],
        files=(),
        columns=columns,
        constants=frozenset(),
        extras=(FOREIGN_ROW,) if has_identities else (),
        unknown=(),
        read=0,
        malformed=(),
        foreign_key=None,
    )
    return Weeks(sweep.connection, staged, sweep.out.parent, sweep.out)


def _kept(sweep: _Sweep, writer: Weeks, part: Path) -> str:
    identities = writer.identities.name
    beside = part.parent.with_name(identities) / part.name
    gone = pa.table({"account_id": sorted(sweep.erased.among(values(part, "account_id")))})
    run(sweep.connection, "DROP TABLE IF EXISTS __gone")
    sweep.connection.register("__gone_rows", gone)
    run(
        sweep.connection,
        "CREATE TABLE __gone AS SELECT account_id::VARCHAR AS account_id FROM __gone_rows",
    )
    sweep.connection.unregister("__gone_rows")
    rows = writer.kept(part, beside if beside.is_file() else None)
    return f"{rows} WHERE account_id NOT IN (SELECT account_id FROM __gone)"


def _with_early(sweep: _Sweep, table: str, part: WeeklyPart) -> WeeklyPart:
    declared = TABLES[table]
    other, _ = USUALLY_AFTER[str(declared.usually_after)]
    firsts = first_times(declared, [sweep.out / f"{other}.parquet"])
    file = sweep.out / table / part.file
    early = early_by_file(sweep.connection, declared, [file], firsts)
    return replace(part, early=early.get(part.file, 0))


def _renewed(
    source: CheckedSource, gone: Mapping[str, int], parts: Mapping[str, tuple[WeeklyPart, ...]]
) -> CheckedSource:
    """Say in a manifest where the rows went."""
    counts, ledgers = dict(source.counts), dict(source.ledgers)
    for table, ledger in source.ledgers.items():
        new = parts.get(table, ledger.parts)
        aside = gone.get(str(ledger.aside), 0)
        out = _rows(ledger.parts) - _rows(new)
        ledgers[table] = replace(ledger, parts=new, erased=ledger.erased + out + aside)
        counts[table] = _counted(counts[table], out, aside)
    for table in set(counts) - set(ledgers):
        counts[table] = _counted(counts[table], gone.get(f"{table}.parquet", 0), 0)
    changed = replace(source, counts=MappingProxyType(counts), ledgers=MappingProxyType(ledgers))
    return replace(changed, fingerprint=fingerprint_of(changed))


def _rows(parts: Iterable[WeeklyPart]) -> int:
    return sum(part.rows for part in parts)


def _counted(counts: Counts, accepted: int, aside: int) -> Counts:
    return replace(
        counts,
        accepted=counts.accepted - accepted,
        quarantined=counts.quarantined - aside,
        erased=counts.erased + accepted + aside,
    )


def _put_in_place(
    main: CheckedSource, beside: Iterable[CheckedSource], before: Path, out: Path, home: Home
) -> None:
    """Put the new files where they belong, then remove the old ones.

    In this order a kill leaves one or both, and the next sweep finds the old one again.
    """
    target = before.parent / main.fingerprint
    written = (before / MANIFEST).stat().st_mtime_ns
    if not (target / MANIFEST).exists() or target == before:
        digests = {name: stored.sha256 for name, stored in main.files.items()}
        kept = publish(main, out, home, digests)
        os.utime(kept.folder / MANIFEST, ns=(written, written))
        with alone(home.checked):
            for other in beside:
                text = write_manifest(replace(other, folder=kept.folder))
                put_private(kept.folder / manifest_of(other.origin), text)
    if target != before:
        moved = json.dumps({**_moved(home), before.name: target.name}, indent=1)
        put_private(home.erasure / "fingerprints.json", moved)
        with alone(home.checked):
            # without its manifest it is no checked source, however far the removal gets
            (before / MANIFEST).unlink()
            shutil.rmtree(before)
