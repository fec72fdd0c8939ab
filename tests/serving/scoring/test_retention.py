"""Expected retention: by hand, by all that can happen, and by the variance of the sum."""

from itertools import product

import numpy as np
import pytest

from serving.scoring.retention import Retention, Stakes, retention


def stakes(*rows: tuple[float, float, float, float], customers: tuple[int, ...] = ()) -> Stakes:
    of = np.array(customers or range(len(rows)), dtype=np.intp)
    return Stakes(*np.array(rows, dtype=float).reshape(-1, 4).T, customers=of)


def found(given: Stakes) -> Retention:
    kept = retention(given)
    assert kept is not None
    return kept


def test_what_is_kept_is_as_computed_by_hand() -> None:
    kept = found(stakes((100, 0.5, 0.2, 10), (300, 0.1, 0, 0)))
    assert kept.gross.value == pytest.approx(1 - (50 + 30) / 400)
    assert kept.net.value == pytest.approx(1 - (50 + 30) / 400 + 10 / 400)


def test_the_interval_holds_as_much_as_all_that_can_happen_says() -> None:
    rows = [(50.0, 0.3), (20.0, 0.5), (15.0, 0.1), (10.0, 0.6), (5.0, 0.2)]
    chances: dict[float, float] = {}
    for leaves in product((0, 1), repeat=len(rows)):
        kept = sum(arr for (arr, _), gone in zip(rows, leaves, strict=True) if not gone) / 100
        chance = np.prod([p if gone else 1 - p for (_, p), gone in zip(rows, leaves, strict=True)])
        chances[kept] = chances.get(kept, 0.0) + float(chance)
    gross = found(stakes(*((arr, p, 0, 0) for arr, p in rows))).gross
    below = sum(chance for kept, chance in chances.items() if kept < gross.low - 1e-6)
    above = sum(chance for kept, chance in chances.items() if kept > gross.high + 1e-6)
    assert below <= 0.025 + 0.01
    assert above <= 0.025 + 0.01
    inside = sum(c for kept, c in chances.items() if gross.low < kept < gross.high)
    assert inside < 0.97  # and it is no wider than it has to be


def test_of_many_accounts_it_is_as_wide_as_the_variance_of_the_sum() -> None:
    random = np.random.default_rng(1)
    arr, leaves = random.uniform(1, 10, 3_000), random.uniform(0.02, 0.4, 3_000)
    gross = found(Stakes(arr, leaves, np.zeros(3_000), np.zeros(3_000), np.arange(3_000))).gross
    deviation = np.sqrt((arr**2 * leaves * (1 - leaves)).sum()) / arr.sum()
    assert gross.high - gross.low == pytest.approx(2 * 1.959964 * deviation, rel=0.08)
    assert (gross.high + gross.low) / 2 == pytest.approx(gross.value, abs=0.2 * deviation)


def test_growth_comes_as_often_as_the_model_says_and_not_to_who_leaves() -> None:
    kept = found(stakes((100, 0.5, 0.5, 25)))  # it leaves, or adds 50
    assert (kept.net.low, kept.net.high) == (0.0, 1.5)
    assert kept.net.value == pytest.approx(0.75)


def test_accounts_of_one_customer_leave_together() -> None:
    one, other = (50.0, 0.5, 0.0, 0.0), (50.0, 0.04, 0.0, 0.0)
    kept = found(stakes(one, one, customers=(7, 7)))
    assert (kept.gross.low, kept.gross.value, kept.gross.high) == (0.0, 0.5, 1.0)
    both = found(stakes(one, other, customers=(7, 7)))  # the less likely one only with the other
    assert (both.gross.low, both.gross.high) == (0.0, 1.0)
    assert found(stakes(one, other)).gross.low == 0.5  # by themselves: both in 2 of 100 draws


def test_of_customers_of_many_accounts_it_is_as_wide_as_the_variance_of_their_sums() -> None:
    random = np.random.default_rng(1)
    arr, leaves = random.uniform(1, 10, 300), np.repeat(random.uniform(0.1, 0.4, 100), 3)
    of = np.repeat(np.arange(100), 3)
    gross = found(Stakes(arr, leaves, np.zeros(300), np.zeros(300), of)).gross
    sums = arr.reshape(100, 3).sum(axis=1)
    deviation = np.sqrt((sums**2 * leaves[::3] * (1 - leaves[::3])).sum()) / arr.sum()
    assert gross.high - gross.low == pytest.approx(2 * 1.959964 * deviation, rel=0.08)


def test_the_same_accounts_have_the_same_interval() -> None:
    rows = stakes((100, 0.5, 0.2, 10), (300, 0.1, 0, 0))
    assert retention(rows) == retention(rows)


def test_who_pays_nothing_keeps_nothing() -> None:
    assert retention(stakes()) is None
    assert retention(stakes((0, 0.5, 0, 0))) is None
