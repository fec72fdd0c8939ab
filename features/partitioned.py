"""The feature table as partitioned Parquet, written where it is computed: on Spark."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.build import active_points, feature_rows
from features.catalog import catalog_json
from features.checked import CheckedSource
from features.declare import Feature
from features.engine import Cluster, Engine, cluster
from features.errors import TenureError
from features.spine import account_states
from features.windows import Rows, day_number

DATE = "as_of"
"""Names the folders: `as_of=2024-05-01`."""


def write_feature_parts(
    source: CheckedSource, states: pd.DataFrame, features: Sequence[Feature], out: Path
) -> None:
    """Write the feature rows of the active accounts to `<out>/as_of=<date>/*.parquet`.

    The rows never come to this process. `<out>.catalog.json` beside it tells of the columns.

    Parameters
    ----------
    source
        Checked tables, where the workers can read them by the same paths.
    states
        As `features.build.feature_table` takes them.
    features
        The columns; a missing value is null.
    out
        The folder; what is there is replaced as a whole.

    Raises
    ------
    TenureError
        When there is no active account, or Spark is not there.
    """
    points = active_points(states)
    if points.empty:
        raise TenureError("Expected active accounts at the dates, got none. Name other dates.")
    with cluster() as running:
        rows = feature_rows(source, points, features, running, engine=Engine.SPARK)
        dated = with_date(rows, points["as_of"].drop_duplicates(), running)
        with whole(out) as aside:
            running.write(dated, aside, by=DATE, then=["account_id"])
    entries = json.dumps(catalog_json(features), indent=1) + "\n"
    out.with_name(f"{out.name}.catalog.json").write_text(entries, encoding="utf-8")


def write_on_spark(
    source: CheckedSource, dates: Sequence[date], features: Sequence[Feature], out: Path
) -> pd.DataFrame:
    """Compute states and write features at dates, all in one session of Spark; give the states."""
    with cluster():
        states = account_states(source, dates, engine=Engine.SPARK)
        write_feature_parts(source, states, features, out)
    return states


def with_date(rows: Rows, times: Iterable[pd.Timestamp], running: Cluster) -> Rows:
    """Put the date as text in the place of as_of_day."""
    dates = {day_number(time.to_pydatetime()): f"{time:%Y-%m-%d}" for time in times}
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
