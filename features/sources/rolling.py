"""Rolls up a weekly part of a log: the rows that views by day have of it, written beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.daily import EVENT_DAYS
from features.declare import View
from features.engine import Engine, session
from features.rollups import rollup, rollups_of, with_edges
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
            ordered = _in_order(rows)
            pieces = _edges_first(ordered) if view == EVENT_DAYS else (ordered,)
            _write(pieces, rollup(part.parent, view) / part.name)


def _made(views: Sequence[View], reader: Reader) -> Iterator[tuple[View, Rows]]:
    """Give the rows of views; those that others are made of are made once."""
    below = {step for view in views for step in view.chain[1:-1]}
    for view in views:
        for step in view.chain:
            if step in below and step not in reader.rows:
                rows = reader.session.settle(reader.of(step))
                reader = replace(reader, rows={**reader.rows, step: rows})
        yield view, reader.of(view)


def _in_order(rows: Rows) -> pa.Table:
    """Put the rows in the order of their columns, which no two share."""
    ordered = rows.sort(*rows.collect_schema().names())
    table = ordered.collect(backend="polars", engine="streaming").to_arrow()
    large = pa.large_string(), pa.string_view()
    fields = [f.with_type(pa.string()) if f.type in large else f for f in table.schema]
    return table.cast(pa.schema(fields)).combine_chunks()


def _edges_first(days: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Part each account's first and last day of the week from those between.

    Whoever asks only when an account was first or last seen need read no more than these.
    """
    days_of = days.group_by("account_id", use_threads=False)
    spans = days_of.aggregate([("used_at", "min"), ("used_at", "max")])
    beside = spans.take(pc.index_in(days["account_id"], spans["account_id"]))
    is_edge = pc.or_(
        pc.equal(days["used_at"], beside["used_at_min"]),
        pc.equal(days["used_at"], beside["used_at_max"]),
    )
    return days.filter(is_edge), days.filter(pc.invert(is_edge))


def _write(pieces: Sequence[pa.Table], out: Path) -> None:
    """Write tables one after the other; of two, the first is the edges."""
    out.parent.mkdir(exist_ok=True)
    edges, *_ = pieces
    groups = -(-edges.num_rows // _GROUP_ROWS)
    schema = with_edges(edges.schema, groups) if len(pieces) > 1 else edges.schema
    with pq.ParquetWriter(out, schema) as writer:
        for piece in pieces:
            writer.write_table(piece.cast(schema), row_group_size=_GROUP_ROWS)
