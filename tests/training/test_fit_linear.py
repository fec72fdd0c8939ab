"""The linear fit beside scikit-learn's, and on columns that are missing or tell nothing."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.linear import standardised
from training.fit import HazardRows, LinearParams
from training.fit_linear import INTERVAL_SPREAD, fit_linear


@pytest.fixture(scope="module")
def known() -> HazardRows:
    """Two features that tell, one that does not, and three columns of the interval."""
    rng = np.random.default_rng(5)
    cells = rng.normal(size=(1500, 6)).astype(np.float32)
    chance = 1 / (1 + np.exp(1.5 - cells[:, 0] + 0.7 * cells[:, 1] - cells[:, 4]))
    return HazardRows(cells, (rng.random(1500) < chance).astype(float), rng.uniform(0.2, 3, 1500))


def test_its_weights_are_those_of_a_ridge_regression_by_another_library(known: HazardRows) -> None:
    found = fit_linear(known, LinearParams(spread=0.2 * np.sqrt(3)))
    spread = np.array([0.2, 0.2, 0.2, *[INTERVAL_SPREAD] * 3])
    placed = standardised(known.cells, np.array(found.centres), np.array(found.spreads))
    # A prior of standard deviation s on a weight is one of 1 on the weight over s.
    ridge = LogisticRegression(C=1.0, tol=1e-9, max_iter=1000)
    ridge.fit(placed * spread, known.outcomes, sample_weight=known.weights)
    assert found.weights == pytest.approx(ridge.coef_[0] * spread, abs=1e-3)
    assert found.intercept == pytest.approx(ridge.intercept_[0], abs=1e-2)


def test_the_stronger_the_prior_the_nearer_to_the_base_rate(known: HazardRows) -> None:
    said = [
        fit_linear(known, LinearParams(spread=spread * np.sqrt(3)))
        .effects(known.cells)[:, :3]
        .std()
        for spread in (0.3, 0.03, 0.003)
    ]
    assert said[0] > 2 * said[1] > 10 * said[2]


def test_a_missing_value_that_tells_something_is_heard(known: HazardRows) -> None:
    cells = known.cells.copy()
    is_missing = (known.outcomes == 1) & (np.arange(len(cells)) % 3 > 0)
    cells[is_missing, 2] = np.nan
    found = fit_linear(HazardRows(cells, known.outcomes, known.weights), LinearParams(spread=0.5))
    assert found.absent[2] > 0.5
    assert found.absent[0] == 0.0


def test_a_column_of_one_value_and_one_that_is_never_there_say_nothing(known: HazardRows) -> None:
    cells = known.cells.copy()
    cells[:, 0], cells[:, 1] = 7.0, np.nan
    found = fit_linear(HazardRows(cells, known.outcomes, known.weights), LinearParams())
    assert found.effects(cells)[:, :2] == pytest.approx(0.0)


def test_the_effects_of_each_column_have_no_mean_on_the_rows_it_learned_from(
    known: HazardRows,
) -> None:
    cells = known.cells.copy()
    cells[::4, 1] = np.nan
    found = fit_linear(HazardRows(cells, known.outcomes, known.weights), LinearParams(spread=0.5))
    means = np.average(found.effects(cells), axis=0, weights=known.weights)
    assert means == pytest.approx(0.0, abs=2e-3)
