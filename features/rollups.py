"""What is rolled up of a log: the rows of views by day, one file beside each weekly part."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pyarrow as pa

from features.checked import CheckedSource
from features.contracts import TABLES
from features.daily import ROLLED_UP
from features.declare import View
from features.reached import Reach
from features.versions import versions

_LAYOUT = "2"  # of the files: what was laid out in another way is not read
_EDGES = b"edge_groups"


def rollups_of(table: str, present: Iterable[str]) -> tuple[View, ...]:
    """Give the views that are rolled up of a log with these columns, each after those below it."""
    there = {*present, *(column.name for column in TABLES[table] if column.default is not None)}
    return tuple(
        view
        for view in ROLLED_UP
        if view.source_table == table and there.issuperset(view.chain[0].uses)
    )


def rollup(parts: Path, view: View) -> Path:
    """Name the folder with a view's rows, a file for each part in the folder `parts`.

    The name says by which code they were made: what other code made is not read.
    """
    return parts.with_name(f"{parts.name}.{view.name}.{edition()[:8]}")


@cache  # code does not change while it runs
def edition() -> str:
    """Give a digest of all that the rows hang on besides those of the log."""
    reach = Reach()
    makers = [versions, *(step.make for view in ROLLED_UP for step in view.chain)]
    texts = sorted({text for maker in makers for text in reach.texts(maker)})
    return hashlib.sha256("\0".join([_LAYOUT, *texts]).encode()).hexdigest()


def rolled_up(source: CheckedSource, view: View) -> Path | None:
    """Give the folder with a view's rows over a log, if every part of the log is rolled up."""
    if view not in ROLLED_UP or not source.has(view.source_table):
        return None
    folder = rollup(source.path(view.source_table), view)
    parts = source.parts(view.source_table)
    return folder if all((folder / part.name).is_file() for part in parts) else None


def with_edges(schema: pa.Schema, groups: int) -> pa.Schema:
    """Note in a file's schema in how many row groups each account's first and last days lie."""
    return schema.with_metadata({_EDGES: json.dumps(list(range(groups)))})


def edge_groups(schema: pa.Schema) -> list[int] | None:
    """Give the row groups that hold each account's first and last days; None where it says none."""
    noted = (schema.metadata or {}).get(_EDGES)
    return None if noted is None else list(json.loads(noted))
