"""The feature table as partitioned Parquet, written where it is computed: on Spark."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import narwhals as nw
import pyarrow as pa

from features.build import feature_rows
from features.catalog import catalog_json
from features.checked import CheckedSource
from features.declare import Feature
from features.engine import Cluster, Engine
from features.errors import TenureError
from features.grid import grid
from features.spine import snapshot_days, state_rows
from features.windows import Rows

DATE = "as_of"
"""Names the folders: `as_of=2024-05-01`."""


def write_feature_parts(
    source: CheckedSource,
    dates: Sequence[date],
    features: Sequence[Feature],
    out: Path,
    running: Cluster,
) -> Rows:
    """Write the feature rows of the active accounts to `<out>/as_of=<date>/*.parquet`.

    No row of an account at a date comes to this process, which knows the accounts by name only.
    `<out>.catalog.json` beside the folder tells of the columns.

    Parameters
    ----------
    source
        Checked tables, where the workers can read them by the same paths.
    dates
        The snapshots.
    features
        The columns; a missing value is null.
    out
        The folder; what is there is replaced as a whole.
    running
        Who computes and writes.

    Returns
    -------
    Rows
        The states of all accounts, as `features.spine.state_rows` gives them.

    Raises
    ------
    TenureError
        When there is no active account.
    """
    states = running.settle(state_rows(source, dates, running))
    points = states.filter(nw.col("status") == "active").select("account_id", "as_of_day")
    accounts = sorted(running.collect(points.select("account_id").unique())["account_id"])
    if not accounts:
        raise TenureError("Expected active accounts at the dates, got none. Name other dates.")
    on = grid(accounts, snapshot_days(dates), running)
    rows = feature_rows(source, points, on, features, running, engine=Engine.SPARK)
    with whole(out) as aside:
        running.write(with_date(rows, dates, running), aside, by=DATE, then=["account_id"])
    entries = json.dumps(catalog_json(features), indent=1) + "\n"
    out.with_name(f"{out.name}.catalog.json").write_text(entries, encoding="utf-8")
    return states


def with_date(rows: Rows, times: Iterable[date], running: Cluster) -> Rows:
    """Put the date as text in the place of as_of_day."""
    known = sorted(set(times))
    dates = dict(zip(snapshot_days(known), (f"{time:%Y-%m-%d}" for time in known), strict=True))
    schema = pa.schema([("as_of_day", pa.int64()), (DATE, pa.string())])
    days = running.frame({"as_of_day": list(dates), DATE: list(dates.values())}, schema)
    return rows.join(days, on="as_of_day").drop("as_of_day")


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """Give a folder to write aside, which takes the place of `out` once it is complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside, old = (out.with_name(f".{out.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        yield aside
        if out.exists():
            out.rename(old)
        aside.rename(out)
    finally:
        for folder in (aside, old):
            shutil.rmtree(folder, ignore_errors=True)
