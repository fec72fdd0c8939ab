"""The oracle beside a back-test: what it says of the figures, and that nothing else hears of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from features.built import built, month_starts
from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from training.backtest import Backtest, backtest
from training.backtest_page import sections
from training.beside_oracle import beside_oracle
from training.fit import BoosterParams
from training.oracle import can_leave_within, oracle_probabilities

FEW = BoosterParams(trees=10)
QUESTION = replace(CHURN, horizons_days=(30, 90), fewest_event_accounts=3)
PLAYS = 60


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "company"
    simulate(folder, accounts=60, months=20, seed=4)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def source(company: Path, home: Home) -> CheckedSource:
    return check(str(company), home=home)


@pytest.fixture(scope="module")
def rolled(source: CheckedSource, home: Home) -> Backtest:
    history = built(source, month_starts(source), home=home)
    return backtest(history, QUESTION, params=FEW, limit=2)


@pytest.fixture(scope="module")
def beside(company: Path, rolled: Backtest) -> Backtest:
    return beside_oracle(rolled, company, PLAYS)


def test_its_figures_are_those_of_the_oracles_own_probabilities(
    company: Path, beside: Backtest
) -> None:
    rows = beside.test_rows
    dates = [stamp.to_pydatetime() for stamp in rows["as_of"].unique()]
    truth = oracle_probabilities(company, dates, "churn", [90], PLAYS)
    joined = rows.merge(truth, on=["account_id", "as_of"])
    told = beside.metrics["oracle"]
    assert (told["rows"], told["of"]) == (len(joined), len(rows))
    # the CRM's duplicates of an account, of which the truth knows one only
    assert (
        rows.loc[~rows["account_id"].isin(joined["account_id"]), "account_id"]
        .str[:4]
        .eq("dup-")
        .all()
    )
    for name, part in (("pooled", joined), ("can_leave", joined[can_leave_within(joined, 90)])):
        found = told["populations"][name]
        outcome, best, own = (
            part[column] for column in ("outcome__90d", "probability", "probability__90d")
        )
        assert found["oracle"]["auc"]["value"] == pytest.approx(roc_auc_score(outcome, best))
        skills = [roc_auc_score(outcome, each) - 0.5 for each in (own, best)]
        assert found["skill_share"]["value"] == pytest.approx(skills[0] / skills[1])
        losses = [
            log_loss(outcome, np.clip(each, 1e-6, 1 - 1e-6), labels=[0, 1]) for each in (own, best)
        ]
        assert found["above"]["log_loss"]["value"] == pytest.approx(losses[0] - losses[1])
    assert json.dumps(beside.metrics, allow_nan=False)


def test_the_oracle_is_better_than_a_model_of_few_rows(beside: Backtest) -> None:
    found = beside.metrics["oracle"]["populations"]["pooled"]
    assert found["oracle"]["auc"]["value"] > found["model"]["auc"]["value"]
    assert found["skill_share"]["value"] < 1


def test_nothing_else_of_the_back_test_is_touched(rolled: Backtest, beside: Backtest) -> None:
    without = {name: value for name, value in beside.metrics.items() if name != "oracle"}
    assert without == rolled.metrics
    assert beside.test_rows is rolled.test_rows


def test_what_models_learn_from_is_the_same_beside_another_truth(
    company: Path, source: CheckedSource, home: Home, rolled: Backtest, tmp_path: Path
) -> None:
    """Features, labels and scores come from the checked source alone, which knows no truth."""
    other = tmp_path / "company"
    shutil.copytree(company, other)
    for file in ("states.parquet", "traits.parquet"):  # each account gets another one's truth
        truth = pd.read_parquet(other / "truth" / file)
        number = truth["account_id"].str[4:].astype(int)
        swapped = number.max() + 1 - number
        truth.assign(account_id=[f"acc-{each:05d}" for each in swapped]).to_parquet(
            other / "truth" / file, index=False
        )
    assert check(str(other), home=home).fingerprint == source.fingerprint
    assert not any("truth" in str(file.relative_to(home.root)) for file in home.root.rglob("*"))
    found, usual = (
        beside_oracle(rolled, each, PLAYS).metrics["oracle"]["populations"]["pooled"]
        for each in (other, company)
    )
    assert found["oracle"] != usual["oracle"]


def test_of_many_rows_only_some_dates_are_asked_about(company: Path, rolled: Backtest) -> None:
    rows = rolled.test_rows
    dates = np.sort(rows["as_of"].unique())
    half = beside_oracle(rolled, company, PLAYS, most_rows=len(rows) // 2 + 1).metrics["oracle"]
    kept = rows[rows["as_of"].isin(dates[::2]) & rows["account_id"].str.startswith("acc-")]
    assert (half["rows"], half["of"]) == (len(kept), len(rows))
    assert half["populations"]["pooled"]["model"]["events"] == kept["outcome__90d"].sum()


def test_a_source_without_a_truth_has_no_oracle(rolled: Backtest, tmp_path: Path) -> None:
    assert beside_oracle(rolled, tmp_path) is rolled
    assert beside_oracle(rolled, Path("postgresql://host/database")) is rolled


def test_the_page_shows_it_where_there_is_one(rolled: Backtest, beside: Backtest) -> None:
    (shown,) = (each for each in sections(beside) if each.caption == "Against the best possible")
    (first, *_), (second, *_) = shown.rows
    assert (first, second) == ("all", "can leave within the horizon")
    assert "60 times" in shown.words
    assert all(each.caption != shown.caption for each in sections(rolled))


def test_rows_of_one_outcome_have_no_skill_to_share(company: Path, rolled: Backtest) -> None:
    rows = rolled.test_rows
    quiet = replace(rolled, test_rows=rows[rows["outcome__90d"] == 0])
    found = beside_oracle(quiet, company, PLAYS).metrics["oracle"]["populations"]["pooled"]
    assert found["skill_share"] is None
    assert found["model"]["auc"] is None
