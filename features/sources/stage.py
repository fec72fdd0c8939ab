"""Bringing foreign rows into the contract's columns and types, without judging them yet."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.contracts import Column, Table, Type
from features.errors import SourceError
from features.sources.cells import raw, sql_type, typed
from features.sources.folder import FolderReader
from features.sources.mapping import CURRENCY
from features.sources.sql import first_line, literal, number, quoted, run

ROW = "row"
UNRATED = "__unrated"
FOREIGN_KEY = "__key"
FOREIGN_ROW = "__foreign"
_RATES = "__rates"


@dataclass(frozen=True)
class Staged:
    """One table, typed: a Parquet file with a row number and what could not be read.

    Parameters
    ----------
    table
        The contract's declaration.
    file
        Columns: `row` (from 1, in the order of the source), the present contract columns, and
        beside each that is not text `<column>!`, the text of a cell that is not of its type.
    columns
        The present contract columns, in the contract's order.
    constants
        Those of them that the source calls constant.
    extras
        Further columns of the file, for telling copies apart or for missing exchange rates.
    unknown
        Foreign columns that nothing asked for.
    read
        Rows in the file.
    malformed
        (line number, text, what is wrong) of CSV lines that are not rows at all.
    foreign_key
        The foreign column that names a row, where `source.toml` gives one.
    """

    table: Table
    file: Path
    columns: tuple[str, ...]
    constants: frozenset[str]
    extras: tuple[str, ...]
    unknown: tuple[str, ...]
    read: int
    malformed: tuple[tuple[int, str, str], ...]
    foreign_key: str | None


@dataclass(frozen=True)
class _Cell:
    column: Column
    sql: str
    native: str
    is_constant: bool


def unreadable(column: Column | str) -> str:
    """Give the name of the staged column with the text of cells that are not of their type."""
    return f"{column if isinstance(column, str) else column.name}!"


def read_rates(reader: FolderReader) -> None:
    """Read the exchange rates that `source.toml` names; SourceError when they are broken."""
    if reader.mapping.rates is None:
        return
    view = quoted(reader.stem("rates", reader.mapping.rates))
    present = reader.columns("rate table", f"SELECT * FROM {view}")
    if not {"currency", "date", "rate"} <= {name.lower() for name in present}:
        raise SourceError(
            f"Expected the columns currency, date and rate in {reader.mapping.rates}, got "
            f"{', '.join(present)}. One unit of `currency` is worth `rate` from `date` on."
        )
    earlier = _scans(reader.connection)
    run(
        reader.connection,
        f"CREATE TABLE {_RATES} AS SELECT {raw('currency')} AS currency, "
        'try_cast("date" AS DATE) AS "date", try_cast(rate AS DECIMAL(18, 10)) AS rate '
        f"FROM {view}",
    )
    broken = number(
        reader.connection,
        f'SELECT count(*) FROM {_RATES} WHERE currency IS NULL OR "date" IS NULL OR rate IS NULL '
        "OR rate <= 0",
    )
    broken += len(_malformed(reader.connection, earlier))
    if broken:
        raise SourceError(
            f"Expected a currency, a date and a positive rate in each row of "
            f"{reader.mapping.rates}, got {broken} rows without. Mend those rows."
        )


def stage(reader: FolderReader, table: Table, work: Path) -> Staged:
    """Read one table of a source into a typed Parquet file in `work`.

    Raises
    ------
    SourceError
        When the table's file, query or expressions cannot be read, or a required column is absent.
    """
    relation = reader.relation(table.name)
    foreign = reader.columns(f"table {table.name}", f"SELECT * FROM {relation}")
    cells = _cells(reader, table, relation, foreign)
    extras, exprs = _extras(reader, table, foreign, cells)
    file = work / f"{table.name}.staged.parquet"
    query = _query(reader, table, relation, cells, exprs)
    earlier = _scans(reader.connection)
    try:
        run(reader.connection, f"COPY ({query}) TO {literal(file)} (FORMAT parquet)")
        read = number(reader.connection, f"SELECT count(*) FROM {literal(file)}")
    except duckdb.Error as error:
        raise SourceError(
            f"Expected readable rows for the table {table.name}, got: {first_line(error)}. "
            "Mend the file, or the query and expressions in source.toml."
        ) from error
    return Staged(
        table=table,
        file=file,
        columns=tuple(cell.column.name for cell in cells),
        constants=frozenset(cell.column.name for cell in cells if cell.is_constant),
        extras=extras,
        unknown=_unknown(reader, table, foreign),
        read=read,
        malformed=_malformed(reader.connection, earlier),
        foreign_key=reader.mapping.table(table.name).key,
    )


def _cells(
    reader: FolderReader, table: Table, relation: str, foreign: dict[str, str]
) -> tuple[_Cell, ...]:
    cells = []
    for column in table:
        found = _cell(reader, table, relation, foreign, column)
        if found:
            cells.append(found)
        elif column.required:
            raise SourceError(
                f"Expected the column {column.name} in the table {table.name}, got "
                f"{', '.join(foreign)}. Map it at `tables.{table.name}.columns.{column.name}` in "
                "source.toml."
            )
    return tuple(cells)


def _cell(
    reader: FolderReader, table: Table, relation: str, foreign: dict[str, str], column: Column
) -> _Cell | None:
    mapping = reader.mapping.table(table.name)
    if column.name in mapping.left_out:
        return None
    given = mapping.columns.get(column.name)
    if given and given.sql:
        reader.query(given.key, f"SELECT ({given.sql})")
        native = reader.columns(
            f"expression at `{given.key}`", f"SELECT ({given.sql}) AS x FROM {relation}"
        )["x"]
        return _Cell(column, f"({given.sql})", native, given.is_constant)
    wanted = given.column if given and given.column else column.name
    names = {name.lower(): name for name in foreign}
    if wanted.lower() in names:
        name = names[wanted.lower()]
        return _Cell(column, quoted(name), foreign[name], bool(given and given.is_constant))
    if given:
        raise SourceError(
            f"Expected a column of the table's rows at `{given.key}` in source.toml, got "
            f"{wanted!r}. There are: {', '.join(foreign)}."
        )
    if column.default is not None:
        return _Cell(column, str(column.default), "DOUBLE", is_constant=True)
    return None


def _extras(
    reader: FolderReader, table: Table, foreign: dict[str, str], cells: tuple[_Cell, ...]
) -> tuple[tuple[str, ...], dict[str, str]]:
    exprs = {}
    mapping = reader.mapping.table(table.name)
    if mapping.key:
        if mapping.key.lower() not in {name.lower() for name in foreign}:
            raise SourceError(
                f"Expected a column of the table's rows at `tables.{table.name}.key`, got "
                f"{mapping.key!r}. There are: {', '.join(foreign)}."
            )
        exprs[FOREIGN_KEY] = raw(quoted(mapping.key))
    elif not table.key and not set(foreign) <= {cell.column.name for cell in cells}:
        # rows without a name are copies only when they are the same in every foreign column
        exprs[FOREIGN_ROW] = "hash(__rows)"
    extras = (*exprs, UNRATED) if _currency(reader, table, foreign) else tuple(exprs)
    return extras, exprs


def _currency(reader: FolderReader, table: Table, foreign: dict[str, str]) -> str | None:
    has_money = any(column.dtype is Type.MONEY for column in table)
    given = reader.mapping.table(table.name).columns.get(CURRENCY)
    if not has_money or reader.mapping.rates is None:
        if given:
            raise SourceError(
                f"Expected `rates` beside `{given.key}` in source.toml, got none. Name the file "
                "with the exchange rates, or leave the currency out."
            )
        return None
    if given and given.sql:
        return f"({given.sql})"
    wanted = (given.column if given and given.column else CURRENCY).lower()
    if wanted in {name.lower() for name in foreign}:
        return quoted(wanted)
    if given:
        raise SourceError(
            f"Expected a column of the table's rows at `{given.key}`, got {wanted!r}. "
            f"There are: {', '.join(foreign)}."
        )
    return None


def _query(
    reader: FolderReader,
    table: Table,
    relation: str,
    cells: tuple[_Cell, ...],
    extras: dict[str, str],
) -> str:
    foreign = reader.columns(f"table {table.name}", f"SELECT * FROM {relation}")
    currency = _currency(reader, table, foreign)
    mapped = [f"{cell.sql} AS {quoted(cell.column.name)}" for cell in cells]
    mapped += [f"{sql} AS {name}" for name, sql in extras.items()]
    mapped += [f"{raw(currency)} AS __currency"] if currency else []
    others = [*extras, *(["__currency"] if currency else [])]
    read = [part for cell in cells for part in _read(cell)]
    final = [part for cell in cells for part in _final(cell)]
    query = (
        f"WITH mapped AS (SELECT row_number() OVER () AS {ROW}, {', '.join(mapped)} "
        f"FROM {relation} AS __rows), "
        f"read AS (SELECT {', '.join([ROW, *read, *others])} FROM mapped), "
        f"final AS (SELECT {', '.join([ROW, *final, *others])} FROM read) "
    )
    return query + (_converted(reader, table) if currency else "FROM final")


def _read(cell: _Cell) -> list[str]:
    name = quoted(cell.column.name)
    sql = f"CAST({typed(cell.column, name, cell.native)} AS {sql_type(cell.column)}) AS {name}"
    if cell.column.dtype is Type.TEXT:
        return [sql]
    return [sql, f"{raw(name)} AS {quoted(unreadable(cell.column))}"]


def _final(cell: _Cell) -> list[str]:
    name, text = quoted(cell.column.name), quoted(unreadable(cell.column))
    if cell.column.dtype is Type.TEXT:
        return [name]
    value = name
    if cell.column.default is not None:
        value = f"CASE WHEN {text} IS NULL THEN {cell.column.default} ELSE {name} END AS {name}"
    return [value, f"CASE WHEN {name} IS NULL THEN {text} END AS {text}"]


def _converted(reader: FolderReader, table: Table) -> str:
    home = literal(reader.mapping.currency)
    amounts = [quoted(column.name) for column in table if column.dtype is Type.MONEY]
    converted = ", ".join(
        f"CASE WHEN __currency = {home} OR __rate.rate IS NULL THEN {amount} "
        f"ELSE try_cast({amount} * __rate.rate AS DECIMAL(18, 4)) END AS {amount}"
        for amount in amounts
    )
    return (
        f"SELECT final.* EXCLUDE (__currency) REPLACE ({converted}), "
        f"(__rate.rate IS NULL AND __currency IS DISTINCT FROM {home}) AS {UNRATED} "
        f"FROM final ASOF LEFT JOIN {_RATES} AS __rate ON __currency = __rate.currency "
        f'AND CAST({quoted(table.first_time)} AS DATE) >= __rate."date"'
    )


def _unknown(reader: FolderReader, table: Table, foreign: dict[str, str]) -> tuple[str, ...]:
    mapping = reader.mapping.table(table.name)
    if mapping.sql:
        return ()
    asked = {mapping.key or "", CURRENCY if reader.mapping.rates else "", *mapping.left_out}
    asked |= {column.name for column in table if column.name not in mapping.columns}
    asked |= {given.column or "" for given in mapping.columns.values()}
    expressions = " ".join(given.sql or "" for given in mapping.columns.values()).lower()
    asked = {name.lower() for name in asked}
    return tuple(
        name for name in foreign if name.lower() not in asked and name.lower() not in expressions
    )


def _scans(connection: duckdb.DuckDBPyConnection) -> int:
    if not _has_rejects(connection):
        return -1
    return number(connection, "SELECT coalesce(max(scan_id), -1) FROM reject_errors")


def _malformed(
    connection: duckdb.DuckDBPyConnection, earlier: int
) -> tuple[tuple[int, str, str], ...]:
    if not _has_rejects(connection):
        return ()
    lines = run(
        connection,
        "SELECT line, min(csv_line), min(error_message) FROM reject_errors "
        "JOIN reject_scans USING (scan_id, file_id) WHERE "
        f"scan_id > {earlier} GROUP BY file_path, line ORDER BY file_path, line",
    )
    return tuple((line, text, problem) for line, text, problem in lines)


def _has_rejects(connection: duckdb.DuckDBPyConnection) -> bool:
    tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
    return number(connection, tables) > 0
