from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.capacity import Economics
from training.evaluate import auc_of, evaluation, measured, paired, populations

AS_OF = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC


def drawn(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(1, 6, count)
    outcomes = (rng.random(count) < probabilities).astype(float)
    return outcomes, probabilities, rng.integers(0, count // 10, count).astype(object)


def states(**columns: object) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    frame = pd.DataFrame({"as_of": [AS_OF] * count, "mrr": 100.0, **columns})
    return frame.assign(as_of=frame["as_of"].astype("datetime64[us]"))


def test_the_figures_are_those_of_scikit_learn() -> None:
    outcomes, probabilities, groups = drawn()
    found = measured(outcomes, probabilities, groups)
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(outcomes, probabilities))
    precision = average_precision_score(outcomes, probabilities)
    assert found["average_precision"]["value"] == pytest.approx(precision)
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(outcomes, probabilities))
    assert found["log_loss"]["value"] == pytest.approx(log_loss(outcomes, probabilities))
    assert auc_of(outcomes, probabilities) == pytest.approx(roc_auc_score(outcomes, probabilities))


def test_ties_count_one_half() -> None:
    found = measured(np.array([1.0, 0.0, 0.0, 1.0]), np.full(4, 0.5), np.arange(4).astype(object))
    assert found["auc"]["value"] == 0.5


def test_the_interval_holds_the_value_and_is_wider_for_whole_groups() -> None:
    outcomes, probabilities, _ = drawn(600)
    ten_times = (np.repeat(part, 10) for part in (outcomes, probabilities))
    grouped = measured(*ten_times, np.repeat(np.arange(600), 10).astype(object))
    ten_times = (np.repeat(part, 10) for part in (outcomes, probabilities))
    alone = measured(*ten_times, np.arange(6000).astype(object))
    for found in (grouped, alone):
        assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
    width = {
        name: found["auc"]["high"] - found["auc"]["low"]
        for name, found in (("grouped", grouped), ("alone", alone))
    }
    assert width["grouped"] == pytest.approx(np.sqrt(10) * width["alone"], rel=0.35)


def test_an_unknown_outcome_is_left_aside() -> None:
    outcomes, probabilities, groups = drawn(500)
    hidden = np.concatenate([outcomes, np.full(50, np.nan)])
    found = measured(hidden, np.append(probabilities, np.ones(50)), np.append(groups, groups[:50]))
    assert found == measured(outcomes, probabilities, groups)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_rows_of_one_outcome_have_no_figures(outcome: float) -> None:
    found = measured(np.full(9, outcome), np.full(9, 0.5), np.arange(9).astype(object))
    assert (found["rows"], found["events"], found["auc"]) == (9, 9 * outcome, None)


def test_observed_over_expected_is_the_events_over_the_sum_of_the_probabilities() -> None:
    found = measured(np.array([1.0, 0, 0, 1]), np.array([0.5, 0.5, 0.25, 0.25]), np.arange(4))
    assert found["observed_over_expected"]["value"] == pytest.approx(2 / 1.5)


def test_who_can_leave_has_no_term_or_a_monthly_one_or_one_that_ends_within_the_horizon() -> None:
    frame = states(
        term_months=[np.nan, 1.0, 12.0, 12.0, 12.0, 3.0],
        term_ends_at=pd.to_datetime(
            [None, "2024-01-20", "2024-03-30", "2024-03-31", "2024-12-31", "2024-02-01"]
        ).astype("datetime64[us]"),
    )
    found = populations(frame, 90)
    assert found["can_leave"].tolist() == [True, True, True, False, False, True]
    assert found["annual"].tolist() == [False, False, True, True, True, False]
    assert found["monthly"].tolist() == [False, True, False, False, False, False]
    assert found["renewal_only"].tolist() == [False, False, True, True, True, True]
    assert found["pooled"].all()


def test_the_metrics_hold_horizons_populations_and_baselines_beside_the_main_figures() -> None:
    outcomes, probabilities, groups = drawn(900)
    frame = states(
        term_months=np.where(np.arange(900) % 2, 12.0, 1.0),
        term_ends_at=pd.Series([pd.Timestamp("2024-12-31")] * 900).astype("datetime64[us]"),
        customer_group=groups,
    )
    found = evaluation(
        frame,
        {30: np.full(900, np.nan), 90: outcomes},
        {30: probabilities / 3, 90: probabilities},
        {"base_rate": np.full(900, 0.1)},
        90,
        np.full(900, 100.0),
        Economics(),
    )
    assert found["auc"] == found["by_horizon"]["90"]["auc"] == found["populations"]["pooled"]["auc"]
    assert found["by_horizon"]["30"]["auc"] is None
    assert found["populations"]["annual"]["rows"] == 450
    assert found["baselines"]["base_rate"]["auc"]["value"] == 0.5
    assert "baselines" in found["populations"]["can_leave"]
    gain = found["above_baselines"]["base_rate"]["auc"]
    assert gain["value"] == pytest.approx(found["auc"]["value"] - 0.5)
    assert gain["low"] > 0
    assert {each["share"] for each in found["capacity"]} == {0.05, 0.10, 0.20}


def test_a_paired_difference_is_that_of_the_metrics_and_surer_than_either() -> None:
    outcomes, probabilities, groups = drawn(900)
    noisy = np.clip(probabilities + np.random.default_rng(1).normal(0, 0.02, 900), 0.001, 0.999)
    gain = paired(outcomes, probabilities, noisy, groups)
    loss = log_loss(outcomes, probabilities) - log_loss(outcomes, noisy)
    assert gain["log_loss"]["value"] == pytest.approx(loss)
    alone = measured(outcomes, probabilities, groups)["log_loss"]
    width = gain["log_loss"]["high"] - gain["log_loss"]["low"]
    assert 0 < width < (alone["high"] - alone["low"]) / 2
    assert paired(np.ones(9), probabilities[:9], noisy[:9], groups[:9]) is None
