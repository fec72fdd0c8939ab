"""Rows that lie before what an account's rows usually come after: well formed, and implausible."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from features.contracts import Table
from features.sources.cells import is_date_only
from features.sources.sql import literal, number, parquet, quoted, run

USUALLY_AFTER = {
    "sign-up": ("accounts", "min(created_at)"),
    "first subscription": ("subscriptions", "min(started_at)"),
}
"""By what the contract calls it: the table that tells it, and an account's first time there."""


def first_times(table: Table, files: Iterable[Path]) -> str:
    """Give SQL for account_id and first_time, from the files of the table that tells it."""
    _, first = USUALLY_AFTER[str(table.usually_after)]
    return f"SELECT account_id, {first} AS first_time FROM {parquet(files)} GROUP BY account_id"


def early_by_file(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path], firsts: str
) -> dict[str, int]:
    """Count a table's rows before the first time of their account, by file name.

    Parameters
    ----------
    connection, table, files
        The rows.
    firsts
        SQL for the first times, as `first_times` gives it.
    """
    if not files:
        return {}
    counts = run(
        connection,
        f"SELECT filename, count(*) FROM {_named(files)} AS e LEFT JOIN ({firsts}) AS a "
        f"USING (account_id) WHERE {_is_early(table)} GROUP BY filename",
    )
    return {Path(file).name: rows for file, rows in counts}


def change_of_early(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: Sequence[Path],
    before: str,
    now: str,
) -> dict[str, int]:
    """Count by how much each file's early rows change when accounts' first times do.

    Parameters
    ----------
    connection, table, files
        The rows.
    before, now
        SQL for the first times.

    Returns
    -------
    dict
        By file name; a file without a change may be left out.
    """
    run(
        connection,
        "CREATE OR REPLACE TEMP TABLE __moved AS SELECT account_id, b.first_time AS before, "
        f"n.first_time AS now FROM ({before}) AS b FULL JOIN ({now}) AS n USING (account_id) "
        "WHERE b.first_time IS DISTINCT FROM n.first_time",
    )
    if not files or not number(connection, "SELECT count(*) FROM __moved"):
        return {}
    early_then = _is_early(table).replace("a.first_time", "a.before")
    early_now = _is_early(table).replace("a.first_time", "a.now")
    changes = run(
        connection,
        f"SELECT filename, count(*) FILTER ({early_now}) - count(*) FILTER ({early_then}) "
        f"FROM {_named(files)} AS e "
        "JOIN __moved AS a USING (account_id) GROUP BY filename",
    )
    return {Path(file).name: change for file, change in changes}


def _named(files: Sequence[Path]) -> str:
    names = ", ".join(literal(file) for file in files)
    return f"read_parquet([{names}], filename = true, hive_partitioning = false)"


def is_before(earlier: str, later: str) -> str:
    """Give SQL for: one time lies before another; of a date, on an earlier day."""
    a_day = f"({is_date_only(earlier)} OR {is_date_only(later)})"
    return (
        f"(CASE WHEN {a_day} THEN CAST({earlier} AS DATE) < CAST({later} AS DATE) "
        f"ELSE {earlier} < {later} END)"
    )


def _is_early(table: Table) -> str:
    other, _ = USUALLY_AFTER[str(table.usually_after)]
    without = "a.first_time IS NULL OR " if other == "subscriptions" else ""
    return f"({without}{is_before(f'e.{quoted(table.first_time)}', 'a.first_time')})"
