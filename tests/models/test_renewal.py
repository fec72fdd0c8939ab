"""The probability to renew, against numbers worked out by hand from the churn probabilities."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.churn import CHURN
from models.renewal import AtTermEnd, next_end

ON_ENDS = AtTermEnd(monthly=1.0, longer=1.0)
SAID = [0.02, 0.08, 0.20, 0.50]  # within 30, 90, 180 and 365 days


def rows_of(*terms: tuple[float | None, float | None]) -> pd.DataFrame:
    names = ["lifecycle__days_to_term_end", "lifecycle__term_months"]
    return pd.DataFrame(terms, columns=names, dtype=float)


def renewal(at: AtTermEnd, days: float | None, months: float | None = 12) -> float:
    rows = rows_of((days, months))
    return float(at.renewal_probabilities(CHURN, np.array([SAID]), rows)[0])


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, 1 - 0.02),
        (29, 1 - 0.02),
        (30, 1 - 0.08),
        (100, 1 - 0.20),
        (364, 1 - 0.50),
    ],
)
def test_where_all_is_lost_at_the_end_of_a_term_its_interval_counts_whole(
    days: float, expected: float
) -> None:
    assert renewal(ON_ENDS, days) == pytest.approx(expected)


def test_losses_on_any_day_are_parted_by_the_days_up_to_the_renewal() -> None:
    any_day = AtTermEnd(monthly=0.0, longer=0.0)
    # day 44 ends 45 days on, a quarter of the way from 30 to 90
    assert renewal(any_day, 44) == pytest.approx(1 - (0.02 + 0.25 * 0.06))
    assert renewal(any_day, 89) == pytest.approx(1 - 0.08)


def test_some_are_lost_on_the_day_and_the_others_on_any() -> None:
    at = AtTermEnd(monthly=0.0, longer=0.6)
    assert renewal(at, 44) == pytest.approx(1 - (0.02 + (0.6 + 0.4 * 0.25) * 0.06))


def test_of_several_ends_in_an_interval_the_next_gets_its_part() -> None:
    # a monthly term that ends in 30 days ends again in 60.4, both within 30 to 90 days
    assert renewal(ON_ENDS, 30, months=1) == pytest.approx(1 - (0.02 + 0.06 / 2))
    # a quarterly one that ends on day 90 ends again on 181.3, beyond 90 to 180 days
    assert renewal(ON_ENDS, 90, months=3) == pytest.approx(1 - 0.20)


def test_a_monthly_term_has_a_share_of_its_own() -> None:
    at = AtTermEnd(monthly=0.0, longer=1.0)
    assert renewal(at, 14, months=1) == pytest.approx(1 - 0.5 * 0.02)
    assert renewal(at, 14, months=12) == pytest.approx(1 - 0.02)


@pytest.mark.parametrize("days", [None, 365, 700, -1])
def test_no_term_and_one_that_ends_beyond_the_last_horizon_have_none(days: float | None) -> None:
    assert np.isnan(renewal(ON_ENDS, days))


def test_rows_without_the_columns_of_a_term_have_none() -> None:
    rows = pd.DataFrame({"usage__events__28d": [1.0]})
    assert np.isnan(ON_ENDS.renewal_probabilities(CHURN, np.array([SAID]), rows)).all()


def test_a_model_of_90_days_says_nothing_of_a_renewal_in_100() -> None:
    short = replace(CHURN, horizons_days=(30, 90))
    found = ON_ENDS.renewal_probabilities(
        short, np.array([SAID[:2]] * 2), rows_of((100, 12), (60, 12))
    )
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1 - 0.08)


def test_it_falls_as_the_renewal_lies_further_ahead_and_stays_a_probability() -> None:
    at = AtTermEnd(monthly=0.3, longer=0.7)
    days = np.arange(365.0)
    rows = rows_of(*[(day, 12.0) for day in days])
    found = at.renewal_probabilities(CHURN, np.array([SAID] * 365), rows)
    assert (np.diff(found) <= 0).all()
    assert ((found >= 0.5) & (found <= 1)).all()


def test_the_interval_that_holds_the_end_agrees_with_the_hazards_columns() -> None:
    found = next_end(CHURN, rows_of((0, 12), (30, 1), (179, None), (365, 12), (None, None)))
    assert found.interval.tolist() == [0, 1, 2, -1, -1]
    assert found.ends[:3].tolist() == [1, 2, 1]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_one(share: float) -> None:
    with pytest.raises(ValueError, match="shares from 0 to 1"):
        AtTermEnd(monthly=share, longer=0.5)


@pytest.mark.parametrize("at", [ON_ENDS, AtTermEnd(monthly=0.5, longer=0.6)])
@pytest.mark.parametrize("days", [None, -5, 0, 12.5, 30, 89, 100, 364, 365, 500])
@pytest.mark.parametrize("months", [None, 0, 1, 3, 12])
def test_one_row_renews_as_many_do(at: AtTermEnd, days: float | None, months: float | None) -> None:
    alone = at.renewal_probability_of(
        CHURN,
        np.array(SAID),
        float("nan") if days is None else days,
        float("nan") if months is None else months,
    )
    assert alone == pytest.approx(renewal(at, days, months), abs=1e-15, nan_ok=True)
