"""Scores from Spark are the scores from here."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.declare import FIXED
from features.engine import cluster
from features.errors import ModelError
from models.bundle import Bundle
from models.scored import COLUMNS, check_scores
from serving.batch import score_parts
from serving.score import score

pytestmark = pytest.mark.usefixtures("spark")
STATES = pa.schema([("account_id", pa.string()), ("status", pa.string()), ("mrr", pa.int64())])
NOW = datetime(2025, 2, 1, 6)  # noqa: DTZ001 - naive UTC, as everywhere


def parts(folder: Path, table: pd.DataFrame) -> Path:
    date = folder / f"as_of={table['as_of'].iloc[0]:%Y-%m-%d}"
    date.mkdir(parents=True)
    rows = table.drop(columns="as_of")
    half = len(rows) // 2
    rows.iloc[:half].to_parquet(date / "part-0.parquet", index=False)
    rows.iloc[half:].to_parquet(date / "part-1.parquet", index=False)
    return folder


def write(bundles: dict[str, Bundle], parts: Path, states: pd.DataFrame, out: Path) -> None:
    (as_of,) = states["as_of"].unique()
    columns = {name: states[name] for name in ("account_id", "status")}
    mrr = (states["mrr"] * FIXED).round()
    with cluster() as running:
        rows = running.frame({**columns, "mrr": mrr.astype("int64")}, STATES)
        score_parts(bundles, parts, rows, (pd.Timestamp(as_of).date(), NOW), out, running)


def read(out: Path) -> pd.DataFrame:
    files = sorted(out.glob("as_of=*/*.parquet"))
    rows = pd.concat([pq.read_table(file).to_pandas() for file in files], ignore_index=True)
    as_of = pd.Timestamp(files[0].parent.name.removeprefix("as_of="))
    scores = rows.assign(as_of=as_of).sort_values(["account_id", "model", "horizon_days"])
    scores["reasons"] = [list(reasons) for reasons in scores["reasons"]]
    return scores[list(COLUMNS)].reset_index(drop=True)


def plain(scores: pd.DataFrame) -> pd.DataFrame:
    same = {"as_of": "datetime64[us]", "scored_at": "datetime64[us]", "rank": "Int64"}
    return scores.astype(same | dict.fromkeys(("band", "model", "model_version"), "str"))


def test_scores_ranks_and_reasons_are_the_same_to_the_bit(
    bundles: dict[str, Bundle], table: pd.DataFrame, states: pd.DataFrame, tmp_path: Path
) -> None:
    write(bundles, parts(tmp_path / "in", table), states, tmp_path / "scores")
    found, expected = plain(read(tmp_path / "scores")), plain(score(bundles, table, states, NOW))
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)
    check_scores(found)


def test_a_table_without_a_feature_of_the_model_is_refused(
    bundles: dict[str, Bundle], table: pd.DataFrame, states: pd.DataFrame, tmp_path: Path
) -> None:
    without = table.drop(columns=bundles["churn"].features[0])
    with pytest.raises(ModelError, match=bundles["churn"].features[0]):
        write(bundles, parts(tmp_path / "in", without), states, tmp_path / "scores")
