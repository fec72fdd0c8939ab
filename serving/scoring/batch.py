"""Scores of a whole company where its feature rows lie: on Spark, by the same models.

Each worker scores its rows as `score` does, and tells of renewals and next products as `renewals`
and `next_products` beside it do; only ranks need to know of the others.
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
from features.spine import snapshot_days
from features.windows import Rows
from models.bundle import Bundle
from models.cells import feature_matrix
from models.holdings import held_in, held_rows
from models.intervals import TERM_END, TERM_MONTHS
from models.questions import QUESTIONS
from models.registry import Registry
from models.scored import COLUMNS, FIELDS
from serving.scoring.next_products import COLUMNS as OF_PRODUCTS
from serving.scoring.next_products import FIELDS as PRODUCT_FIELDS
from serving.scoring.next_products import learned_of, told
from serving.scoring.renewals import COLUMNS as OF_RENEWALS
from serving.scoring.renewals import FIELDS as RENEWAL_FIELDS
from serving.scoring.renewals import NOTICE, told_renewals
from serving.scoring.score import score

_GROUP = ("model", "horizon_days", "status")
_STATE = ("status", "mrr", "term_end_day")
_HAS_ROW = "_has_row"
_OF_TERMS = frozenset({NOTICE, TERM_END, TERM_MONTHS})


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
        The folder that gets `features`, `scores`, `renewals` and `next_products`, each in parts.
    running
        Who computes and writes.
    own
        The company's own features; of them and ours, those are computed that a champion reads, and
        those that tell of the signed term.

    Raises
    ------
    ModelError
        When there is no champion, or the source lacks a feature that one was trained on.
    """
    found = {name: registry.champion(name) for name in QUESTIONS}
    bundles = {name: bundle for name, bundle in found.items() if bundle is not None}
    if not bundles:
        raise ModelError("Expected a champion to score with, got none. Run: tenure promote churn")
    written = {name: out / name for name in ("features", "scores", "renewals", "next_products")}
    features, scores, renewals, products = written.values()
    read = {column for bundle in bundles.values() for column in bundle.features} | _OF_TERMS
    chosen = [each for each in available(source, own, touches=True) if each.column in read]
    states = write_feature_parts(source, [as_of], chosen, features, running)
    at = (as_of, datetime.now(UTC).replace(tzinfo=None))
    score_parts(bundles, features, states, at, scores, running)
    renewal_parts(bundles.get("churn"), features, states, as_of, renewals, running)
    product_parts(bundles, source, states, as_of, products, running)
    return written


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
        As `serving.scoring.score.score` takes them.
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
    travelling = {name: replace(bundle) for name, bundle in bundles.items()}

    def scored(batch: pd.DataFrame) -> pd.DataFrame:
        table, known = _table_and_states(batch, day)
        return score(travelling, table, known, scored_at)

    together, nothing = _together(parts, states, day, running)
    for name, bundle in bundles.items():  # here, for a worker's error comes without its class
        feature_matrix(nothing, bundle.features, bundle.categories, name)
    scores = _ranked(running.map(together, scored, pa.schema(FIELDS)), running)
    with whole(out) as aside:
        running.write(scores, aside, by=DATE, then=["account_id", "model", "horizon_days"])


def renewal_parts(
    churn: Bundle | None, parts: Path, states: Rows, day: date, out: Path, running: Cluster
) -> None:
    """Tell of one date's next renewals from a partitioned feature table, in partitioned files.

    Parameters
    ----------
    churn
        The champion; without one there are dates and no probabilities.
    parts, states, running
        As `score_parts` takes them.
    day
        The states' date.
    out
        Gets `as_of=<date>/*.parquet` with what `renewals.renewals` gives but the date.
    """
    travelling = None if churn is None else replace(churn)

    def renewing(batch: pd.DataFrame) -> pd.DataFrame:
        table, known = _table_and_states(batch, day)
        active = known.loc[known["status"] == "active", "account_id"]
        rows = table[table["account_id"].isin(active)]
        said = pd.DataFrame(index=pd.Index(rows["account_id"]))
        if travelling is not None:
            columns = list(travelling.question.horizons_days)
            said = pd.DataFrame(travelling.probabilities(rows), said.index, columns)
        return told_renewals(travelling, said, table, known)

    together, _ = _together(parts, states, day, running)
    renewals = running.map(together, renewing, pa.schema(RENEWAL_FIELDS))
    with whole(out) as aside:
        running.write(_dated(renewals).select(*OF_RENEWALS), aside, by=DATE, then=["account_id"])


