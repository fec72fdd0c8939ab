"""The quarantine file: every row that was set aside, where it stood, why, and the row itself."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb
import polars as pl

from features.contracts import Type
from features.home import Home, private
from features.sources.accept import Accepted
from features.sources.currency import ROW_CURRENCY
from features.sources.mapping import CURRENCY
from features.sources.sql import literal, parquet, quoted, run
from features.sources.stage import FOREIGN_KEY, ROW, Staged, unreadable

FILE = "quarantine.csv"
MALFORMED = "is not a row of the file"
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
    target = private(private(home.quarantine) / digest) / FILE
    shutil.copyfile(whole, target.with_suffix(".part")).replace(target)
    return target


def _part(connection: duckdb.DuckDBPyConnection, table: Accepted, work: Path) -> Path:
    name = table.staged.table.name
    part = work / f"{name}.quarantine.csv"
    connection.register("__failures", table.failures.to_arrow())
    connection.register("__malformed", _malformed(table.staged).to_arrow())
    run(
        connection,
        f'COPY (SELECT {literal(name)} AS "table", * FROM ({_lines(table.staged)} '
        f'UNION ALL FROM __malformed) ORDER BY {ROW}, "column", reason) '
        f"TO {literal(part)} (FORMAT csv, HEADER true)",
    )
    connection.unregister("__failures")
    connection.unregister("__malformed")
    return part


def _lines(staged: Staged) -> str:
    texts = {name: _text(staged, name) for name in staged.columns}
    cells = texts | ({CURRENCY: ROW_CURRENCY} if ROW_CURRENCY in staged.extras else {})
    record = ", ".join(f"{quoted(name)} := {text}" for name, text in cells.items())
    if staged.foreign_key:
        texts[staged.foreign_key] = FOREIGN_KEY
    value = " ".join(f"WHEN {literal(name)} THEN {text}" for name, text in texts.items())
    return (
        f'SELECT {ROW}, f."column"::VARCHAR AS "column", f.reason::VARCHAR AS reason, '
        f'CASE f."column"::VARCHAR {value} END AS value, '
        f"to_json(struct_pack({record}))::VARCHAR AS record "
        f"FROM __failures AS f JOIN {parquet(staged.files)} USING ({ROW})"
    )


def _malformed(staged: Staged) -> pl.DataFrame:
    text = pl.String()
    return pl.DataFrame(
        # the first line is the heading
        [
            (line - 1, "", f"{MALFORMED}: {wrong}", cut, None)
            for line, cut, wrong in staged.malformed
        ],
        schema={ROW: pl.Int64, "column": text, "reason": text, "value": text, "record": text},
        orient="row",
    )


def _text(staged: Staged, name: str) -> str:
    text = f"CAST({quoted(name)} AS VARCHAR)"
    if staged.table[name].dtype is Type.TEXT:
        return text
    return f"coalesce({quoted(unreadable(name))}, {_as_read(text)})"


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
