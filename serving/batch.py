"""Scores of a whole company where its feature rows lie: on Spark, by the same models.

Each worker scores its rows as `serving.score` does; only ranks need to know of the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import narwhals as nw
import pandas as pd
import pyarrow as pa

from features.catalog import available
from features.checked import CheckedSource
from features.declare import FIXED, Feature
from features.engine import Cluster
from features.errors import ModelError
from features.partitioned import DATE, whole, write_feature_parts
from features.windows import Rows
from models.bundle import Bundle
from models.cells import feature_matrix
from models.questions import QUESTIONS
from models.registry import Registry
from models.scored import COLUMNS, FIELDS
from serving.score import score

_GROUP = ("model", "horizon_days", "status")


def score_on_spark(
    source: CheckedSource,
    as_of: date,
    registry: Registry,
    out: Path,
    running: Cluster,
    own: Iterable[Feature] = (),
) -> dict[str, Path]:
    """Compute the features of a date and score every account with the champions, all on Spark.

    Nothing is published to the service.

    Parameters
    ----------
    source
        Checked tables, where the workers can read them by the same paths.
    as_of
        The date.
    registry
        Holds the champions.
    out
        The folder that gets `features` and `scores`, each in parts.
    running
        Who computes and writes.
    own
        The company's own features; of them and ours, those are computed that a champion reads.

    Raises
    ------
    ModelError
        When there is no champion, or the source lacks a feature that one was trained on.
    """
    found = {name: registry.champion(name) for name in QUESTIONS}
    bundles = {name: bundle for name, bundle in found.items() if bundle is not None}
    if not bundles:
        raise ModelError("Expected a champion to score with, got none. Run: tenure promote churn")
    features, scores = out / "features", out / "scores"
    read = {column for bundle in bundles.values() for column in bundle.features}
    chosen = [each for each in available(source, own, touches=True) if each.column in read]
    states = write_feature_parts(source, [as_of], chosen, features, running)
    at = (as_of, datetime.now(UTC).replace(tzinfo=None))
    score_parts(bundles, features, states, at, scores, running)
    return {"features": features, "scores": scores}


def score_parts(
    bundles: Mapping[str, Bundle],
    parts: Path,
    states: Rows,
    at: tuple[date, datetime],
    out: Path,
    running: Cluster,
) -> None:
    """Score one date's accounts from a partitioned feature table, and write partitioned scores.

    Parameters
    ----------
    bundles
        As `serving.score.score` takes them.
    parts, states
        What `features.partitioned.write_feature_parts` wrote and gave; the date's folder is read.
    at
        The states' date, and when they are scored.
    out
        Gets `as_of=<date>/*.parquet` with the contract's other columns; what is there is replaced.
    running
        Who scores and writes.

    Raises
    ------
    TenureError
        When the table lacks a feature of a model.
    """
    day, scored_at = at
    as_of = pd.Timestamp(day).as_unit("us")
    travelling = {name: replace(bundle) for name, bundle in bundles.items()}

    def scored(batch: pd.DataFrame) -> pd.DataFrame:
        rows = batch.assign(as_of=as_of, mrr=batch["mrr"].astype("float64") / FIXED)
        known = rows[["account_id", "as_of", "status", "mrr"]]
        has_row = rows[_HAS_ROW].notna()
        table = rows.loc[has_row].drop(columns=["status", "mrr", _HAS_ROW])
        return score(travelling, table, known, scored_at)

    table = running.scan(parts / f"{DATE}={day:%Y-%m-%d}")
    nothing = pd.DataFrame(columns=table.collect_schema().names(), dtype="float64")
    for name, bundle in bundles.items():  # here, for a worker's error comes without its class
        feature_matrix(nothing, bundle.features, bundle.categories, name)
    has_row = table.with_columns(nw.lit(1).alias(_HAS_ROW))
    together = states.select("account_id", "status", "mrr").join(
        has_row, on="account_id", how="left"
    )
    scores = _ranked(running.map(together, scored, pa.schema(FIELDS)), running)
    with whole(out) as aside:
        running.write(scores, aside, by=DATE, then=["account_id", "model", "horizon_days"])


_HAS_ROW = "_has_row"


def _ranked(scores: Rows, running: Cluster) -> Rows:
    """Rank all scores as `serving.score` ranks: the highest first, then by account_id."""
    settled = running.settle(scores)  # or a worker that is asked twice would score twice
    ordered = settled.with_columns(_down=-nw.col("probability"), _one=nw.lit(1, nw.Int64))
    place = nw.col("_one").cum_sum().over(*_GROUP, order_by=["_down", "account_id"])
    is_scored = nw.col("status") == "scored"
    ranked = ordered.with_columns(rank=nw.when(is_scored).then(place))
    dated = ranked.with_columns(nw.col(DATE).cast(nw.Date).cast(nw.String))
    return dated.select(*COLUMNS)
