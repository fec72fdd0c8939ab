"""Figures of drawn customers, held against scikit-learn's on rows that are copied as often."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training import heldout
from training.heldout import Resampled
from training.reliability import calibration_slope, calibration_slopes, observed_over_expected

Score = Callable[[np.ndarray, np.ndarray], float]


@pytest.fixture(params=[1, 3], ids=["rounded to tenths", "to thousandths"])
def rows(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, Resampled]:
    """Outcomes, probabilities of which many are equal, and customers of five rows each."""
    rng = np.random.default_rng(4)
    probability = np.clip(rng.beta(1, 6, 400).round(request.param), 0.01, 0.99)
    came = rng.random(400) < probability
    return came, probability, Resampled.of(rng.integers(0, 80, 400).astype(object), 30)


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        (heldout.auc, roc_auc_score),
        (heldout.average_precision, average_precision_score),
        (heldout.brier, brier_score_loss),
        (heldout.log_loss, log_loss),
        (observed_over_expected, lambda came, said: came.sum() / said.sum()),
    ],
)
def test_each_draw_has_the_figure_of_its_copied_rows(
    rows: tuple[np.ndarray, np.ndarray, Resampled], metric: heldout.Metric, oracle: Score
) -> None:
    came, said, drawn = rows
    copies = drawn.draws[:, drawn.at].astype(int)
    expected = [oracle(np.repeat(came, often), np.repeat(said, often)) for often in copies]
    assert len(set(expected)) > 25
    np.testing.assert_allclose(metric(came, said, drawn), expected, rtol=1e-12)


def test_the_slope_of_a_draw_is_near_that_of_its_copied_rows(
    rows: tuple[np.ndarray, np.ndarray, Resampled],
) -> None:
    came, said, drawn = rows
    log_odds = np.log(said / (1 - said))[:, None]
    fits = [
        LogisticRegression(C=np.inf).fit(log_odds, came, sample_weight=often).coef_[0, 0]
        for often in drawn.draws[:, drawn.at]
    ]
    found = calibration_slopes(came, said, drawn)
    assert found[0] == calibration_slope(came.astype(float), said)
    spread = np.std(fits)
    assert np.abs(found - fits).max() < spread
    assert np.std(found) == pytest.approx(spread, rel=0.15)
    assert np.corrcoef(found, fits)[0, 1] > 0.95


def test_a_draw_without_an_event_has_no_slope() -> None:
    drawn = Resampled(np.arange(4), np.array([[1.0, 1, 1, 1], [1, 2, 0, 1], [0, 3, 0, 1]]))
    came, said = np.array([True, False, True, False]), np.array([0.6, 0.1, 0.2, 0.7])
    assert np.isnan(calibration_slopes(came, said, drawn)).tolist() == [False, False, True]


def test_a_draw_without_an_event_has_no_figure_of_ranking() -> None:
    drawn = Resampled(np.array([0, 1, 1]), np.array([[1.0, 1.0], [0.0, 2.0]]))
    for metric in (heldout.auc, heldout.average_precision):
        whole, without = metric(np.array([True, False, False]), np.array([0.9, 0.1, 0.2]), drawn)
        assert whole == 1.0
        assert np.isnan(without)


def test_sums_by_part_are_those_of_each_part_alone() -> None:
    drawn = Resampled.of(np.array(["a", "b", "a", "c"], dtype=object), 5)
    values, parts = np.array([1.0, 2.0, 4.0, 8.0]), np.array([2, 0, 2, 1])
    found = drawn.sums_by(values, parts, 4)
    for part in range(4):
        assert found[:, part].tolist() == drawn.sums(np.where(parts == part, values, 0)).tolist()
