"""Leaving out what a source tells of erased accounts, before anything else is done with it."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.contracts import Table
from features.sources.sql import frame, literal, parquet, quoted, run
from features.sources.stage import Staged
from features.tombstones import Tombstones

PARENT = "parent_account_id"
WITHHELD = "(withheld: accounts were erased, and a line that is no row does not tell whose it is)"


def owners(table: Table) -> tuple[str, ...]:
    """Name the columns whose account a row is of: where one was erased, the row is left out."""
    named = tuple(column.name for column in table if column.names_account)
    own = tuple(name for name in table.key if name in {"account_id", "from_account_id"})
    return tuple(dict.fromkeys((*own, *named)))


def merged_too(
    connection: duckdb.DuckDBPyConnection, merges: Staged, erased: Tombstones
) -> Tombstones:
    """Count as erased what a source has merged into an erased account since."""
    if not erased:
        return erased
    rows = frame(
        connection, f"SELECT from_account_id, into_account_id FROM {parquet(merges.files)}"
    )
    return erased.with_merged(rows.iter_rows())


def left_out(connection: duckdb.DuckDBPyConnection, staged: Staged, erased: Tombstones) -> Staged:
    """Take the rows of erased accounts out of a staged table, and count them.

    An account whose parent was erased stays, without that parent. Lines that are no rows are kept
    without their text.
    """
    if not erased:
        return staged
    rows = sum(rows_out(connection, staged.table, file, erased) for file in staged.files)
    malformed = tuple((line, WITHHELD, wrong) for line, _, wrong in staged.malformed)
    return replace(staged, malformed=malformed, erased=rows)


def rows_out(
    connection: duckdb.DuckDBPyConnection, table: Table, file: Path, erased: Tombstones
) -> int:
    """Take the rows of erased accounts out of one file in place, and count them."""
    there = pq.read_schema(file).names
    whose = [name for name in (*owners(table), PARENT) if name in there]
    gone = sorted({one for name in whose for one in erased.among(values(file, name))})
    if not gone:
        return 0
    before: int = pq.read_metadata(file).num_rows
    aside = file.with_name(f"{file.name}.aside")
    connection.register("__erased", pa.table({"account_id": gone}))
    try:
        run(
            connection,
            f"COPY ({without(file, there, whose)}) TO {literal(aside)} (FORMAT parquet)",
        )
    finally:
        connection.unregister("__erased")
    aside.replace(file)
    left: int = pq.read_metadata(file).num_rows
    return before - left


def without(file: Path, there: list[str], whose: list[str]) -> str:
    """Give SQL for a file's rows that are of no account in ``__erased``, in their order."""
    gone = "(SELECT account_id FROM __erased)"
    kept = [
        f"({quoted(name)} IS NULL OR {quoted(name)} NOT IN {gone})"
        for name in whose
        if name != PARENT
    ]
    star = "*"
    if PARENT in whose and PARENT in there:
        star = f"* REPLACE (CASE WHEN {PARENT} NOT IN {gone} THEN {PARENT} END AS {PARENT})"
    return f"SELECT {star} FROM {literal(file)} WHERE {' AND '.join(kept) or 'true'}"


def values(file: Path, name: str) -> list[object]:
    """Give the different values of a text column, a row group at a time."""
    found: set[object] = set()
    with pq.ParquetFile(file) as opened:
        for group in range(opened.num_row_groups):
            column = opened.read_row_group(group, [name]).column(0)
            found.update(pc.unique(column).to_pylist())
    return list(found)
