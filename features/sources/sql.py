"""Writing SQL text, and running it to its end."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl


def quoted(name: str) -> str:
    """Give a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Give a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def parquet(files: Iterable[Path]) -> str:
    """Give SQL for the rows of Parquet files of one schema, to stand after FROM."""
    names = ", ".join(literal(file) for file in files)
    return f"read_parquet([{names}], hive_partitioning = false)"


def first_line(error: Exception) -> str:
    """Give the sentence of a DuckDB error, without its drawing of the place."""
    return str(error).strip().split("\n", maxsplit=1)[0]


def run(connection: duckdb.DuckDBPyConnection, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and fetch all of its rows: a connection with some left takes nothing else."""
    rows: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
    return rows


def number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """Give the one whole number that a query answers."""
    return int(run(connection, query)[0][0])


def frame(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    """Give a query's rows as a Polars frame."""
    return pl.DataFrame(pl.from_arrow(connection.sql(query).to_arrow_table()))
