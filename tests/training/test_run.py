"""The pipeline on companies whose hazard is known, and on ones that should be refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.built import Built
from features.errors import TooLittleDataError
from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.backtest import Backtest, backtest
from training.bundling import base_rates
from training.fit import BoosterParams
from training.labels import label
from training.prepare import dates_of, demand_enough, labelled_rows
from training.run import Trained, train
from training.splits import on_record, origins, outcome_known_by

PARAMS = BoosterParams(trees=100, learning_rate=0.08, feature_share=1.0)


@pytest.fixture(scope="module")
def known(world: Callable[..., Built]) -> Built:
    return world(accounts=400, months=36, seed=3)


@pytest.fixture(scope="module")
def trained(known: Built) -> Trained:
    return train(known, CHURN, params=PARAMS)


@pytest.fixture(scope="module")
def rolled(known: Built) -> Backtest:
    return backtest(known, CHURN, params=BoosterParams(trees=30), limit=3)


def test_it_comes_near_the_hazard_that_the_company_was_made_with(trained: Trained) -> None:
    truth = trained.test_rows["hazard"]
    found = trained.test_rows["probability__30d"].to_numpy()
    assert np.corrcoef(np.log(truth), np.log(found))[0, 1] > 0.8
    assert found.mean() == pytest.approx(truth.mean(), rel=0.25)
    slope = np.polyfit(np.log(truth), np.log(found), 1)[0]
    assert slope == pytest.approx(1, abs=0.35)


def test_no_model_beats_the_hazard_itself(trained: Trained) -> None:
    rows = trained.test_rows
    best = roc_auc_score(rows["outcome__30d"], rows["hazard"])
    found = roc_auc_score(rows["outcome__30d"], rows["probability__30d"])
    assert 0.5 + 0.8 * (best - 0.5) < found < best + 0.02


def test_events_and_probabilities_add_up_to_the_same_on_later_rows(trained: Trained) -> None:
    ratio = trained.metrics["observed_over_expected"]
    assert ratio["low"] < 1.1
    assert ratio["high"] > 0.9


def test_the_metrics_are_json_with_intervals(trained: Trained) -> None:
    read = json.loads(json.dumps(trained.metrics, allow_nan=False))
    for name in ("auc", "average_precision", "brier", "log_loss"):
        assert read[name]["low"] <= read[name]["value"] <= read[name]["high"]


def test_it_is_held_against_the_baselines_on_the_same_rows(trained: Trained) -> None:
    assert {"base_rate", "rule", "logistic_regression"} <= set(trained.baselines)
    assert {figures["rows"] for figures in trained.baselines.values()} == {len(trained.test_rows)}


def test_every_test_row_is_later_than_the_border(trained: Trained) -> None:
    assert trained.test_rows["as_of"].min() == trained.split.test_from
    assert trained.bundle.as_of_range[1] == trained.split.test_from.date()


def test_the_same_data_gives_the_same_model(known: Built, trained: Trained) -> None:
    assert train(known, CHURN, params=PARAMS).bundle.digest == trained.bundle.digest


def test_nothing_in_the_test_period_reaches_the_model(known: Built, trained: Trained) -> None:
    table = known.table.copy()
    table.loc[table["as_of"] >= trained.split.test_from, "x__fixed"] = 0.0
    again = train(replace(known, table=table), CHURN, params=PARAMS)
    assert again.bundle.digest == trained.bundle.digest
    assert again.metrics["auc"] != trained.metrics["auc"]


def test_the_base_rate_is_the_share_with_the_event_among_rows_known_at_the_border(
    known: Built, trained: Trained
) -> None:
    rows = on_record(labelled_rows(known, CHURN), trained.split.test_from, CHURN)
    is_known = rows["as_of"] + timedelta(days=90 + 30) <= trained.split.test_from
    share = (rows.loc[is_known, "event_days"] < 90).mean()
    assert trained.bundle.base_rates[90] == pytest.approx(share)
    assert base_rates(rows, CHURN, trained.split.test_from)[90] == pytest.approx(share)


def test_leaving_and_inactive_accounts_are_set_apart(known: Built) -> None:
    states = known.states.copy()
    states.loc[::3, "status"] = "leaving"
    states.loc[1::3, "status"] = "inactive"
    rows = labelled_rows(replace(known, states=states), CHURN)
    kept = states[(states["status"] == "active") & (states["as_of"] >= rows["as_of"].min())]
    assert len(rows) > 1000
    assert list(zip(rows["as_of"], rows["account_id"], strict=True)) == list(
        zip(kept["as_of"], kept["account_id"], strict=True)
    )


def test_a_date_of_which_only_the_loyal_are_known_is_left_out(
    known: Built, trained: Trained
) -> None:
    first = known.states[known.states["as_of"] == known.states["as_of"].min()]
    loyal = first.assign(as_of=first["as_of"] - pd.Timedelta(days=15))
    table = known.table.merge(first[["account_id", "as_of"]])
    table = table.assign(as_of=table["as_of"] - pd.Timedelta(days=15))
    more = replace(
        known, states=pd.concat([loyal, known.states]), table=pd.concat([table, known.table])
    )
    assert label(known.source, loyal, CHURN)["observed_days"].notna().all()
    assert min(dates_of(more, labelled_rows(more, CHURN), CHURN)) > loyal["as_of"].max()
    assert train(more, CHURN, params=PARAMS).data["dates"] == trained.data["dates"]


def test_a_row_of_an_account_that_was_already_gone_is_dropped(known: Built) -> None:
    ghost = known.table.tail(1).assign(account_id="never-paid")
    states = pd.concat([known.states, known.states.tail(1).assign(account_id="never-paid")])
    table = pd.concat([known.table, ghost])
    rows = labelled_rows(replace(known, states=states, table=table), CHURN)
    assert "never-paid" not in set(rows["account_id"])
    assert len(rows) == len(labelled_rows(known, CHURN))


def test_it_refuses_a_company_where_hardly_anybody_leaves(known: Built) -> None:
    shy = replace(CHURN, fewest_event_accounts=100_000)
    with pytest.raises(TooLittleDataError, match=r"at least 100000 customers with churn .* got"):
        train(known, shy, params=PARAMS)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (replace(CHURN, fewest_event_accounts=100_000), "at least 100000 customers with churn"),
        (EXPANSION, "customers with expansion .* got 0"),
    ],
)
def test_a_company_that_is_too_small_is_refused_by_its_states_alone(
    known: Built, question: Question, said: str
) -> None:
    demand_enough(known.source, known.states, CHURN)
    with pytest.raises(TooLittleDataError, match=said):
        demand_enough(known.source, known.states, question)


def test_it_refuses_a_company_where_nobody_expands(known: Built) -> None:
    with pytest.raises(TooLittleDataError, match=r"customers with expansion .* got 0"):
        train(known, EXPANSION, params=PARAMS)


def test_it_leaves_out_a_horizon_that_the_history_is_too_short_for(known: Built) -> None:
    question = Question("churn", "churn", horizons_days=(30, 90, 2000))
    found = train(known, question, params=BoosterParams(trees=5))
    assert found.bundle.question.horizons_days == (30, 90)
    assert "2000 days" in found.notes[0]


def test_a_back_test_scores_each_row_once_by_a_model_that_is_older(rolled: Backtest) -> None:
    rows = rolled.test_rows
    assert not rows.duplicated(["account_id", "as_of"]).any()
    assert (rows["as_of"] >= rows["origin"]).all()
    assert rows["origin"].nunique() == len(rolled.by_origin) == 3


def test_a_back_test_is_pooled_and_by_origin(rolled: Backtest) -> None:
    assert rolled.metrics["rows"] == sum(found["rows"] for found in rolled.by_origin)
    assert rolled.metrics["auc"]["low"] > 0.55
    assert all("logistic_regression" in found["baselines"] for found in rolled.by_origin)
    json.dumps([rolled.metrics, *rolled.by_origin], allow_nan=False)


def test_a_back_test_names_the_origins_that_it_leaves_out(known: Built) -> None:
    rows = labelled_rows(known, CHURN)
    dates = dates_of(known, rows, CHURN)
    last = origins(dates, known.source.extracted_at, CHURN, limit=3)[-1].test_from
    rows = on_record(rows, last, CHURN)
    came = outcome_known_by(rows, 90, last, CHURN) == 1
    shy = replace(CHURN, fewest_event_accounts=rows.loc[came, "account_id"].nunique())
    found = backtest(known, shy, params=BoosterParams(trees=5), limit=3)
    assert [origin["origin"] for origin in found.by_origin] == [f"{last:%Y-%m-%d}"]
    assert len(found.notes) == 2
    assert all("is left out" in note for note in found.notes)
    with pytest.raises(TooLittleDataError, match="at least one origin"):
        backtest(known, replace(CHURN, fewest_event_accounts=99_999), params=PARAMS)
