import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.churn import CHURN
from models.intervals import (
    at_risk,
    covariates,
    covariates_of,
    cumulative,
    happened_in,
    matrix,
)

NAN = float("nan")


def described(days_to_term_end: float, term_months: float) -> np.ndarray:
    return covariates(CHURN, np.array([days_to_term_end]), np.array([term_months]))[0]


def test_each_interval_knows_its_number() -> None:
    assert described(NAN, NAN)[:, 0].tolist() == [0, 1, 2, 3]


def test_an_annual_term_ends_in_one_interval_of_the_year() -> None:
    assert described(100.0, 12.0)[:, 1].tolist() == [0, 0, 1, 0]


def test_a_term_that_ends_on_a_horizon_ends_in_the_next_interval() -> None:
    assert described(90.0, 12.0)[:, 1].tolist() == [0, 0, 1, 0]
    assert described(89.999, 12.0)[:, 1].tolist() == [0, 1, 0, 0]


def test_a_quarterly_term_ends_again_each_quarter() -> None:
    # ends on days 10, 101.3, 192.6, 283.9 and 375.2
    assert described(10.0, 3.0)[:, 1].tolist() == [1, 0, 1, 2]


def test_a_monthly_term_ends_in_every_interval() -> None:
    # ends on days 15, 45.4, 75.9, then 106.3, 136.8, 167.2, then six times to 350
    assert described(15.0, 1.0)[:, 1].tolist() == [1, 2, 3, 6]


def test_the_days_to_the_next_end_count_from_the_intervals_start() -> None:
    year = 365.25
    assert described(100.0, 12.0)[:, 2].tolist() == pytest.approx([100, 70, 10, 100 + year - 180])


def test_a_term_of_unknown_length_ends_once() -> None:
    assert described(10.0, NAN)[:, 1].tolist() == [1, 0, 0, 0]
    assert np.isnan(described(10.0, NAN)[1:, 2]).all()


def test_without_a_term_nothing_ends_and_the_days_are_missing() -> None:
    assert np.isnan(described(NAN, 12.0)[:, 1:]).all()


def test_an_interval_counts_only_when_it_is_known_to_its_end() -> None:
    known = at_risk(CHURN, np.full(4, NAN), np.array([29.9, 30.0, 179.9, 365.0]))
    assert known.sum(axis=1).tolist() == [0, 1, 2, 4]


def test_an_early_event_does_not_make_its_interval_count() -> None:
    assert at_risk(CHURN, np.array([31.0]), np.array([60.0])).tolist() == [[True] + [False] * 3]


def test_nobody_is_at_risk_after_the_event() -> None:
    assert at_risk(CHURN, np.array([30.0]), np.array([400.0])).tolist() == [
        [True, True, False, False]
    ]


def test_an_event_is_in_the_interval_that_starts_with_it() -> None:
    events = happened_in(CHURN, np.array([0.0, 30.0, 364.9, 365.0, NAN]))
    assert [row.nonzero()[0].tolist() for row in events] == [[0], [1], [3], [], []]


def test_rows_are_laid_out_interval_by_interval() -> None:
    cells = matrix(np.array([[7.0], [8.0]], dtype=np.float32), np.arange(12.0).reshape(2, 2, 3))
    assert cells.tolist() == [[7, 0, 1, 2], [7, 3, 4, 5], [8, 6, 7, 8], [8, 9, 10, 11]]


def test_a_probability_is_one_less_the_chance_to_pass_every_interval() -> None:
    assert cumulative(np.array([[0.1, 0.5]])).tolist() == [pytest.approx([0.1, 1 - 0.9 * 0.5])]


@given(arrays.arrays(float, (3, 4), elements=st.floats(0, 1)))
def test_probabilities_never_fall_with_the_horizon(hazards: np.ndarray) -> None:
    found = cumulative(hazards)
    assert (np.diff(found, axis=1) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def _ends_by_walking(first: int, months: float, start: int, end: int) -> int:
    ends = [first + k * months * 365.25 / 12 for k in range(400)]
    return sum(start <= day < end for day in ends)


@given(st.integers(0, 400), st.sampled_from([1.0, 3.0, 6.0, 12.0, 24.0, 36.0]))
def test_term_ends_agree_with_walking_from_term_to_term(first: int, months: float) -> None:
    counted = described(float(first), months)[:, 1].tolist()
    assert counted == [_ends_by_walking(first, months, *days) for days in CHURN.intervals_days]


@given(
    days=st.one_of(st.just(NAN), st.floats(-400, 800)),
    months=st.one_of(st.just(NAN), st.floats(-1, 0), st.floats(0.01, 40)),
)
def test_one_row_is_described_as_many_are(days: float, months: float) -> None:
    alone = covariates_of(CHURN, days, months)
    np.testing.assert_array_equal(alone[0], described(days, months))
