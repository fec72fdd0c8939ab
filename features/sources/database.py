"""Unloading a database's tables of the contract's names, cell by cell as text."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from features.contracts import TABLES
from features.errors import SourceError

_ROWS_AT_ONCE = 50_000


def unload(url: str, folder: Path, names: Collection[str] = ()) -> None:
    """Write the database's tables to `folder` as Parquet of text.

    Parameters
    ----------
    url
        As SQLAlchemy takes it: sqlite:///company.db, postgresql://user@host/name.
    folder
        Gets one file for each table; views count as tables.
    names
        What to unload besides the tables of the contract's names.

    Raises
    ------
    SourceError
        When the database cannot be reached or read, or has none of the tables.
    """
    try:
        engine = sql.create_engine(url)
    except (ArgumentError, ImportError) as error:
        raise SourceError(
            f"Expected a database URL that can be opened, got: {error}. "
            "Write it as sqlite:///file.db, or install the driver that it names."
        ) from error
    try:
        tables = _tables(engine, {*TABLES, *names})
        with engine.connect() as connection:
            for name in tables:
                _unload(connection, sql.table(name), folder / f"{name}.parquet")
    except SQLAlchemyError as error:
        raise SourceError(
            f"Expected a readable database at {engine.url}, got: {_sentence(error)}. "
            "Check the address and the rights of its user."
        ) from error
    finally:
        engine.dispose()


def _tables(engine: sql.Engine, wanted: set[str]) -> list[str]:
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).is_file():
        raise SourceError(
            f"Expected an SQLite file at {engine.url.database}, got none. Check the path."
        )
    inspector = sql.inspect(engine)
    present = {*inspector.get_table_names(), *inspector.get_view_names()}
    names = sorted(wanted & present)
    if not names:
        raise SourceError(
            f"Expected tables of the contract's names in {engine.url}, got "
            f"{', '.join(sorted(present)) or 'none'}. Make views with those names."
        )
    return names


def _unload(connection: sql.Connection, table: sql.TableClause, file: Path) -> None:
    result = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(
        sql.select(sql.text("*")).select_from(table)
    )
    names = list(result.keys())
    schema = pa.schema([(name, pa.string()) for name in names])
    with pq.ParquetWriter(file, schema) as writer:
        for rows in result.partitions(_ROWS_AT_ONCE):
            writer.write_table(_as_text(rows, schema))


def _as_text(rows: Sequence[sql.Row[tuple[object, ...]]], schema: pa.Schema) -> pa.Table:
    # SQLite gives values of any type in any column; text is what the reader of cells judges
    columns = [[_text(cell) for cell in column] for column in zip(*rows, strict=True)]
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)


def _text(cell: object) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    if isinstance(cell, bytes):
        return cell.decode(errors="replace")
    return str(cell)


def _sentence(error: SQLAlchemyError) -> str:
    return str(error).split("\n", maxsplit=1)[0]
