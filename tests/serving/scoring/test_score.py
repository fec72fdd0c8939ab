"""Scores: what the contract asks of each row, held against figures computed by hand."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.errors import ModelError
from models.amount import Amount, Shape
from models.bundle import Bundle
from models.linear import Linear
from models.reasons import explain
from models.scored import check_scores
from serving.scoring.score import score

Bundles = dict[str, Bundle]


@pytest.fixture
def scores(bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    return score(bundles, table, states, _an_hour_after(states))


def _an_hour_after(states: pd.DataFrame) -> datetime:
    return states["as_of"].iloc[0].to_pydatetime() + timedelta(hours=1)


def _of(scores: pd.DataFrame, model: str, horizon_days: int) -> pd.DataFrame:
    chosen = (scores["model"] == model) & (scores["horizon_days"] == horizon_days)
    return scores[chosen].set_index("account_id")


def test_it_keeps_the_contract(scores: pd.DataFrame) -> None:
    check_scores(scores)


def test_every_known_account_has_a_row_for_each_model_and_horizon(scores: pd.DataFrame) -> None:
    assert len(scores) == 8 * 2 * 2
    assert not scores.duplicated(["account_id", "model", "horizon_days"]).any()


def test_an_account_that_is_not_active_has_neither_probability_nor_band(
    scores: pd.DataFrame,
) -> None:
    quiet = scores[scores["account_id"].isin(["gone", "newt", "quit"])]
    assert set(zip(quiet["account_id"], quiet["status"], strict=True)) == {
        ("gone", "inactive"),
        ("newt", "no_data"),
        ("quit", "leaving"),
    }
    assert quiet[["probability", "band", "rank", "expected_added_mrr"]].isna().all(axis=None)
    assert all(reasons == [] for reasons in quiet["reasons"])


def test_an_active_account_without_a_feature_row_has_no_data(
    bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame
) -> None:
    without = table[table["account_id"] != "bolt"]
    scores = score(bundles, without, states, _an_hour_after(states))
    assert set(scores.loc[scores["account_id"] == "bolt", "status"]) == {"no_data"}


def test_the_probability_is_the_models_own(
    scores: pd.DataFrame, bundles: Bundles, table: pd.DataFrame
) -> None:
    expected = bundles["churn"].probabilities(table)
    for at, horizon_days in enumerate((30, 90)):
        found = _of(scores, "churn", horizon_days).loc[table["account_id"], "probability"]
        np.testing.assert_array_equal(found.to_numpy(), expected[:, at])


def test_the_order_of_columns_and_rows_changes_nothing(
    scores: pd.DataFrame, bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame
) -> None:
    shuffled = score(
        bundles, table.iloc[::-1, ::-1], states.iloc[::-1], scores["scored_at"].iloc[0]
    )
    pd.testing.assert_frame_equal(shuffled, scores)


def test_a_missing_feature_column_is_refused(
    bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame
) -> None:
    with pytest.raises(ModelError, match="support__open_tickets"):
        score(
            bundles,
            table.drop(columns="support__open_tickets"),
            states,
            _an_hour_after(states),
        )


def test_ranks_count_from_the_highest_probability(scores: pd.DataFrame) -> None:
    churn = _of(scores, "churn", 90).dropna(subset=["probability"]).sort_values("rank")
    assert churn["rank"].tolist() == [1, 2, 3, 4, 5]
    assert churn["probability"].is_monotonic_decreasing
    assert churn.index[0] in {"acme", "dune"}


def test_equal_probabilities_rank_in_order_of_account_id(
    bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame
) -> None:
    alike = table.assign(**dict.fromkeys(bundles["churn"].features, 1.0))
    churn = _of(score(bundles, alike, states, _an_hour_after(states)), "churn", 90)
    assert churn["rank"].dropna().sort_values().index.tolist() == [
        "acme",
        "bolt",
        "corn",
        "dune",
        "evil",
    ]


def test_reasons_add_what_the_model_says_in_the_accounts_own_numbers(scores: pd.DataFrame) -> None:
    reasons = _of(scores, "churn", 90).loc["acme", "reasons"]
    assert 1 <= len(reasons) <= 5
    strongest = reasons[0]
    assert strongest["feature"] == "usage__active_users__28d"
    assert strongest["value"] == 2.0
    assert strongest["effect"] > 0
    assert "2" in strongest["text"]


def test_expected_added_mrr_is_probability_times_observed_share_times_mrr(
    scores: pd.DataFrame,
) -> None:
    expansion = _of(scores, "expansion", 90)
    p = expansion.loc["bolt", "probability"]
    assert expansion.loc["bolt", "expected_added_mrr"] == pytest.approx(p * 0.25 * 5000)
    assert _of(scores, "churn", 90)["expected_added_mrr"].isna().all()


def test_expected_added_mrr_tells_accounts_apart_where_the_model_does(
    bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame
) -> None:
    zeros, ones = (0.0,) * 4, (1.0,) * 4
    by_users = Linear(0.0, zeros, ones, (0.25, 0.0, 0.0, 0.0), zeros, zeros)
    shape = Shape(by_users, lowest=0.0, highest=0.5, levels={30: 0.1, 90: 0.2})
    told = dataclasses.replace(bundles["expansion"], amount=Amount({90: 0.25}, shape))
    scores = score({"expansion": told}, table, states, _an_hour_after(states))
    found = _of(scores, "expansion", 90)
    # acme has 2 users: a quarter of ln 3; bolt's 40 count as the most extreme that was seen
    for account, factor, mrr in (("acme", 3**0.25, 1000), ("bolt", np.exp(0.5), 5000)):
        p = found.loc[account, "probability"]
        assert found.loc[account, "expected_added_mrr"] == pytest.approx(p * 0.2 * factor * mrr)


def test_expected_added_mrr_is_null_when_no_share_was_observed(
    bundles: Bundles, table: pd.DataFrame, states: pd.DataFrame
) -> None:
    unknown = {"expansion": dataclasses.replace(bundles["expansion"], amount=Amount({}))}
    scores = score(unknown, table, states, _an_hour_after(states))
    assert scores["expected_added_mrr"].isna().all()


def test_bands_are_from_three_and_one_and_a_half_times_the_base_rate(
    scores: pd.DataFrame, make_bundle: Callable[..., Bundle]
) -> None:
    churn = _of(scores, "churn", 90).dropna(subset=["probability"])
    base_rate = make_bundle("churn").base_rates[90]
    by_hand = [
        "high" if p >= 3 * base_rate else "medium" if p >= 1.5 * base_rate else "low"
        for p in churn["probability"]
    ]
    assert churn["band"].tolist() == by_hand
    assert len(set(by_hand)) > 1


@pytest.mark.parametrize("horizon_days", [30, 90])
def test_reasons_are_those_that_the_model_gives_at_that_horizon(
    scores: pd.DataFrame, bundles: Bundles, table: pd.DataFrame, horizon_days: int
) -> None:
    found = _of(scores, "churn", horizon_days)["reasons"]
    for at, account_id in enumerate(table["account_id"]):
        (alone,) = explain(bundles["churn"], table.iloc[[at]], horizon_days, 5)
        assert [reason["feature"] for reason in found[account_id]] == [r.feature for r in alone]
        assert [reason["effect"] for reason in found[account_id]] == pytest.approx(
            [r.effect for r in alone]
        )
