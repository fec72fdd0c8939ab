"""Bringing foreign rows into the contract's columns and types, without judging them yet."""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from features.contracts import Column, Table, Type
from features.errors import SourceError
from features.sources.cells import became_floats, keyed, raw, sql_type, typed, whole_again
from features.sources.currency import ROW_CURRENCY, UNRATED, converted, row_currency
from features.sources.folder import FolderReader
from features.sources.foreign import Foreign, foreign_rows
from features.sources.malformed import malformed_lines, newest_scan
from features.sources.mapping import CURRENCY
from features.sources.sql import first_line, literal, number, quoted, run

ROW = "row"
FOREIGN_KEY = "__key"
FOREIGN_ROW = "__foreign"
NAMES_PERSONS = "(withheld: the line may name a person)"


@dataclass(frozen=True)
class Staged:
    """One table, typed: Parquet with a row number and what could not be read.

    Parameters
    ----------
    table
        The contract's declaration.
    files
        Columns: `row` (from 1, in the order of the source), the present contract columns, and
        beside each that is not text `<column>!`, the text of a cell that is not of its type.
    columns
        The present contract columns, in the contract's order.
    constants
        Those of them that the source calls constant.
    extras
        Further columns of the files, for telling copies apart, or the row's currency and whether it
        has no exchange rate.
    unknown
        Foreign columns that nothing asked for.
    read
        Rows in the files.
    malformed
        (line number, text, what is wrong) of CSV lines that are not rows at all.
    foreign_key
        The foreign column that names a row, where `source.toml` gives one.
    erased
        How many of the rows read were left out, as rows of erased accounts.
    """

    table: Table
    files: tuple[Path, ...]
    columns: tuple[str, ...]
    constants: frozenset[str]
    extras: tuple[str, ...]
    unknown: tuple[str, ...]
    read: int
    malformed: tuple[tuple[int, str, str], ...]
    foreign_key: str | None
    erased: int = 0


@dataclass(frozen=True)
class _Cell:
    column: Column
    sql: str
    native: str
    is_constant: bool
    own: str = ""


def unreadable(name: str) -> str:
    """Give the name of the staged column with the text of cells that are not of their type."""
    return f"{name}!"


def stage(reader: FolderReader, table: Table, work: Path, key: bytes) -> Staged:
    """Read one table of a source into a typed Parquet file in `work`.

    Ids of persons are kept as HMACs under `key`.

    Raises
    ------
    SourceError
        When the table's file, query or expressions cannot be read, or a required column is absent.
    """
    return stage_rows(foreign_rows(reader, table), work / f"{table.name}.staged.parquet", key)


def stage_rows(foreign: Foreign, file: Path, key: bytes, *, after: int = 0) -> Staged:
    """Read foreign rows into a typed Parquet file, numbered from `after` + 1; errors as above."""
    connection = foreign.reader.connection
    earlier = newest_scan(connection)
    staged = nothing_of(foreign)
    _write(foreign, _query(foreign, after, key), file)
    return replace(
        staged,
        files=(file,),
        read=pq.read_metadata(file).num_rows,
        malformed=_without_persons(foreign.table, malformed_lines(connection, earlier)),
    )


def _without_persons(
    table: Table, lines: tuple[tuple[int, str, str], ...]
) -> tuple[tuple[int, str, str], ...]:
    """Leave the text out of lines that are no rows, where it may name a person."""
    if not any(column.names_person for column in table):
        return lines
    return tuple((line, NAMES_PERSONS, wrong) for line, _, wrong in lines)


def nothing_of(foreign: Foreign) -> Staged:
    """Describe a table of which no rows are read; errors as above."""
    cells = _cells(foreign)
    extras = tuple(_extras(foreign, cells))
    currency = row_currency(foreign)
    return Staged(
        table=foreign.table,
        files=(),
        columns=tuple(cell.column.name for cell in cells),
        constants=frozenset(cell.column.name for cell in cells if cell.is_constant),
        extras=(*extras, ROW_CURRENCY, UNRATED) if currency else extras,
        unknown=foreign.unknown({CURRENCY} if currency or foreign.reader.mapping.rates else set()),
        read=0,
        malformed=(),
        foreign_key=foreign.mapping.key,
    )


def _write(foreign: Foreign, query: str, file: Path) -> None:
    try:
        run(foreign.reader.connection, f"COPY ({query}) TO {literal(file)} (FORMAT parquet)")
    except duckdb.Error as error:
        raise SourceError(
            f"Expected readable rows for the table {foreign.table.name}, got: "
            f"{first_line(error)}. Mend the file, or the query and expressions in source.toml."
        ) from error


