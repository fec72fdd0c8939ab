"""The sample company seen as any company is: checked, labelled, and with every feature there is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.build import feature_table
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from features.spine import account_states
from models.churn import CHURN
from models.expansion import EXPANSION
from training.labels import label, outcome_within
from training.oracle import can_leave_within, oracle_probabilities

DATES = pd.to_datetime(["2024-02-01", "2024-08-01", "2025-02-01", "2025-08-01"])


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    simulate(folder / "source", accounts=1200, seed=12)
    source = check(str(folder / "source"), home=Home(folder / "home"))
    states = account_states(source, DATES)
    return folder / "source", source, states[states["status"] == "active"].reset_index(drop=True)


def test_the_labels_find_the_losses_that_the_truth_names(company):
    folder, source, states = company
    labels = label(source, states, CHURN)
    causes = pd.read_parquet(folder / "truth" / "causes.parquet")
    lost = causes[causes["event"] == "churn"].set_index("account_id")["occurred_at"]
    days = (states["account_id"].map(lost) - states["as_of"]) / pd.Timedelta(days=1)
    churned = outcome_within(labels, 90)
    known = ~np.isnan(churned)
    assert known.sum() > 1500
    assert ((days < 90) == (churned == 1))[known].all()


def test_expansion_comes_as_often_as_the_oracle_says(company):
    folder, source, states = company
    grown = outcome_within(label(source, states, EXPANSION), 90)
    oracle = oracle_probabilities(folder, DATES, "expansion", [90], plays=500)
    rows = states.assign(grown=grown).merge(oracle, on=["account_id", "as_of"])
    assert rows["grown"].sum() / rows["probability"].sum() == pytest.approx(1, abs=0.2)
    assert 0.06 < rows["grown"].mean() < 0.13


def giveaways(table: pd.DataFrame) -> list[str]:
    """Columns that alone, in their better direction, reach an AUC of 0.68 on `churned`."""
    found = []
    for name in table.columns.difference(["account_id", "as_of", "churned"]):
        filled = table[name].fillna(table[name].median()).fillna(0)
        auc = roc_auc_score(table["churned"], filled)
        found += [name] * (max(auc, 1 - auc) >= 0.68)
    return found


def test_no_single_feature_gives_the_answer_away(company):
    _, source, states = company
    churned = outcome_within(label(source, states, CHURN), 90)
    outcome = states[["account_id", "as_of"]].assign(churned=churned)
    outcome = outcome[can_leave_within(states, 90) & ~np.isnan(churned)]
    table = feature_table(source, states).merge(outcome, on=["account_id", "as_of"])
    assert table.shape[1] >= 63
    assert giveaways(table) == []
    noise = np.random.default_rng(1).normal(size=len(table))
    assert giveaways(table.assign(leak=table["churned"] + noise)) == ["leak"]
