"""Scores, renewals and next products from Spark are those from here."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.checked import CheckedSource
from features.declare import FIXED
from features.engine import cluster
from features.errors import ModelError
from features.spine import account_states, state_rows
from models.bundle import Bundle
from models.next_product import NextProducts
from models.scored import COLUMNS, check_scores
from serving.scoring.batch import product_parts, renewal_parts, score_parts
from serving.scoring.next_products import next_products
from serving.scoring.renewals import renewals
from serving.scoring.score import score

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
PAYING = {
    "accounts": """
        account_id  created_at
        core-only   2023-01-01
        has-maps    2023-01-01
        had-maps    2023-01-01
        has-all     2023-01-01
        leaving     2023-01-01
        taken-over  2023-01-01
    """,
    "account_merges": """
        from_account_id  into_account_id  merged_at
        taken-over       core-only        2024-05-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at ended_at   cancel_requested_at
        s1              core-only  core    100 2024-01-01 -          -
        s2              has-maps   core    100 2024-01-01 -          -
        s3              has-maps   maps    10  2024-04-01 -          -
        s4              had-maps   core    100 2024-01-01 -          -
        s5              had-maps   maps    10  2024-01-01 2024-03-01 -
        s6              has-all    core    100 2024-01-01 -          -
        s7              has-all    maps    10  2024-01-01 -          -
        s8              has-all    pay     10  2024-01-01 -          -
        s9              leaving    core    10  2024-01-01 -          2024-02-01
        s10             taken-over pay     10  2024-01-01 -          -
    """,
}
LEARNED = NextProducts(
    products=("core", "maps", "pay"),
    bought={"maps": 30, "pay": 10},
    after={("core",): {"maps": 9, "pay": 3}},
)
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


def test_next_products_are_the_same_to_the_bit(
    company: Callable[..., CheckedSource], bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    source, day = company(PAYING, extracted_at="2024-06-01T00:00"), date(2024, 6, 1)
    growing = {"expansion": replace(bundles["expansion"], next_products=LEARNED)}
    with cluster() as running:
        states = running.settle(state_rows(source, [day], running))
        for name, models in (("found", growing), ("none", bundles)):
            product_parts(models, source, states, day, tmp_path / name, running)
    expected = next_products(growing, source, account_states(source, [day]))
    assert expected[["account_id", "product"]].to_numpy().tolist() == [
        ["core-only", "maps"],
        ["had-maps", "maps"],
        ["has-maps", "pay"],
    ]
    found = rows_in(tmp_path / "found")
    assert set(found["as_of"]) == {pd.Timestamp(day)}
    found = found[list(expected)].astype(expected.dtypes)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert not list((tmp_path / "none").glob("as_of=*"))
