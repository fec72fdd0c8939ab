"""What the report says of a source: broken rows by reason, implausible rows, and plain notes."""

from collections.abc import Mapping
from datetime import datetime

import duckdb
import polars as pl

from features.checked import Finding
from features.contracts import Column
from features.sources.accept import Accepted
from features.sources.early import USUALLY_AFTER, early_by_file, first_times, is_before
from features.sources.folder import FolderReader
from features.sources.sql import number, parquet, quoted


def errors_of(table: Accepted) -> tuple[Finding, ...]:
    """Give one finding for each column and reason for which rows of a table were set aside."""
    name, read = table.staged.table.name, table.counts.read
    reasons = table.failures.group_by("column", "reason").agg(pl.col("row").n_unique().alias("n"))
    found = [
        Finding("error", name, column, f"{column} {reason}", rows, rows / read)
        for column, reason, rows in reasons.sort(
            "n", "column", "reason", descending=[True, False, False]
        ).iter_rows()
    ]
    lines = [wrong for _, _, wrong in table.staged.malformed]
    if lines:
        message = f"is not a row of the file{_encoding(lines)}"
        found.append(Finding("error", name, "", message, len(lines), len(lines) / read))
    return tuple(found)


def warnings(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Accepted]
) -> tuple[Finding, ...]:
    """Count rows that keep the contract and are still implausible."""
    found = []
    for table in tables.values():
        present = table.staged.columns
        found += [
            _early_fact(connection, table, column)
            for column in table.staged.table
            if column.follows in present and column.name in present
        ]
        found += _early_rows(connection, table, tables)
    found += _unknown_parents(connection, tables["accounts"])
    return tuple(finding for finding in found if finding.rows)


def notes(
    reader: FolderReader,
    tables: Mapping[str, Accepted],
    extracted_at: datetime,
    *,
    is_guess: bool,
) -> tuple[Finding, ...]:
    """Say what was collapsed, left alone, guessed, or cannot become a feature."""
    found = []
    unused = reader.unused_files()
    if unused:
        message = f"no tables of the contract, left alone: {', '.join(unused)}"
        found.append(Finding("note", "", "", message))
    for name, table in tables.items():
        found += _table_notes(name, table)
    if is_guess:
        message = (
            f"extracted_at is a guess, the day after the latest happening: {extracted_at.date()}; "
            "say it in source.toml"
        )
        found.append(Finding("note", "", "extracted_at", message))
    return tuple(found)


def stable_columns(tables: Mapping[str, Accepted]) -> frozenset[tuple[str, str]]:
    """Give the overwritten columns that have versions, or that the source calls constant."""
    return frozenset(
        (name, column.name)
        for name, table in tables.items()
        for column in table.staged.table
        if column.overwritten
        and column.name in table.staged.columns
        and (table.has_versions or column.name in table.staged.constants)
    )


def _table_notes(name: str, table: Accepted) -> list[Finding]:
    found = []
    if table.counts.collapsed:
        rows, share = table.counts.collapsed, table.counts.collapsed / table.counts.read
        found.append(Finding("note", name, "", "exact copies were collapsed into one", rows, share))
    if table.counts.erased:
        rows = table.counts.erased
        message = "rows of erased accounts were left out"
        found.append(Finding("note", name, "", message, rows, rows / table.counts.read))
    if table.staged.unknown:
        message = f"no columns of the contract, left alone: {', '.join(table.staged.unknown)}"
        found.append(Finding("note", name, "", message))
    stable = stable_columns({name: table})
    for column in table.staged.table:
        is_present = column.name in table.staged.columns
        if column.overwritten and is_present and (name, column.name) not in stable:
            message = (
                f"{column.name} is overwritten without versions, so it is no feature "
                "(`constant = true` says that it never changes)"
            )
            found.append(Finding("note", name, column.name, message))
    return found


def _encoding(problems: list[str]) -> str:
    not_utf_8 = sum("not utf-8" in problem for problem in problems)
    if 2 * not_utf_8 < len(problems):
        return ""
    return (
        ", most likely as the file is not UTF-8 but in an encoding such as Latin-1 or "
        "Windows-1252: save it as UTF-8"
    )


def _early_fact(connection: duckdb.DuckDBPyConnection, table: Accepted, column: Column) -> Finding:
    earlier = is_before(quoted(column.name), quoted(str(column.follows)))
    rows = number(connection, f"SELECT count(*) FROM {parquet(table.files)} WHERE {earlier}")
    return _warning(table, column.name, f"{column.name} lies before {column.follows}", rows)


def _early_rows(
    connection: duckdb.DuckDBPyConnection, table: Accepted, tables: Mapping[str, Accepted]
) -> list[Finding]:
    usually_after = table.staged.table.usually_after
    if usually_after is None:
        return []
    time = table.staged.table.first_time
    if table.ledger:
        rows = sum(part.early for part in table.ledger.parts)
    else:
        other, _ = USUALLY_AFTER[usually_after]
        firsts = first_times(table.staged.table, tables[other].files)
        rows = sum(early_by_file(connection, table.staged.table, table.files, firsts).values())
    message = f"{time} lies before the account's {usually_after}"
    return [_warning(table, time, message, rows)]


def _unknown_parents(connection: duckdb.DuckDBPyConnection, accounts: Accepted) -> list[Finding]:
    if "parent_account_id" not in accounts.staged.columns:
        return []
    file = parquet(accounts.files)
    rows = number(
        connection,
        f"SELECT count(*) FROM {file} WHERE parent_account_id IS NOT NULL AND parent_account_id "
        f"NOT IN (SELECT account_id FROM {file})",
    )
    message = "parent_account_id names no account of the source"
    return [_warning(accounts, "parent_account_id", message, rows)]


def _warning(table: Accepted, column: str, message: str, rows: int) -> Finding:
    share = rows / table.counts.accepted if table.counts.accepted else 0.0
    return Finding("warning", table.staged.table.name, column, message, rows, share)
