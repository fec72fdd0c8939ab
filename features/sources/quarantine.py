"""The quarantine file: every row that was set aside, where it stood, why, and the row itself."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb
import polars as pl

from features.contracts import Type
from features.home import Home
from features.sources.accept import Accepted
from features.sources.sql import literal, quoted, run
from features.sources.stage import ROW, Staged, unreadable

FILE = "quarantine.csv"
_MALFORMED = "is not a row of the file"
_DAY_ENDS = " 23:59:59.999999"  # how a date without a time is stored


def write_quarantine(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Accepted], home: Home, work: Path
) -> Path | None:
    """Write what was set aside to a CSV in `home.quarantine`, in a folder named by its content.

    One line for each row and broken rule: table, row (from 1, in the order of the source), column,
    reason, value, record (the whole row as JSON).

    Returns
    -------
    Path or None
        The file; None when nothing was set aside.
    """
    parts = [_part(connection, table, work) for table in tables if table.counts.quarantined]
    if not parts:
        return None
    whole = work / FILE
    _join(parts, whole)
    with whole.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()[:16]
    target = home.quarantine / digest / FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(whole, target.with_suffix(".part")).replace(target)
    return target


def _part(connection: duckdb.DuckDBPyConnection, table: Accepted, work: Path) -> Path:
    staged = table.staged
    part = work / f"{staged.table.name}.quarantine.csv"
    lines = pl.concat([table.failures, _malformed(staged)]).to_arrow()
    connection.register("__failures", lines)
    run(
        connection,
        f'COPY (SELECT {literal(staged.table.name)} AS "table", {ROW}, "column", reason, '
        f"{_as_read('value')} AS value, CASE WHEN reason NOT LIKE {literal(_MALFORMED + '%')} "
        f"THEN {_record(staged)} END AS record "
        f"FROM __failures LEFT JOIN {literal(staged.file)} USING ({ROW}) "
        f'ORDER BY {ROW}, "column", reason) TO {literal(part)} (FORMAT csv, HEADER true)',
    )
    connection.unregister("__failures")
    return part


def _malformed(staged: Staged) -> pl.DataFrame:
    return pl.DataFrame(
        [
            # the first line is the heading
            (line - 1, "", f"{_MALFORMED}: {problem}", text)
            for line, text, problem in staged.malformed
        ],
        schema={ROW: pl.Int64, "column": pl.String, "reason": pl.String, "value": pl.String},
        orient="row",
    )


def _record(staged: Staged) -> str:
    cells = []
    for name in staged.columns:
        text = f"CAST({quoted(name)} AS VARCHAR)"
        if staged.table[name].dtype is not Type.TEXT:
            text = f"coalesce({quoted(unreadable(name))}, {_as_read(text)})"
        cells.append(f"{quoted(name)} := {text}")
    return f"to_json(struct_pack({', '.join(cells)}))"


def _as_read(text: str) -> str:
    return f"replace({text}, {literal(_DAY_ENDS)}, '')"


def _join(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for number, part in enumerate(parts):
            with part.open("rb") as source:
                heading = source.readline()
                if number == 0:
                    target.write(heading)
                shutil.copyfileobj(source, target)
