import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from training.baselines import baselines, logistic_regression, rule

Found = tuple[dict[str, np.ndarray], pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]

CALM = {
    "usage__events__28d": 100.0,
    "usage__events__90d": 321.0,  # 221 in the 62 days before: 99.8 per 28 days
    "billing__days_overdue": 0.0,
    "support__open_urgent_tickets": 0.0,
    "usage__active_users__28d": 5.0,
    "lifecycle__seats": 10.0,
}


@pytest.mark.parametrize(
    ("signal", "is_flagged"),
    [
        ({}, False),
        ({"usage__events__28d": 40.0}, True),  # 281 before: 126.9 per 28 days
        ({"usage__events__28d": 80.0}, False),
        ({"billing__days_overdue": 30.0}, True),
        ({"billing__days_overdue": 29.0}, False),
        ({"support__open_urgent_tickets": 1.0}, True),
        ({"usage__events__28d": np.nan}, False),
        ({"usage__events__28d": 0.0, "usage__events__90d": 0.0}, False),
    ],
)
def test_the_rule_flags_halved_use_an_overdue_invoice_or_an_urgent_ticket(
    signal: dict[str, float], *, is_flagged: bool
) -> None:
    assert rule(pd.DataFrame([CALM | signal]), "churn").tolist() == [is_flagged]


@pytest.mark.parametrize(
    ("signal", "is_flagged"),
    [
        ({}, False),
        ({"usage__events__28d": 120.0}, True),  # 201 before: 90.8 per 28 days
        ({"usage__active_users__28d": 9.0}, True),
        ({"support__open_urgent_tickets": 1.0}, False),
    ],
)
def test_the_rule_for_expansion_flags_grown_use_and_full_seats(
    signal: dict[str, float], *, is_flagged: bool
) -> None:
    assert rule(pd.DataFrame([CALM | signal]), "expansion").tolist() == [is_flagged]


def test_a_part_without_its_table_flags_nothing() -> None:
    assert rule(pd.DataFrame({"billing__days_overdue": [40.0, 0.0]}), "churn").tolist() == [
        True,
        False,
    ]


def company(count: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 60, count).astype(float)
    rows = pd.DataFrame(
        {
            "usage__days_since_last_event": np.where(rng.random(count) < 0.1, np.nan, days),
            "billing__days_overdue": rng.choice([0.0, 40.0], count),
            "x__money": np.exp(rng.normal(8, 2, count)),
        }
    )
    log_odds = -3 + 0.04 * days + 1.0 * (rows["billing__days_overdue"] > 0)
    return rows, (rng.random(count) < 1 / (1 + np.exp(-log_odds))).astype(float)


@pytest.fixture(scope="module")
def found() -> Found:
    (train, outcomes), (later, truth) = company(8000, 0), company(8000, 1)
    names = list(train.columns)
    return baselines(train, outcomes, later, names, "churn"), train, outcomes, later, truth


def test_the_base_rate_is_that_of_the_training_rows(found: Found) -> None:
    guesses, _, outcomes, later, _ = found
    assert guesses["base_rate"].tolist() == [outcomes.mean()] * len(later)


def test_the_rule_gives_the_share_on_its_side(found: Found) -> None:
    guesses, train, outcomes, later, _ = found
    flagged = train["billing__days_overdue"] >= 30
    shares = [outcomes[~flagged].mean(), outcomes[flagged].mean()]
    is_flagged = (later["billing__days_overdue"] >= 30).to_numpy().astype(int)
    assert guesses["rule"] == pytest.approx(np.array(shares)[is_flagged], abs=1e-3)


def test_each_baseline_ranks_the_better_the_more_it_knows(found: Found) -> None:
    guesses, *_, truth = found
    auc = {name: roc_auc_score(truth, guess) for name, guess in guesses.items()}
    assert auc["base_rate"] == 0.5 < auc["rule"] < auc["logistic_regression"]
    assert 0.55 < auc["days_since_last_event"] < auc["logistic_regression"]


def test_logistic_regression_is_calibrated_on_rows_of_the_same_kind(found: Found) -> None:
    guesses, *_, truth = found
    assert guesses["logistic_regression"].mean() == pytest.approx(truth.mean(), abs=0.02)


def test_recency_is_left_out_without_use() -> None:
    rows, outcomes = company(500, 2)
    names = ["billing__days_overdue", "x__money"]
    assert "days_since_last_event" not in baselines(rows, outcomes, rows, names, "churn")


def test_logistic_regression_bears_a_column_that_was_always_missing() -> None:
    rows, outcomes = company(500, 2)
    rows = rows.assign(x__nothing=np.nan)
    later = rows.assign(x__nothing=1.0)
    assert np.isfinite(logistic_regression(rows, outcomes, later, list(rows.columns))).all()
