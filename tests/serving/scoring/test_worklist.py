"""The order of the work list, computed by hand."""

from collections.abc import Callable

import pandas as pd
import pytest

from features.errors import ModelError
from serving.scoring.worklist import account_facts, rank

ReadTable = Callable[[str], pd.DataFrame]

STATES = """
    account_id  status    mrr   term_ends_at
    big         active    1000  2026-04-01
    even        active    100   -
    odd         active    100   -
    old         inactive  0     -
"""
ACCOUNTS = """
    account_id  name  tier
    big         Big   high
    even        Even  -
    other       Other mid
"""
SCORES = """
    account_id  model      horizon_days  status    probability  band
    big         churn      90            scored    0.10         medium
    even        churn      90            scored    0.50         high
    odd         churn      90            scored    0.50         high
    old         churn      90            inactive  -            -
    big         churn      30            scored    0.90         high
    odd         expansion  90            scored    0.99         high
"""


@pytest.fixture
def facts(read_table: ReadTable) -> pd.DataFrame:
    states = read_table(STATES)
    states["mrr"] = states["mrr"].astype(float)
    states["term_ends_at"] = pd.to_datetime(states["term_ends_at"])
    states["customer_group"] = states["account_id"]
    return account_facts(read_table(ACCOUNTS), states)


@pytest.fixture
def listed(facts: pd.DataFrame, read_table: ReadTable) -> pd.DataFrame:
    scores = read_table(SCORES).astype({"horizon_days": int, "probability": float})
    return rank(scores, facts, 90).set_index("account_id")


def test_facts_hold_each_account_of_the_states_and_no_other(facts: pd.DataFrame) -> None:
    assert facts["account_id"].tolist() == ["big", "even", "odd", "old"]


def test_arr_is_twelve_times_mrr(facts: pd.DataFrame) -> None:
    assert facts["arr"].tolist() == [12000.0, 1200.0, 1200.0, 0.0]


def test_what_the_crm_does_not_say_is_none(facts: pd.DataFrame) -> None:
    by_id = facts.set_index("account_id")
    assert by_id.loc["odd", "name"] is None
    assert by_id.loc["even", "tier"] is None
    assert by_id.loc["big", "csm"] is None


def test_expected_loss_is_probability_at_the_lists_horizon_times_arr(listed: pd.DataFrame) -> None:
    assert listed.loc["big", "expected_loss"] == pytest.approx(0.10 * 12000)
    assert listed.loc["even", "expected_loss"] == pytest.approx(0.50 * 1200)


def test_positions_count_from_the_largest_expected_loss_then_by_id(listed: pd.DataFrame) -> None:
    assert listed["position"].dropna().to_dict() == {"big": 1, "even": 2, "odd": 3}


def test_an_account_without_a_score_has_no_position(listed: pd.DataFrame) -> None:
    assert pd.isna(listed.loc["old", "position"])


def test_an_active_account_that_was_scored_says_scored(listed: pd.DataFrame) -> None:
    assert listed["status"].to_dict() == {
        "big": "scored",
        "even": "scored",
        "odd": "scored",
        "old": "inactive",
    }


@pytest.mark.parametrize("kept", [[], ["old"]], ids=["no account", "none active"])
def test_a_date_without_active_accounts_is_said(
    facts: pd.DataFrame, read_table: ReadTable, kept: list[str]
) -> None:
    scores = read_table(SCORES).astype({"horizon_days": int, "probability": float})
    with pytest.raises(ModelError, match="active at the scored date, got none"):
        rank(scores[scores["account_id"].isin(kept)], facts, 90)


def test_a_horizon_that_was_not_scored_is_an_error(
    facts: pd.DataFrame, read_table: ReadTable
) -> None:
    scores = read_table(SCORES).astype({"horizon_days": int, "probability": float})
    with pytest.raises(ModelError, match="at 60 days"):
        rank(scores, facts, 60)
