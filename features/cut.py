"""A checked source as it would have been at a date: what became known since is deleted."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from features.battery.known import is_signed
from features.checked import MANIFEST, CheckedSource, write_manifest
from features.contracts import TABLES
from features.errors import SourceError
from features.rows import PLANNED
from features.windows import happened_before

_TERM = ("renews_at", "term_months", "recorded_at")


def cut(source: CheckedSource, as_of: datetime, folder: Path) -> CheckedSource:
    """Write the source that an extract made at `as_of` would have given, as far as one can tell.

    Rows that became known at `as_of` or later are deleted, versions among them; facts that happened
    then are null in the rows that stay; so is the stored end of a term that had not begun. Of an
    overwritten column without versions nobody can tell what it was: it stays, and bears no feature.

    Parameters
    ----------
    source
        What is known today.
    as_of
        Naive UTC, 00:00 of a date.
    folder
        A new folder, which gets the tables and their manifest.

    Raises
    ------
    FileExistsError
        When the folder is there already.
    SourceError
        When `as_of` lies after the extract: what was known by then is not in it.
    """
    if as_of.date() > source.last_date:
        raise SourceError(
            f"Expected an extract of {as_of:%Y-%m-%d} or later, got one of "
            f"{source.last_date:%Y-%m-%d}. Bring a newer one."
        )
    folder.mkdir(parents=True)
    for table in source.columns:
        for part in source.parts(table):
            out = folder / part.relative_to(source.folder)
            out.parent.mkdir(exist_ok=True)
            _write(_known(part, table, as_of), _nullable(pq.read_schema(part)), out)
    said = f"{source.fingerprint} as of {as_of.isoformat()}"
    before = replace(
        source,
        folder=folder,
        extracted_at=as_of,
        extracted_at_is_guess=False,
        fingerprint=hashlib.sha256(said.encode()).hexdigest(),
        counts=MappingProxyType({}),
        findings=(),
        quarantine=None,
        files=MappingProxyType({}),
        ledgers=MappingProxyType({}),
    )
    (folder / MANIFEST).write_text(write_manifest(before), encoding="utf-8")
    return before


def _write(batches: Iterator[pa.Table], schema: pa.Schema, out: Path) -> None:
    with pq.ParquetWriter(out, schema) as writer:
        for batch in batches:
            writer.write_table(batch.cast(schema))


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])  # noqa: FBT003 - pyarrow's


def _known(part: Path, table: str, as_of: datetime) -> Iterator[pa.Table]:
    """Read a file's rows in batches, as they were known at `as_of`."""
    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches():
            rows = nw.from_native(pa.Table.from_batches([batch]), eager_only=True)
            rows = rows.filter(happened_before("known_at", as_of))
            if "renews_at" in rows.columns:
                rows = rows.with_columns(renews_at=_signed_ends(rows, as_of))
            yield rows.with_columns(**_facts(table, rows.columns, as_of)).to_native()


def _facts(table: str, present: list[str], as_of: datetime) -> dict[str, nw.Expr]:
    """Show each column that has a time of its own only where that time has come."""
    first = TABLES[table].first_time
    own = {
        column.name: column.known_at
        for column in TABLES[table]
        if column.name in present and column.name not in PLANNED and column.known_at != first
    }
    return {
        name: nw.when(happened_before(time, as_of)).then(nw.col(name))
        for name, time in own.items()
        if time in present
    }


def _signed_ends(rows: nw.DataFrame[pa.Table], as_of: datetime) -> nw.Series[pa.ChunkedArray]:
    """Give renews_at, null where the term that it ends had not begun."""
    columns = [name for name in _TERM if name in rows.columns]
    ends = [
        row["renews_at"] if is_signed(row, as_of) else None
        for row in rows.select(columns).iter_rows(named=True)
    ]
    cells = pa.chunked_array([pa.array(ends, pa.timestamp("us"))])
    return nw.from_native(cells, series_only=True)