def _cells(foreign: Foreign) -> tuple[_Cell, ...]:
    cells = []
    for column in foreign.table:
        found = None if column.name in foreign.mapping.left_out else _cell(foreign, column)
        if found:
            cells.append(found)
        elif column.required:
            raise SourceError(
                f"Expected the column {column.name} in the table {foreign.table.name}, got "
                f"{', '.join(foreign.columns)}. Map it at "
                f"`tables.{foreign.table.name}.columns.{column.name}` in source.toml."
            )
    return tuple(cells)


def _cell(foreign: Foreign, column: Column) -> _Cell | None:
    given = foreign.mapping.columns.get(column.name)
    if given and given.sql:
        sql, native = foreign.expression(given)
        return _Cell(column, sql, native, given.is_constant)
    if given:
        name = foreign.demand(given.key, given.column or column.name)
        sql = _own_cell(foreign, column, name)
        return _Cell(column, sql, foreign.columns[name], given.is_constant, name)
    own = foreign.find(column.name)
    if own:
        sql = _own_cell(foreign, column, own)
        return _Cell(column, sql, foreign.columns[own], is_constant=False, own=own)
    if column.default is not None:
        return _Cell(column, str(column.default), "DOUBLE", is_constant=True)
    return None


def _own_cell(foreign: Foreign, column: Column, own: str) -> str:
    """Give SQL for a foreign column; one of ids that a program wrote as floats to CSV is whole."""
    name = quoted(own)
    is_id = column.dtype is Type.TEXT and column.name.endswith("_id")
    is_text = foreign.columns[own] == "VARCHAR"
    if not (is_id and is_text) or foreign.reader.parts(foreign.table.name):
        return name
    cells = f"FROM {foreign.relation} WHERE {raw(name)} IS NOT NULL"
    for rows in (f"(SELECT {name} {cells} LIMIT 1)", f"(SELECT {name} {cells})"):
        # one cell tells of nearly all columns that they are none, before all of them are read
        query = f"SELECT {became_floats(name)} FROM {rows}"
        if not number(foreign.reader.connection, query):
            return name
    return whole_again(name)


def _extras(foreign: Foreign, cells: tuple[_Cell, ...]) -> dict[str, str]:
    key = foreign.mapping.key
    if key:
        own = foreign.demand(f"tables.{foreign.table.name}.key", key)
        return {FOREIGN_KEY: raw(quoted(own))}
    further = sorted(set(foreign.columns) - {cell.own for cell in cells})
    if further and not foreign.table.key:
        # rows without a name are copies only when they are the same in every foreign column
        texts = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in further)
        return {FOREIGN_ROW: f"hash({texts})"}
    return {}


def _query(foreign: Foreign, after: int, key: bytes) -> str:
    cells = _cells(foreign)
    extras = _extras(foreign, cells)
    currency = row_currency(foreign)
    added = {**extras, **({ROW_CURRENCY: raw(currency)} if currency else {})}
    mapped = [f"{cell.sql} AS {quoted(cell.column.name)}" for cell in cells]
    mapped += [f"{sql} AS {name}" for name, sql in added.items()]
    read = [part for cell in cells for part in _read(cell)]
    final = [part for cell in cells for part in _final(cell, key)]
    query = (
        f"WITH mapped AS (SELECT row_number() OVER () + {after} AS {ROW}, {', '.join(mapped)} "
        f"FROM {foreign.relation} AS __rows), "
        f"read AS (SELECT {', '.join([ROW, *read, *added])} FROM mapped), "
        f"final AS (SELECT {', '.join([ROW, *final, *added])} FROM read) "
    )
    return query + (converted(foreign, "final") if currency else "FROM final")


def _read(cell: _Cell) -> list[str]:
    name = quoted(cell.column.name)
    sql = f"CAST({typed(cell.column, name, cell.native)} AS {sql_type(cell.column)}) AS {name}"
    if cell.column.dtype is Type.TEXT:
        return [sql]
    return [sql, f"{raw(name)} AS {quoted(unreadable(cell.column.name))}"]


def _final(cell: _Cell, key: bytes) -> list[str]:
    name, text = quoted(cell.column.name), quoted(unreadable(cell.column.name))
    if cell.column.names_person:
        return [f"{keyed(name, key)} AS {name}"]
    if cell.column.dtype is Type.TEXT:
        return [name]
    value = name
    if cell.column.default is not None:
        value = f"CASE WHEN {text} IS NULL THEN {cell.column.default} ELSE {name} END AS {name}"
    return [value, f"CASE WHEN {name} IS NULL THEN {text} END AS {text}"]
