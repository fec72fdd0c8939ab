"""The floors of the public data's README, on the very rows that Tenure is tested on.

A plain, untuned LightGBM (300 trees, rate 0.03, 15 leaves) and a logistic regression, on a handful
of point-in-time features for the tables with a history, on every column for the flat ones.
"""

from collections.abc import Callable

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Fit = Callable[[pd.DataFrame, Floats, pd.DataFrame], Floats]

ROUNDS = 300
PLAIN = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "verbosity": -1,
    "num_threads": 1,
}
HANDFUL = (
    "lifecycle__tenure_days",
    "lifecycle__mrr",
    "lifecycle__seats",
    "lifecycle__term_months",
    "lifecycle__days_to_term_end",
    "usage__events__28d",
    "usage__active_users__28d",
    "usage__days_since_last_event",
    "support__tickets_opened__90d",
    "support__open_tickets",
    "billing__failed_payments__90d",
    "billing__days_overdue",
)
"""Those of them that a source has are the handful."""


def plain_lightgbm(
    train: pd.DataFrame, outcome: Floats, test: pd.DataFrame, seed: int = 0
) -> Floats:
    """Probabilities of the untuned booster."""
    data = lightgbm.Dataset(train, outcome)
    booster = lightgbm.train({**PLAIN, "seed": seed}, data, ROUNDS)
    return np.asarray(booster.predict(test))


def logistic(train: pd.DataFrame, outcome: Floats, test: pd.DataFrame) -> Floats:
    """Probabilities of a logistic regression on imputed, standardised columns."""
    steps = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    return np.asarray(steps.fit(train, outcome).predict_proba(test)[:, 1])


FLOORS: tuple[tuple[str, Fit], ...] = (("LightGBM", plain_lightgbm), ("logistic", logistic))


def by_folds(frame: pd.DataFrame, outcome: NDArray[np.bool_], seeds: int = 5) -> Floats:
    """Probabilities of the untuned booster out of five folds, shape (seeds, n).

    Words become pandas categories, as LightGBM takes them by itself.
    """
    words = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    cells = frame.assign(**{name: frame[name].astype("category") for name in words})
    cells.columns = [f"column_{number}" for number in range(len(cells.columns))]
    repeats = np.empty((seeds, len(cells)))
    for seed in range(seeds):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        for learn, held in folds.split(cells, outcome):
            repeats[seed, held] = plain_lightgbm(
                cells.iloc[learn], outcome[learn].astype(float), cells.iloc[held], seed
            )
    return repeats
