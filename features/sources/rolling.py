"""Rolls up a weekly part of a log: the rows that views by day have of it, written beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.declare import View
from features.engine import Engine, session
from features.rollups import rollup, rollups_of
from features.rows import Reader
from features.versions import versions
from features.windows import Rows

_GROUP_ROWS = 122_880


def roll_up(part: Path, present: Sequence[str]) -> None:
    """Write what is rolled up of a part of a log: equal rows give equal bytes, in any order.

    Parameters
    ----------
    part
        `<table>/<monday>.parquet` of a checked log, with `known_at`.
    present
        The contract's columns that it has.
    """
    table = part.parent.name
    views = rollups_of(table, present)
    names = dict.fromkeys(name for view in views for name in view.chain[0].uses)
    with session(Engine.POLARS) as running:
        log = versions(part, table, present, tuple(names), running)
        for view, rows in _made(views, Reader(running, {table: log})):
            _write(rows, rollup(part.parent, view) / part.name)


def _made(views: Sequence[View], reader: Reader) -> Iterator[tuple[View, Rows]]:
    """Give the rows of views; those that others are made of are made once."""
    below = {step for view in views for step in view.chain[1:-1]}
    for view in views:
        for step in view.chain:
            if step in below and step not in reader.rows:
                rows = reader.session.settle(reader.of(step))
                reader = replace(reader, rows={**reader.rows, step: rows})
        yield view, reader.of(view)


def _write(rows: Rows, out: Path) -> None:
    """Write the rows in the order of their columns, which no two share."""
    out.parent.mkdir(exist_ok=True)
    ordered = rows.sort(*rows.collect_schema().names())
    table = ordered.collect(backend="polars", engine="streaming").to_arrow()
    large = pa.large_string(), pa.string_view()
    fields = [f.with_type(pa.string()) if f.type in large else f for f in table.schema]
    whole = table.cast(pa.schema(fields)).combine_chunks()
    pq.write_table(whole, out, row_group_size=_GROUP_ROWS)
