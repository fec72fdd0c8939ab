"""Figures of the losses, against numbers counted by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from models.churn import CHURN
from models.expansion import EXPANSION
from training.losses import by_cause, days_ahead, later_losses, lead_time

# ann asked to cancel 20 days before she left; cy was never listed; dee left too late to count
SEEN = """
    ann 2024-01-01 100 80  0 1
    ann 2024-02-01 69  49  1 0
    ann 2024-03-01 40  20  1 1
    bob 2024-02-01 41  41  1 0
    bob 2024-03-03 10  10  1 1
    cy  2024-03-01 5   5   1 0
    dee 2024-03-01 200 200 0 1
    eve 2024-03-01 -   -   0 1
"""


def seen(text: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    names = ["account_id", "as_of", "event_days", "lead_days", "came", "listed"]
    frame = pd.DataFrame([line.split() for line in text.strip().splitlines()], columns=names)
    frame = frame.replace("-", np.nan).astype(dict.fromkeys(names[2:], float))
    frame["as_of"] = pd.to_datetime(frame["as_of"])
    frame["customer_group"] = frame["account_id"]
    return frame, frame["came"].to_numpy() > 0, frame["listed"].to_numpy() > 0


def test_lead_time_runs_from_the_first_listing_to_the_request_or_the_loss() -> None:
    rows, came, listed = seen(SEEN)
    found = lead_time(rows, CHURN, came, listed)
    assert found["losses"] == 3
    assert found["listed"]["value"] == pytest.approx(2 / 3)
    assert found["listed_30d_before"]["value"] == pytest.approx(1 / 3)
    assert found["listed_90d_before"]["value"] == 0
    # of 80 and 10 days
    assert (found["quarter_days"], found["median_days"]) == (27.5, 45.0)


def test_a_listing_more_than_a_year_before_is_no_warning() -> None:
    rows, came, listed = seen("ann 2023-01-01 380 380 0 1\n ann 2024-01-01 15 15 1 0")
    found = lead_time(rows, CHURN, came, listed)
    assert (found["losses"], found["listed"]["value"], found["median_days"]) == (1, 0.0, None)


def test_an_account_that_left_and_came_back_can_be_lost_twice() -> None:
    rows, came, listed = seen("ann 2024-01-01 10 10 1 1\n ann 2024-06-01 10 10 1 0")
    assert lead_time(rows, CHURN, came, listed)["losses"] == 2


def test_without_a_loss_nothing_is_claimed() -> None:
    rows, came, listed = seen("eve 2024-01-01 - - 0 1")
    found = lead_time(rows, CHURN, came, listed)
    assert (found["losses"], found["listed"], found["median_days"]) == (0, None, None)


def test_the_days_ahead_of_a_rise_run_to_the_rise_and_not_to_a_loss() -> None:
    rows, *_ = seen("ann 2024-01-01 10 90 1 1")
    assert days_ahead(rows, EXPANSION).tolist() == [10.0]
    assert days_ahead(rows, CHURN).tolist() == [90.0]


def spread(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    monthly = rng.beta(1, 8, count)
    days = rng.geometric(1 - (1 - monthly) ** (1 / 30)) - 0.5
    return pd.DataFrame(
        {
            "event_days": days,
            "lead_days": days,
            "outcome__90d": (days < 90).astype(float),
            "probability__30d": monthly,
            "probability__90d": 1 - (1 - monthly) ** 3,
            "customer_group": np.arange(count).astype(str),
        }
    )


def test_losses_at_least_30_days_away_are_judged_by_the_probability_of_just_those() -> None:
    rows = spread(4_000, 0)
    found = later_losses(rows, CHURN, {"flat": np.full(4_000, 0.5)})
    later = rows[rows["event_days"] >= 30]
    assert (found["rows"], found["events"]) == (len(later), int((later["event_days"] < 90).sum()))
    # of those still there after 30 days, two more months of the same hazard
    expected = (1 - (1 - later["probability__30d"]) ** 2).sum()
    ratio = found["observed_over_expected"]
    assert ratio["value"] == pytest.approx(found["events"] / expected)
    assert ratio["low"] < 1 < ratio["high"]
    auc = roc_auc_score(later["outcome__90d"], later["probability__30d"])
    assert found["auc"]["value"] == pytest.approx(auc)
    assert found["above_baselines"]["flat"]["auc"]["value"] == pytest.approx(auc - 0.5)
    assert "log_loss" not in found["above_baselines"]["flat"]


def test_a_loss_on_the_thirtieth_day_is_a_later_one() -> None:
    rows = spread(3, 1).assign(event_days=[29.9, 30.0, np.nan], outcome__90d=[1.0, 1.0, 0.0])
    found = later_losses(rows, CHURN, {})
    assert (found["rows"], found["events"]) == (2, 1)


def test_each_cause_is_held_against_those_who_stayed() -> None:
    rows = pd.DataFrame(
        {
            "cause": ["voluntary", "payment", "payment", None, None, None],
            "customer_group": list("abcdef"),
        }
    )
    outcome = np.array([1.0, 1, 1, 1, 0, 0])
    probability = np.array([0.9, 0.2, 0.6, 0.8, 0.5, 0.1])
    listed = np.array([True, False, True, False, False, False])
    found = by_cause(rows, outcome, probability, listed)
    assert set(found) == {"voluntary", "payment", "unknown"}
    # 0.2 and 0.6 against 0.5 and 0.1: three of four pairs in order
    assert found["payment"]["auc"]["value"] == 0.75
    assert (found["payment"]["events"], found["payment"]["rows"]) == (2, 4)
    assert found["payment"]["mean_probability"] == pytest.approx(0.4)
    assert found["payment"]["recall"]["value"] == 0.5
    assert found["voluntary"]["auc"]["value"] == 1.0
