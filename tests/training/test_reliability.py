"""Calibration figures against hand-computed numbers and scikit-learn."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from training.heldout import Resampled
from training.reliability import (
    bins,
    brier_parts,
    calibration_error,
    calibration_slope,
    reliability,
)


def once(rows: int) -> Resampled:
    return Resampled(np.arange(rows), np.ones((1, rows)))


ONCE = once(10)


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(1, 6, count)
    return (rng.random(count) < probabilities).astype(float), probabilities


def test_equal_probabilities_are_never_parted() -> None:
    assert bins(np.array([0.2] * 7 + [0.6] * 3)).tolist() == [0] * 7 + [1] * 3
    assert set(bins(np.full(50, 0.3))) == {0}


def test_ten_bins_from_low_to_high_hold_equally_many_rows() -> None:
    found = reliability(np.array([0.0] * 50 + [1.0] * 50 + [np.nan]), np.linspace(0, 1.01, 101))
    assert [part["rows"] for part in found] == [10] * 10
    assert [part["observed"] for part in found] == [0.0] * 5 + [1.0] * 5
    assert found[0]["predicted"] == pytest.approx(np.linspace(0, 1.01, 101)[:10].mean())


def test_the_bins_are_those_of_scikit_learn() -> None:
    outcomes, probabilities = drawn(5_000)
    observed, predicted = calibration_curve(outcomes, probabilities, n_bins=10, strategy="quantile")
    found = reliability(outcomes, probabilities)
    assert [part["observed"] for part in found] == pytest.approx(observed, abs=2e-3)
    assert [part["predicted"] for part in found] == pytest.approx(predicted, abs=2e-3)


def test_the_parts_of_the_brier_score_are_those_computed_by_hand() -> None:
    # two said 0.2 to eight rows of which one came; two rows were told 0.7, and one came
    outcome = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 0], dtype=bool)
    probability = np.array([0.2] * 8 + [0.7] * 2)
    parts = brier_parts(outcome, probability, ONCE)
    # 0.8 (0.2 - 0.125)^2 + 0.2 (0.7 - 0.5)^2; 0.8 (0.125 - 0.2)^2 + 0.2 (0.5 - 0.2)^2; 0.2 x 0.8
    assert parts["reliability"] == pytest.approx(0.0125)
    assert parts["resolution"] == pytest.approx(0.0225)
    assert parts["uncertainty"] == pytest.approx(0.16)
    assert parts["within_bins"] == pytest.approx(0)
    assert brier_score_loss(outcome, probability) == pytest.approx(0.0125 - 0.0225 + 0.16)


def test_the_part_within_the_bins_is_variance_less_twice_the_covariance() -> None:
    outcomes, probabilities = drawn(3_000)
    parts = brier_parts(outcomes > 0, probabilities, once(3_000))
    number = bins(probabilities)
    inside = 0.0
    for each in set(number):
        said, came = probabilities[number == each], outcomes[number == each]
        inside += len(said) / 3_000 * (said.var() - 2 * np.cov(said, came, ddof=0)[0, 1])
    assert parts["within_bins"] == pytest.approx(inside)


def test_the_parts_of_each_draw_are_those_of_its_copied_rows() -> None:
    outcomes, probabilities = drawn(200)
    draws = Resampled.of((np.arange(200) % 40).astype(object), 20)
    found = brier_parts(outcomes > 0, probabilities, draws)
    for draw, often in enumerate(draws.draws[:, draws.at].astype(int)):
        came, said, number = (
            np.repeat(each, often) for each in (outcomes, probabilities, bins(probabilities))
        )
        inside = [number == each for each in set(number)]
        far = sum(rows.sum() * (said[rows].mean() - came[rows].mean()) ** 2 for rows in inside)
        apart = sum(rows.sum() * (came[rows].mean() - came.mean()) ** 2 for rows in inside)
        assert found["reliability"][draw] == pytest.approx(far / often.sum())
        assert found["resolution"][draw] == pytest.approx(apart / often.sum())
        assert found["uncertainty"][draw] == pytest.approx(came.mean() * (1 - came.mean()))
        whole = sum(float(found[part][draw]) for part in ("reliability", "uncertainty"))
        whole += float(found["within_bins"][draw] - found["resolution"][draw])
        assert whole == pytest.approx(brier_score_loss(came, said))


def test_the_calibration_error_is_that_computed_by_hand() -> None:
    outcome = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 0], dtype=bool)
    probability = np.array([0.2] * 8 + [0.7] * 2)
    found = calibration_error(outcome, probability, ONCE)
    assert found == pytest.approx([0.8 * 0.075 + 0.2 * 0.2])
    # without the second row of the second bin: |0.7 - 1| over 9 rows
    without = Resampled(np.arange(10), np.array([[1.0] * 9 + [0.0]]))
    again = calibration_error(outcome, probability, without)
    assert again == pytest.approx([(8 * 0.075 + 0.3) / 9])


def test_a_base_rate_said_to_everybody_is_calibrated_and_resolves_nothing() -> None:
    outcome = np.arange(100) % 4 == 0
    parts = brier_parts(outcome, np.full(100, 0.25), once(100))
    assert (parts["reliability"], parts["resolution"]) == (0.0, 0.0)
    assert calibration_error(outcome, np.full(100, 0.25), once(100)) == pytest.approx([0])


def test_the_calibration_slope_is_one_for_true_probabilities_and_half_for_twice_as_bold_ones() -> (
    None
):
    outcomes, probabilities = drawn(60_000)
    log_odds = np.log(probabilities / (1 - probabilities))
    assert calibration_slope(outcomes, probabilities) == pytest.approx(1, abs=0.05)
    bold = 1 / (1 + np.exp(-2 * log_odds))
    assert calibration_slope(outcomes, bold) == pytest.approx(0.5, abs=0.03)


def test_the_calibration_slope_is_scikit_learns_without_a_penalty() -> None:
    outcomes, probabilities = drawn(3_000)
    log_odds = np.log(probabilities / (1 - probabilities)).clip(-13.8, 13.8)[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(log_odds, outcomes)
    assert calibration_slope(outcomes, probabilities) == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
