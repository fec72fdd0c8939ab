"""The weekly parts of a log: the same rows give the same bytes, however they came."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.ledger import WeeklyPart
from features.sources.accept import RECORDED_AT, known_at
from features.sources.rolling import roll_up
from features.sources.sql import literal, number, parquet, quoted, run
from features.sources.stage import FOREIGN_KEY, FOREIGN_ROW, Staged

IDENTITY = "__identity"
_WEEK = "__week"
_GROUP_ROWS = 122_880
NO_ROWS = date(1970, 1, 5)  # the Monday under which a log without rows has its one part


@dataclass(frozen=True)
class Weeks:
    """Good rows on their way into weekly parts.

    Parameters
    ----------
    connection
        The reader's connection.
    staged
        The log's columns.
    work
        Takes the rows of each week until it is written.
    out
        The checked source to be: gets the parts, and beside them what is rolled up of each, and,
        where the source has columns that tell events apart, the identity of each row.
    """

    connection: duckdb.DuckDBPyConnection
    staged: Staged
    work: Path
    out: Path

    @property
    def parts(self) -> Path:
        """The folder of the parts."""
        return self.out / self.staged.table.name

    @property
    def identities(self) -> Path:
        """The folder of the rows' identities, a file for each part, rows in the same order."""
        return self.out / f"{self.staged.table.name}.identities"

    def add(self, number: int, rows: str) -> None:
        """Put rows (a SELECT over the staged columns) into their weeks."""
        week = f"CAST(date_trunc('week', {quoted(self.staged.table.first_time)}) AS DATE)"
        run(
            self.connection,
            f"COPY (SELECT {self._columns()}, {week} AS {_WEEK} FROM ({rows})) "
            f"TO {literal(self.work / str(number))} (FORMAT parquet, PARTITION_BY ({_WEEK}))",
        )

    def touched(self) -> tuple[date, ...]:
        """Give the Mondays of the weeks that rows were put into."""
        folders = self.work.glob(f"*/{_WEEK}=*")
        return tuple(sorted({date.fromisoformat(path.name.split("=")[1]) for path in folders}))

    def write(self, monday: date, before: str | None = None) -> WeeklyPart:
        """Write the part of one week: its rows sorted, each only once.

        Parameters
        ----------
        monday
            The week.
        before
            SQL for the rows that the week had so far, as `kept` gives it.
        """
        rows = f"SELECT {self._names()} FROM {parquet(self._added(monday))}"
        return self._write(monday, f"{rows} UNION ALL {before}" if before else rows)

    def write_rows(self, monday: date, rows: str) -> WeeklyPart:
        """Write the part of one week from SQL for all of its rows, as `kept` gives it."""
        return self._write(monday, rows)

    def write_none(self) -> WeeklyPart:
        """Write the one part of a log without rows, so that a reader finds its columns."""
        rows = f"SELECT {self._columns()} FROM {parquet(self.staged.files)} LIMIT 0"
        return self._write(NO_ROWS, rows)

    def kept(self, part: Path, identities: Path | None) -> str:
        """Give SQL for the rows of a part that an earlier check wrote, each with its identity."""
        beside = f" POSITIONAL JOIN {literal(identities)}" if identities else ""
        return f"SELECT {self._names()} FROM {literal(part)}{beside}"

    def has_other(self, monday: date, identities: Sequence[Path], kept: str | None) -> bool:
        """Tell whether a week has a new row of a known identity that is no copy of a kept row."""
        if not identities:
            return False
        known = f"SELECT {IDENTITY} FROM {parquet(identities)}"
        new = f"SELECT {self._names()} FROM {parquet(self._added(monday))}"
        rows = f"{new} WHERE {IDENTITY} IN ({known})"
        others = f"{rows} EXCEPT {kept}" if kept else rows
        return number(self.connection, f"SELECT count(*) FROM ({others})") > 0

    def _added(self, monday: date) -> list[Path]:
        return sorted(self.work.glob(f"*/{_WEEK}={monday}/*.parquet"))

    def _names(self) -> str:
        names = [quoted(name) for name in self.staged.columns]
        return ", ".join([*names, IDENTITY] if identity_sql(self.staged) else names)

    def _columns(self) -> str:
        names = [quoted(name) for name in self.staged.columns]
        identity = identity_sql(self.staged)
        return ", ".join([*names, f"{identity} AS {IDENTITY}"] if identity else names)

    def _write(self, monday: date, rows: str) -> WeeklyPart:
        file, time = self.parts / f"{monday}.parquet", self.staged.table.first_time
        query = self.connection.sql(
            f"SELECT *, {known_at(self.staged)} AS known_at "
            f"FROM (SELECT DISTINCT {self._names()} FROM ({rows})) "
            # an account's rows together: what is read of them stays near in memory
            f"ORDER BY account_id, {quoted(time)}, {self._names()}"
        )
        beside = self.identities / file.name if identity_sql(self.staged) else None
        count, firsts, lasts, known = 0, [], [], []
        for group in _write_groups(query.to_arrow_reader(_GROUP_ROWS), file, beside):
            count += group.num_rows
            firsts.append(pc.min(group[time]).as_py())
            lasts.append(pc.max(group[time]).as_py())
            known.append(pc.max(group["known_at"]).as_py())
        roll_up(file, self.staged.columns)
        first = min(firsts).date() if count else None
        last, last_known = (max(lasts).date(), max(known).date()) if count else (None, None)
        return WeeklyPart(file.name, count, digest(file), first, last, last_known, early=0)


def identity_sql(staged: Staged) -> str | None:
    """Give SQL for what tells staged rows apart besides their columns; None where nothing does."""
    if FOREIGN_KEY in staged.extras:
        versions = (RECORDED_AT,) if RECORDED_AT in staged.columns else ()
        return f"hash({', '.join(quoted(name) for name in (FOREIGN_KEY, *versions))})"
    return FOREIGN_ROW if FOREIGN_ROW in staged.extras else None


def _write_groups(
    batches: pa.RecordBatchReader, file: Path, beside: Path | None
) -> Iterator[pa.Table]:
    # DuckDB's own writer says of each column whether it may be empty, as far as it happens to know:
    # the bytes would hang on how the rows came
    with ExitStack() as stack:
        names = [name for name in batches.schema.names if name != IDENTITY]
        writers = [(names, _writer(stack, file, batches.schema, names))]
        if beside:
            writers.append(([IDENTITY], _writer(stack, beside, batches.schema, [IDENTITY])))
        waiting = batches.schema.empty_table()
        for batch in batches:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
            while waiting.num_rows >= _GROUP_ROWS:
                yield _write_group(writers, waiting[:_GROUP_ROWS])
                waiting = waiting[_GROUP_ROWS:]
        if waiting.num_rows:
            yield _write_group(writers, waiting)


def _writer(stack: ExitStack, file: Path, schema: pa.Schema, names: list[str]) -> pq.ParquetWriter:
    file.parent.mkdir(exist_ok=True)
    columns = pa.schema([schema.field(name) for name in names])
    coded = [c.name for c in columns if c.name != IDENTITY and not pa.types.is_timestamp(c.type)]
    return stack.enter_context(pq.ParquetWriter(file, columns, use_dictionary=coded))


def _write_group(writers: Sequence[tuple[list[str], pq.ParquetWriter]], rows: pa.Table) -> pa.Table:
    # how the rows are cut into chunks decides where pages end
    group = rows.combine_chunks()
    for names, writer in writers:
        writer.write_table(group.select(names), row_group_size=_GROUP_ROWS)
    return group


def digest(file: Path) -> str:
    """Give the SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
