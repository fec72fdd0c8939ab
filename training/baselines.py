"""What a model has to beat: the base rate, a plain rule, recency alone, logistic regression.

Each learns on the rows that the model learns on, and gives a probability for the same test rows.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from models.question import Outcome

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

LAST_EVENT = "usage__days_since_last_event"
OVERDUE_DAYS = 30
PENALTY = 0.02  # the inverse strength that scikit-learn calls C


def baselines(
    train: pd.DataFrame,
    outcomes: Floats,
    test: pd.DataFrame,
    features: Sequence[str],
    outcome: Outcome,
) -> dict[str, Floats]:
    """Give each baseline's probabilities of the test rows.

    Parameters
    ----------
    train, outcomes
        Feature rows with a known outcome, 0 or 1.
    test
        Feature rows to predict.
    features
        The columns that logistic regression gets.
    outcome
        What is predicted; the plain rule depends on it.

    Returns
    -------
    By name: base_rate, rule, days_since_last_event (only with that column), logistic_regression.
    """
    found = {
        "base_rate": np.full(len(test), outcomes.mean()),
        "rule": _shares(rule(train, outcome), outcomes, rule(test, outcome)),
    }
    if LAST_EVENT in features:
        found["days_since_last_event"] = logistic_regression(train, outcomes, test, [LAST_EVENT])
    found["logistic_regression"] = logistic_regression(train, outcomes, test, features)
    return found


def rule(rows: pd.DataFrame, outcome: Outcome) -> Booleans:
    """Flag rows by the plain rule; a part whose columns are absent flags none.

    Churn and contraction: use down by half, or an invoice overdue for 30 days, or an urgent ticket
    open. Expansion: use up by a quarter, or nine of ten seats in use.
    """
    lately = _column(rows, "usage__events__28d")
    before = (_column(rows, "usage__events__90d") - lately) * 28 / 62
    if outcome == "expansion":
        users, seats = _column(rows, "usage__active_users__28d"), _column(rows, "lifecycle__seats")
        return ((before > 0) & (lately >= 1.25 * before)) | ((seats > 0) & (users >= 0.9 * seats))
    is_halved = (before > 0) & (lately <= 0.5 * before)
    is_overdue = _column(rows, "billing__days_overdue") >= OVERDUE_DAYS
    return is_halved | is_overdue | (_column(rows, "support__open_urgent_tickets") > 0)


def logistic_regression(
    train: pd.DataFrame, outcomes: Floats, test: pd.DataFrame, columns: Sequence[str]
) -> Floats:
    """Give probabilities by a ridge logistic regression on compressed, imputed, scaled columns."""
    cells = _compressed(train, columns)
    centres = np.array([_median(column) for column in cells.T])
    has_gaps = np.asarray(np.isnan(cells).any(axis=0))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=300, tol=1e-3))
    with threadpool_limits(limits=1):  # threads that wait for each other cost more than they give
        model.fit(_filled(cells, centres, has_gaps), outcomes)
    later = _filled(_compressed(test, columns), centres, has_gaps)
    return np.asarray(model.predict_proba(later)[:, 1], dtype=float)


def _compressed(rows: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """Signed logarithm: counts and money span orders of magnitude."""
    cells = _cells(rows, columns)
    return np.copysign(np.log1p(np.abs(cells)), cells)


def _median(column: Floats) -> float:
    there = column[~np.isnan(column)]
    return float(np.median(there)) if len(there) else 0.0


def _filled(cells: Floats, centres: Floats, has_gaps: Booleans) -> Floats:
    """Fill gaps with the centres, and say beside which columns with gaps had one."""
    absent = np.isnan(cells)
    return np.hstack([np.where(absent, centres, cells), absent[:, has_gaps]])


def _cells(rows: pd.DataFrame, columns: Sequence[str]) -> Floats:
    return np.asarray(rows[list(columns)].to_numpy(dtype=float, na_value=np.nan))


def _column(rows: pd.DataFrame, name: str) -> Floats:
    if name not in rows.columns:
        return np.full(len(rows), np.nan)
    return np.asarray(rows[name].to_numpy(dtype=float, na_value=np.nan))


def _shares(train: Booleans, outcomes: Floats, test: Booleans) -> Floats:
    """Give the share with the event on the flag's side, with one more row at the base rate."""
    base = outcomes.mean()
    on, off = ((outcomes[side].sum() + base) / (side.sum() + 1) for side in (train, ~train))
    return np.asarray(np.where(test, on, off), dtype=float)
