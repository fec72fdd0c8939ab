import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.calibration import identity
from training.calibrate import calibrate, logistic_map


def drawn(
    count: int, intercepts: tuple[float, ...], slope: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw log odds, and events drawn with the log odds of a line in them."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(-2.0, 1.0, size=(count, len(intercepts)))
    happened = rng.random(raw.shape) < 1 / (1 + np.exp(-(np.array(intercepts) + slope * raw)))
    return raw, np.ones(raw.shape, dtype=bool), happened


def test_it_finds_the_line_that_the_events_were_drawn_with() -> None:
    found = calibrate(*drawn(40_000, (0.5, -0.2), 0.7))
    assert found.intercepts == pytest.approx((0.5, -0.2), abs=0.08)
    assert found.slope == pytest.approx(0.7, abs=0.04)


def test_it_leaves_what_is_calibrated_alone() -> None:
    found = calibrate(*drawn(40_000, (0.0, 0.0), 1.0))
    assert found.intercepts == pytest.approx((0.0, 0.0), abs=0.08)
    assert found.slope == pytest.approx(1.0, abs=0.04)


def test_no_rows_change_nothing() -> None:
    nothing = np.zeros((5, 4), dtype=bool)
    assert calibrate(np.zeros((5, 4)), nothing, nothing) == identity(4)


def test_an_interval_without_rows_takes_the_shared_line() -> None:
    raw, counts, happened = drawn(20_000, (0.5, 0.5, 3.0), 1.0)
    counts[:, 2] = False
    found = calibrate(raw, counts, happened)
    assert found.intercepts[2] == pytest.approx(np.mean(found.intercepts[:2]), abs=0.05)


def test_rows_that_do_not_count_do_not_count() -> None:
    raw, counts, happened = drawn(5_000, (0.0,), 1.0)
    counts[1000:] = False
    turned = happened.copy()
    turned[1000:] = ~turned[1000:]
    assert calibrate(raw, counts, happened) == calibrate(raw, counts, turned)


def test_a_handful_of_rows_moves_it_little() -> None:
    found = calibrate(*drawn(5, (2.0,), 0.1))
    assert abs(found.slope - 1.0) < 0.3


def test_the_slope_never_turns_the_order() -> None:
    raw, counts, happened = drawn(20_000, (-4.0,), -1.0)
    assert calibrate(raw, counts, happened).slope > 0


def test_a_slope_that_is_held_stays_and_as_many_are_expected_as_came() -> None:
    raw, counts, happened = drawn(40_000, (0.5, -0.2), 0.7)
    found = calibrate(raw, counts, happened, slope=1.3)
    expected = 1 / (1 + np.exp(-found.log_odds(raw)))
    assert found.slope == 1.3
    assert expected.sum(axis=0) == pytest.approx(happened.sum(axis=0), rel=0.02)


def test_its_newton_steps_agree_with_scikit_learns_ridge() -> None:
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(500, 3))
    outcomes = (rng.random(500) < 1 / (1 + np.exp(-cells @ [1.0, -2.0, 0.5]))).astype(float)
    found = logistic_map(cells, outcomes, np.zeros(3), np.full(3, 2.0))
    other = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10, max_iter=1000)
    assert found == pytest.approx(other.fit(cells, outcomes).coef_[0], abs=1e-5)
