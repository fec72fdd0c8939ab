"""Scores and renewals from Spark are those from here."""

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
from serving.batch import renewal_parts, score_parts
from serving.renewals import renewals
from serving.score import score

pytestmark = pytest.mark.usefixtures("spark")
STATES = pa.schema(
    [
        ("account_id", pa.string()),
        ("status", pa.string()),
        ("mrr", pa.int64()),
        ("term_end_day", pa.int64()),
    ]
)
EPOCH = pd.Timestamp(0)
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
    """Write scores, and the renewals beside them."""
    day = states["as_of"].iloc[0].date()
    columns = {name: states[name] for name in ("account_id", "status")}
    mrr = (states["mrr"] * FIXED).round().astype("int64")
    ends = [None if pd.isna(end) else (end - EPOCH).days for end in states["term_ends_at"]]
    with cluster() as running:
        rows = running.frame({**columns, "mrr": mrr, "term_end_day": ends}, STATES)
        score_parts(bundles, parts, rows, (day, NOW), out / "scores", running)
        renewal_parts(bundles.get("churn"), parts, rows, day, out / "renewals", running)


def rows_in(out: Path) -> pd.DataFrame:
    """Give all parts in the order of their names."""
    files = sorted(out.glob("as_of=*/*.parquet"))
    rows = pd.concat([pq.read_table(file).to_pandas() for file in files], ignore_index=True)
    return rows.assign(as_of=pd.Timestamp(files[0].parent.name.removeprefix("as_of=")))


def read(out: Path) -> pd.DataFrame:
    scores = rows_in(out).sort_values(["account_id", "model", "horizon_days"])
    scores["reasons"] = [list(reasons) for reasons in scores["reasons"]]
    return scores[list(COLUMNS)].reset_index(drop=True)


def plain(scores: pd.DataFrame) -> pd.DataFrame:
    same = {"as_of": "datetime64[us]", "scored_at": "datetime64[us]", "rank": "Int64"}
    return scores.astype(same | dict.fromkeys(("band", "model", "model_version"), "str"))


def test_scores_ranks_reasons_and_renewals_are_the_same_to_the_bit(
    bundles: dict[str, Bundle], table: pd.DataFrame, states: pd.DataFrame, tmp_path: Path
) -> None:
    write(bundles, parts(tmp_path / "in", table), states, tmp_path)
    found, expected = plain(read(tmp_path / "scores")), plain(score(bundles, table, states, NOW))
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)
    check_scores(found)
    local = renewals(bundles, score(bundles, table, states, NOW), table, states)
    assert local["renewal_probability"].notna().tolist() == [True, False, False]
    found = rows_in(tmp_path / "renewals")[list(local)].astype(local.dtypes)
    pd.testing.assert_frame_equal(found, local, check_exact=True)


def test_a_table_without_a_feature_of_the_model_is_refused(
    bundles: dict[str, Bundle], table: pd.DataFrame, states: pd.DataFrame, tmp_path: Path
) -> None:
    without = table.drop(columns=bundles["churn"].features[0])
    with pytest.raises(ModelError, match=bundles["churn"].features[0]):
        write(bundles, parts(tmp_path / "in", without), states, tmp_path / "out")
