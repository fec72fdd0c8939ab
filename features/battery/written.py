"""Drawn tables as a checked source."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from features.battery.drawn import DAYS, START, Row, Tables
from features.battery.known import FIRST_TIMES, known_at
from features.checked import MANIFEST, CheckedSource, write_manifest
from features.contracts import TABLES, Table, Type

ARROW: Mapping[Type, pa.DataType] = MappingProxyType(
    {
        Type.TEXT: pa.string(),
        Type.INTEGER: pa.int64(),
        Type.NUMBER: pa.float64(),
        Type.MONEY: pa.decimal128(18, 4),
        Type.BOOLEAN: pa.bool_(),
        Type.TIME: pa.timestamp("us"),
    }
)

MONDAY = START.date() - timedelta(days=START.weekday())


def write_checked(folder: Path, tables: Tables) -> CheckedSource:
    """Write tables as `features.sources.check` leaves them: typed, with `known_at`.

    Overwritten columns count as stable: the source has versions, or calls them constant.
    """
    folder.mkdir(parents=True)
    columns = {name: _columns(TABLES[name], rows) for name, rows in tables.items()}
    stable = {(name, c.name) for name in columns for c in TABLES[name] if c.overwritten}
    source = CheckedSource(
        folder=folder,
        columns=MappingProxyType(columns),
        extracted_at=START + timedelta(days=DAYS + 1000),
        extracted_at_is_guess=False,
        currency=None,
        stable_columns=frozenset(stable),
        fingerprint=folder.name,
        counts=MappingProxyType({}),
        findings=(),
        quarantine=None,
    )
    for name, rows in tables.items():
        _write(source.path(name), name, columns[name], rows)
    (folder / MANIFEST).write_text(write_manifest(source), encoding="utf-8")
    return source


def _write(path: Path, name: str, columns: Iterable[str], rows: list[Row]) -> None:
    """Write a table's file, or of a log the folder of its weeks."""
    if path.suffix:
        pq.write_table(_arrow(name, columns, rows), path)
        return
    path.mkdir()
    weeks: dict[date, list[Row]] = {MONDAY: []}
    for row in rows:
        day = row[FIRST_TIMES[name]].date()
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(row)
    for monday, of_week in weeks.items():
        pq.write_table(_arrow(name, columns, of_week), path / f"{monday}.parquet")


def _columns(table: Table, rows: Iterable[Row]) -> tuple[str, ...]:
    is_versioned = any("recorded_at" in row for row in rows)
    return tuple(c.name for c in table if is_versioned or c.name != "recorded_at")


def _arrow(name: str, columns: Iterable[str], rows: list[Row]) -> pa.Table:
    table = TABLES[name]
    cells = {c: pa.array([row.get(c) for row in rows], ARROW[table[c].dtype]) for c in columns}
    known = pa.array([known_at(name, row) for row in rows], ARROW[Type.TIME])
    return pa.table({**cells, "known_at": known})
