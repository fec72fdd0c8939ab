"""The weekly parts of a log: the same rows give the same bytes, however they came."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.ledger import WeeklyPart
from features.sources.accept import checked_rows, distinct, identity
from features.sources.sql import literal, parquet, quoted, run
from features.sources.stage import Staged

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
        Gets the parts.
    """

    connection: duckdb.DuckDBPyConnection
    staged: Staged
    work: Path
    out: Path

    def add(self, number: int, rows: str) -> None:
        """Put rows (a SELECT over the staged columns) into their weeks."""
        names = ", ".join(quoted(name) for name in identity(self.staged))
        week = f"CAST(date_trunc('week', {quoted(self.staged.table.first_time)}) AS DATE)"
        run(
            self.connection,
            f"COPY (SELECT {names}, {week} AS {_WEEK} FROM ({rows})) "
            f"TO {literal(self.work / str(number))} (FORMAT parquet, PARTITION_BY ({_WEEK}))",
        )

    def touched(self) -> Sequence[date]:
        """Give the Mondays of the weeks that rows were put into."""
        folders = self.work.glob(f"*/{_WEEK}=*")
        return sorted({date.fromisoformat(folder.name.split("=")[1]) for folder in folders})

    def write(self, monday: date) -> WeeklyPart:
        """Write the part of one week: its rows sorted, each only once."""
        added = sorted(self.work.glob(f"*/{_WEEK}={monday}/*.parquet"))
        return self._write(monday, distinct(self.staged, f"FROM {parquet(added)}"))

    def write_none(self) -> WeeklyPart:
        """Write the one part of a log without rows, so that a reader finds its columns."""
        return self._write(NO_ROWS, f"FROM {parquet(self.staged.files)} LIMIT 0")

    def _write(self, monday: date, rows: str) -> WeeklyPart:
        file = self.out / f"{monday}.parquet"
        query = self.connection.sql(checked_rows(self.staged, rows))
        time = self.staged.table.first_time
        count, times, known = 0, [], []
        for group in _write_groups(query.to_arrow_reader(_GROUP_ROWS), file):
            count += group.num_rows
            times += [group[time][0].as_py(), group[time][-1].as_py()]
            known.append(pc.max(group["known_at"]).as_py())
        first, last = (times[0].date(), times[-1].date()) if times else (None, None)
        last_known = max(known).date() if known else None
        return WeeklyPart(file.name, count, digest(file), first, last, last_known)


def _write_groups(batches: pa.RecordBatchReader, file: Path) -> Iterator[pa.Table]:
    # DuckDB's own writer says of each column whether it may be empty, as far as it happens to know:
    # the bytes would hang on how the rows came
    schema = batches.schema
    texts = [column.name for column in schema if not pa.types.is_timestamp(column.type)]
    waiting = schema.empty_table()
    with pq.ParquetWriter(file, schema, use_dictionary=texts) as writer:
        for batch in batches:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
            while waiting.num_rows >= _GROUP_ROWS:
                yield _write_group(writer, waiting[:_GROUP_ROWS])
                waiting = waiting[_GROUP_ROWS:]
        if waiting.num_rows:
            yield _write_group(writer, waiting)


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> pa.Table:
    # how the rows are cut into chunks decides where pages end
    group = rows.combine_chunks()
    writer.write_table(group, row_group_size=_GROUP_ROWS)
    return group


def digest(file: Path) -> str:
    """Give the SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
