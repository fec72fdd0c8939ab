"""Fitting hazards: LightGBM's door for training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ModelError
from models.bundle import row_covariates
from models.cells import feature_matrix
from models.intervals import COVARIATES, at_risk, happened_in
from models.question import Question
from training.splits import known_days

_STRETCH = 20_000


@dataclass(frozen=True)
class BoosterParams:
    """How a booster is fitted; the defaults hold from a few thousand to a few 100,000 rows.

    Attributes
    ----------
    trees, learning_rate, leaves, rows_in_leaf, l2
        Size of the model, and what keeps it from following single accounts.
    feature_share, row_share
        Share of the columns and rows that each tree looks at.
    bins
        Histogram bins per column.
    largest_rows
        Beyond so many rows, rows without the event are sampled and weighted up: a third of them
        lost 0.0004 of AUC in a trial and took a third of the time.
    threads, seed
        Fixed, so that the same rows give the same text. One thread: two that share a busy core
        wait for each other at every tree.
    monotone
        Whether the hazard may not fall (rise) with a feature declared to be risky upwards
        (downwards); for churn only.
    """

    trees: int = 170
    learning_rate: float = 0.03
    leaves: int = 15
    rows_in_leaf: int = 100
    l2: float = 5.0
    feature_share: float = 0.5
    row_share: float = 0.8
    bins: int = 127
    largest_rows: int = 40_000
    threads: int = 1
    seed: int = 7
    monotone: bool = True

    def to_lightgbm(self) -> dict[str, Any]:
        """Give LightGBM's own names."""
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.rows_in_leaf,
            "lambda_l2": self.l2,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "max_bin": self.bins,
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


def fit_booster(
    cells: NDArray[np.float32],
    outcomes: NDArray[np.float64],
    columns: Sequence[str],
    params: BoosterParams,
    *,
    weights: NDArray[np.float64] | None = None,
    categorical: Sequence[str] = (),
    directions: Sequence[int] = (),
    objective: str = "binary",
) -> str:
    """Fit a booster, by default for a yes or no, and give it as text.

    Parameters
    ----------
    cells
        Shape (n, columns); NaN is missing; a categorical column holds its category's number.
    outcomes
        0 or 1, shape (n,); amounts above 0 for the objective ``gamma``.
    columns
        Names, in the order of the cells.
    weights
        One per row; 1 by default.
    categorical
        Names of the columns that are categories.
    directions
        Per column 1 (the probability may not fall with it), -1 (not rise) or 0; none by default.
    objective
        LightGBM's name of it.
    """
    settings = params.to_lightgbm() | {"objective": objective}
    if any(directions):
        settings["monotone_constraints"] = list(directions)
        # The basic way, LightGBM's own default, bars more splits than a direction asks for.
        settings["monotone_constraints_method"] = "intermediate"
    data = lightgbm.Dataset(
        cells,
        label=outcomes,
        weight=weights,
        feature_name=list(columns),
        categorical_feature=list(categorical),
        params=settings,
    )
    booster = lightgbm.train(settings, data, num_boost_round=params.trees)
    return str(booster.model_to_string())


@dataclass(frozen=True)
class LinearParams:
    """How a linear model is fitted, for companies with few events.

    Attributes
    ----------
    spread
        How far the features together may move the log odds: the normal prior that draws each
        weight to 0 has this standard deviation over the root of their number. The smaller, the
        stronger.
    largest_rows, seed
        As for boosters.
    """

    spread: float = 0.8
    largest_rows: int = 10_000
    seed: int = 7


Params = BoosterParams | LinearParams


def recorded_params(kept: Mapping[str, Any]) -> Params:
    """Give the parameters of a training on record (``dataclasses.asdict``), to train so again.

    Raises
    ------
    ModelError
        When other parameters are on record than this code knows.
    """
    kind = LinearParams if "spread" in kept else BoosterParams
    known = {each.name for each in fields(kind)}
    if other := sorted(known ^ kept.keys()):
        raise ModelError(
            f"Expected the parameters of a fit that this code knows, got another record of "
            f"{', '.join(other)}. Use the release of Tenure that trained, or train anew."
        )
    return kind(**kept)


