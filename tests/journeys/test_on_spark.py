"""The verbs that run on Spark, each as a process of its own: the same answers as on one machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from features.built import built
from features.home import Home
from features.sources.check import check
from models.bundle import Bundle
from models.gate import Gate, GateReport
from models.intervals import COVARIATES
from models.next_product import NextProducts
from models.record import Training
from models.registry import Registry
from models.renewal import AtTermEnd
from serving.scoring.renewals import renewals
from serving.scoring.score import score

pytestmark = pytest.mark.usefixtures("one_spark")
TABLES = {
    "accounts": """
        account_id created_at
        a          2023-01-01
        b          2023-01-01
        c          2023-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr  started_at ended_at   term_months seats
        s1              a          base    100  2023-01-15 -          12          5
        s2              b          base    50.5 2023-03-31 -          1           -
        s3              c          base    70   2023-02-01 2024-02-10 -           2
        s4              b          maps    5    2023-05-01 -          1           -
    """,
}
LEARNED = NextProducts(("base", "maps"), {"maps": 3}, {("base",): {"maps": 3}})
DATES = ("2024-02-01", "2024-03-01")


SMALL = """
spark.sql.codegen.wholeStage  false
spark.sql.codegen.factoryMode NO_CODEGEN
"""
"""As an administrator sets Spark up: compiling takes longer than rows this few."""


@pytest.fixture(autouse=True)
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text(SMALL, encoding="utf-8")
    monkeypatch.setenv("SPARK_CONF_DIR", str(conf))
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


@pytest.fixture
def folder(source_folder: Callable[..., Path]) -> Path:
    return source_folder(TABLES, extracted_at="2024-03-01")


def read(out: Path) -> pd.DataFrame:
    parts = [
        pd.read_parquet(file).assign(as_of=pd.Timestamp(file.parent.name.removeprefix("as_of=")))
        for file in sorted(out.glob("as_of=*/*.parquet"))
    ]
    whole = pd.concat(parts, ignore_index=True)
    return whole.astype({"as_of": "datetime64[us]"})


def test_features_writes_the_table_of_one_machine_in_parts(
    tenure: Callable[[], Any], folder: Path, tmp_path: Path
) -> None:
    line, out = tenure(), tmp_path / "features"
    dates = [word for date in DATES for word in ("--as-of", date)]
    line.json("features", str(folder), *dates, "--engine", "spark", "--out", str(out))
    line.json("features", str(folder), *dates, "--out", f"{out}.parquet")
    expected = pd.read_parquet(f"{out}.parquet")
    assert list(expected["account_id"]) == ["a", "b", "c", "a", "b"]
    pd.testing.assert_frame_equal(read(out)[list(expected)], expected, rtol=1e-9)


def test_score_checks_a_log_measures_and_scores_as_one_machine_does(
    tenure: Callable[[], Any], folder: Path, tmp_path: Path, stumps: Callable[..., Bundle]
) -> None:
    events = {"account_id": ["a", "b", "a", "nobody"], "event": "open", "user_id": "u"}
    days = pl.datetime_range(pl.datetime(2024, 2, 1), pl.datetime(2024, 2, 22), "7d", eager=True)
    (folder / "usage_events").mkdir()
    log = pl.DataFrame(events).with_columns(occurred_at=days)
    log.write_parquet(folder / "usage_events" / "1.parquet")
    line, out = tenure(), tmp_path / "out"
    bundle = champion(Home(line.home), stumps, tmp_path, at_term_end=AtTermEnd(0.8, 0.6))
    growing = champion(Home(line.home), stumps, tmp_path, model="expansion", next_products=LEARNED)
    # a row in four is of an unknown account
    refused = line.run("score", "--source", str(folder), "--spark-out", str(out))
    assert (refused.returncode, out.exists()) == (1, False)
    assert "Expected at most 5.0% broken rows" in refused.stderr
    log.head(3).write_parquet(folder / "usage_events" / "1.parquet")
    line.json("score", "--source", str(folder), "--spark-out", str(out))
    source = check(str(folder), home=Home(tmp_path / "here"))
    here = built(source, [source.extracted_at.date()], home=Home(tmp_path / "here"))
    found, renewing = read(out / "scores"), read(out / "renewals")
    bundles = {"churn": bundle, "expansion": growing}
    expected = score(bundles, here.table, here.states, found["scored_at"].iloc[0])
    keys = ["account_id", "model", "horizon_days"]
    same = ["account_id", "model", "status", "horizon_days", "probability", "rank"]
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True)[same],
        expected.sort_values(keys, ignore_index=True)[same],
        check_dtype=False,
        check_exact=True,
    )
    told = renewals(bundles, expected, here.table, here.states)
    assert told["account_id"].tolist() == ["a", "b"]
    assert told["renewal_probability"].notna().all()
    pd.testing.assert_frame_equal(renewing[list(told)].astype(told.dtypes), told, check_exact=True)
    named = read(out / "next_products")
    assert named[["account_id", "product", "share"]].to_numpy().tolist() == [["a", "maps", 1.0]]


def champion(home: Home, stumps: Callable[..., Bundle], work: Path, **fields: object) -> Bundle:
    page = work / "report.html"
    page.write_text("<p>How sure</p>", encoding="utf-8")
    cuts = (
        ("usage__events__28d", 1.5, 1.0, -1.0),
        ("lifecycle__mrr", 60.0, 0.5, -0.5),
        (COVARIATES[2], 45.0, 0.3, -0.3),
    )
    registry, bundle = Registry(home), stumps(*cuts, **fields)
    version = registry.log(
        Training(
            bundle=bundle,
            parameters={},
            metrics={"metrics": {}, "by_horizon": {}},
            data={"fingerprint": "d" * 64, "rows": 1, "extracted_at": "2024-01-01"},
            audit=(),
            reports=(page,),
        )
    )
    gates = (Gate("log_loss", passed=True, sentence="Better."),)
    model = bundle.question.name
    registry.promote(model, version, GateReport(model, version, None, gates))
    return registry.fetch(model, version)
