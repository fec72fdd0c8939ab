"""CSV lines that are no rows, as DuckDB's reader put them aside."""

import duckdb

from features.sources.sql import number, run


def newest_scan(connection: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the newest scan that met such lines; -1 before the first."""
    if not _has_rejects(connection):
        return -1
    return number(connection, "SELECT coalesce(max(scan_id), -1) FROM reject_errors")


def malformed_lines(
    connection: duckdb.DuckDBPyConnection, earlier: int
) -> tuple[tuple[int, str, str], ...]:
    """Give (line number, text, what is wrong) of the lines met by scans after `earlier`."""
    if not _has_rejects(connection):
        return ()
    lines = run(
        connection,
        "SELECT line, min(csv_line), min(error_message) FROM reject_errors "
        f"JOIN reject_scans USING (scan_id, file_id) WHERE scan_id > {earlier} "
        "GROUP BY file_path, line ORDER BY file_path, line",
    )
    return tuple((line, text, problem) for line, text, problem in lines)


def _has_rejects(connection: duckdb.DuckDBPyConnection) -> bool:
    tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
    return number(connection, tables) > 0
