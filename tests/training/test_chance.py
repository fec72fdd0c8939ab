"""Bounds of an AUC: by hand, in worlds of chance alone, and where there is a relation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.chance import auc, auc_beyond_chance

FEATURES = 20


def drawn(rng: np.random.Generator, customers: int, dates: int, shift: float):
    """Values that a customer keeps, and outcomes of its last three dates, that hang on them."""
    level = rng.normal(size=customers)
    leaves = rng.random(customers) < 1 / (1 + np.exp(1.2 - shift * level))
    came = np.zeros((dates, customers))
    came[-3:, leaves] = 1.0
    came = came.ravel()
    values = np.tile(level, dates) + rng.normal(scale=0.1, size=dates * customers)
    return values, came, np.tile(np.arange(customers).astype(str), dates)


def test_the_bounds_are_those_of_the_formula_by_hand() -> None:
    """One row for each of twenty customers: DeLong's variance, worked out pair by pair."""
    values = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4], dtype=float)
    came = np.array([0, 1] * 10, dtype=float)
    events, others = values[came == 1], values[came == 0]
    wins = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / 10 + wins.mean(axis=0).var(ddof=1) / 10)
    customers = np.arange(20).astype(str).astype(object)
    low, high = auc_beyond_chance(values, came, customers, of=1)
    cross = 2.262157  # Student's 97.5 % quantile at 9 degrees of freedom, from a table
    # Each customer is of one kind only, but the two kinds share the mean that is taken away.
    assert (low + high) / 2 == pytest.approx(wins.mean())
    assert (high - low) / 2 == pytest.approx(cross * error, rel=2e-3)


def test_too_few_customers_of_a_kind_give_no_bounds() -> None:
    rng = np.random.default_rng(1)
    values, customers = rng.normal(size=400), np.repeat(np.arange(20).astype(str), 20)
    came = np.where(np.isin(customers, [str(each) for each in range(9)]), 1.0, 0.0)
    assert auc_beyond_chance(values, came, customers, of=1) is None


@pytest.mark.parametrize("customers", [120, 600])
def test_chance_alone_seldom_leaves_the_bounds_of_any_feature(customers: int) -> None:
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(40):
        each = [drawn(rng, customers, 12, shift=0.0) for _ in range(FEATURES)]
        bounds = [auc_beyond_chance(*one, of=FEATURES) for one in each]
        alarms += any(not low <= 0.5 <= high for low, high in filter(None, bounds))
    assert alarms <= 6  # 2 of 40 are expected at 5 %; more than 6 come once in 200


def test_rows_of_one_customer_are_not_taken_for_as_many_customers() -> None:
    rng = np.random.default_rng(7)
    values, came, customers = drawn(rng, 120, 12, shift=0.0)
    alone = np.arange(len(values)).astype(str)
    (low, high), (naive_low, naive_high) = (
        auc_beyond_chance(values, came, each, of=1) for each in (customers, alone)
    )
    assert high - low > naive_high - naive_low


def test_a_relation_is_beyond_chance() -> None:
    low, _ = auc_beyond_chance(*drawn(np.random.default_rng(7), 600, 12, shift=1.0), of=200)
    assert low > 0.5


def test_an_auc_is_the_share_of_pairs_in_order_with_ties_counting_half() -> None:
    came = np.array([True, True, False, False])
    assert auc(np.array([3.0, 1.0, 2.0, 1.0]), came) == (1 + 1 + 0 + 0.5) / 4
    random = np.random.default_rng(1)
    values, drawn_so = random.integers(0, 9, 500), random.random(500) < 0.2
    assert auc(values, drawn_so) == pytest.approx(roc_auc_score(drawn_so, values), abs=1e-12)