def product_parts(
    bundles: Mapping[str, Bundle],
    source: CheckedSource,
    states: Rows,
    day: date,
    out: Path,
    running: Cluster,
) -> None:
    """Name one date's next products, in partitioned files.

    Parameters
    ----------
    bundles, source, running
        As `score_on_spark` has them.
    states, day
        What `features.spine.state_rows` gives of that date.
    out
        Gets `as_of=<date>/*.parquet` with what `next_products.next_products` gives;
        no date's folder where that gives no row.
    """
    learned, schema = learned_of(bundles), pa.schema([*PRODUCT_FIELDS, (DATE, pa.string())])
    if learned is None:
        rows = running.frame({name: [] for name in schema.names}, schema)
    else:
        (number,) = snapshot_days([day])
        measured = held_rows(source, states, number, learned.products, running)

        def named(batch: pd.DataFrame) -> pd.DataFrame:
            had = batch.assign(held=held_in(batch, learned.products))
            return told(learned, had).assign(**{DATE: f"{day:%Y-%m-%d}"})

        rows = running.map(measured, named, schema)
    with whole(out) as aside:
        running.write(rows.select(*OF_PRODUCTS, DATE), aside, by=DATE, then=["account_id"])


def _together(parts: Path, states: Rows, day: date, running: Cluster) -> tuple[Rows, pd.DataFrame]:
    """Put each account's feature row beside its state; and give such a table without a row."""
    table = running.scan(parts / f"{DATE}={day:%Y-%m-%d}")
    nothing = pd.DataFrame(columns=table.collect_schema().names(), dtype="float64")
    has_row = table.with_columns(nw.lit(1).alias(_HAS_ROW))
    known = states.select("account_id", *_STATE)
    return known.join(has_row, on="account_id", how="left"), nothing


def _table_and_states(batch: pd.DataFrame, day: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part a batch of the two again, as `features.build` and `features.spine` give them."""
    ends = pd.to_datetime(batch["term_end_day"], unit="D").astype("datetime64[us]")
    rows = batch.assign(
        as_of=pd.Timestamp(day).as_unit("us"),
        mrr=batch["mrr"].astype("float64") / FIXED,
        term_ends_at=ends,
    )
    table = rows[rows[_HAS_ROW].notna()].drop(columns=[*_STATE, "term_ends_at", _HAS_ROW])
    return table, rows[["account_id", "as_of", "status", "mrr", "term_ends_at"]]


def _ranked(scores: Rows, running: Cluster) -> Rows:
    """Rank all scores as `serving.scoring.score` ranks: the highest first, then by account_id."""
    settled = running.settle(scores)  # or a worker that is asked twice would score twice
    ordered = settled.with_columns(_down=-nw.col("probability"), _one=nw.lit(1, nw.Int64))
    place = nw.col("_one").cum_sum().over(*_GROUP, order_by=["_down", "account_id"])
    is_scored = nw.col("status") == "scored"
    ranked = ordered.with_columns(rank=nw.when(is_scored).then(place))
    return _dated(ranked).select(*COLUMNS)


def _dated(rows: Rows) -> Rows:
    """Give the date as text, as it names the folder."""
    return rows.with_columns(nw.col(DATE).cast(nw.Date).cast(nw.String))