@dataclass(frozen=True)
class HazardRows:
    """One row for each account, date and interval.

    Attributes
    ----------
    cells
        Shape (n, features + covariates), float32.
    outcomes
        Whether the event came in the interval, shape (n,).
    weights
        How many rows each stands for, shape (n,), over the length of its interval in lengths of
        the first: the longer it is, the more snapshots see the same event in it.
    """

    cells: NDArray[np.float32]
    outcomes: NDArray[np.float64]
    weights: NDArray[np.float64]


def hazard_rows(
    rows: pd.DataFrame,
    question: Question,
    features: Sequence[str],
    border: datetime,
    params: Params,
) -> HazardRows:
    """Lay labelled feature rows out by interval, those that were known to their end at a border.

    Parameters
    ----------
    rows
        Features, and the columns of `training.labels.label`; one row per account and date.
    border
        No interval enters whose end plus the grace lies after it.
    params
        Gives the most rows, and the seed of the sample beyond.
    """
    event_days = rows["event_days"].to_numpy(dtype=float)
    counts = at_risk(question, event_days, known_days(rows, border, question))
    row, interval = counts.nonzero()
    happened = happened_in(question, event_days)[row, interval]
    weights = _sampled(happened, params)
    row, interval = row[weights > 0], interval[weights > 0]
    starts, ends = np.array(question.intervals_days, dtype=float).T
    shortness = (ends[0] - starts[0]) / (ends - starts)
    return HazardRows(
        _laid_out(rows, question, features, row, interval),
        happened[weights > 0].astype(float),
        weights[weights > 0] * shortness[interval],
    )


def _laid_out(
    rows: pd.DataFrame,
    question: Question,
    features: Sequence[str],
    row: NDArray[np.int64],
    interval: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Fill the cells of rows by interval a stretch at a time: beside them, none is held twice."""
    width = len(features)
    cells = np.empty((len(row), width + len(COVARIATES)), dtype=np.float32)
    for start in range(0, len(row), _STRETCH):
        stretch = slice(start, start + _STRETCH)
        known, at = np.unique(row[stretch], return_inverse=True)
        part = rows.iloc[known]
        cells[stretch, :width] = feature_matrix(part, features, {}, question.name)[at]
        cells[stretch, width:] = row_covariates(question, part)[at, interval[stretch]]
    return cells


def _sampled(happened: NDArray[np.bool_], params: Params) -> NDArray[np.float64]:
    """Weigh rows: 1 with the event, and the others 1, or 0 or more than 1 in a sample of them."""
    room = params.largest_rows - int(happened.sum())
    others = len(happened) - int(happened.sum())
    if others <= max(room, 0):
        return np.ones(len(happened))
    share = max(room, params.largest_rows // 2) / others
    drawn = np.random.default_rng(params.seed).random(len(happened)) < share
    return np.where(happened, 1.0, np.where(drawn, 1.0 / share, 0.0))


def fit_hazard(
    rows: pd.DataFrame,
    question: Question,
    features: Sequence[str],
    border: datetime,
    params: BoosterParams,
    directions: Mapping[str, int] | None = None,
) -> str:
    """Fit the question's hazard on what was known at a border; give the booster as text.

    Parameters
    ----------
    directions
        By feature 1 or -1, where one is declared; they hold if the parameters ask for them.
    """
    known = hazard_rows(rows, question, features, border, params)
    columns = (*features, *COVARIATES)
    held = directions if params.monotone and directions else {}
    return fit_booster(
        known.cells,
        known.outcomes,
        columns,
        params,
        weights=known.weights,
        directions=[held.get(name, 0) for name in columns],
    )
