"""How a way of fitting does on rows that lie later than what it was fitted on."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import TooLittleDataError
from models.question import Question
from training.bundling import FeatureList, answerable, fit_bundle
from training.fit import Params
from training.heldout import SMALLEST
from training.splits import Split, dates_on_record, on_record, origins, outcome_known_by

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """One past border: what was known by it is learned from, later rows are asked about.

    Attributes
    ----------
    split
        The borders of the fold.
    question
        With the horizons that the rows before it bear out.
    rows
        Labelled rows, those from its record's start on.
    tested
        Rows of the fold's later period whose outcome within the main horizon is known.
    outcomes
        0 or 1 of these, shape (n,).
    """

    split: Split
    question: Question
    rows: pd.DataFrame
    tested: pd.DataFrame
    outcomes: Floats


def folds(
    panel: pd.DataFrame, question: Question, border: datetime, limit: int
) -> tuple[Fold, ...]:
    """Roll an origin through the time before a border, beyond which nothing is looked at.

    Origins before which too few had the event, and those after which nobody had or everybody, are
    left out.

    Parameters
    ----------
    panel
        Labelled rows, as `training.prepare.labelled_rows` gives them.
    border
        A window counts only if it and its grace ended by then.
    limit
        At most so many origins.
    """
    dates = [date for date in dates_on_record(panel, border, question) if date < border]
    found = (
        _fold(panel, question, split, border) for split in origins(dates, border, question, limit)
    )
    return tuple(fold for fold in found if fold is not None)


def _fold(panel: pd.DataFrame, question: Question, split: Split, border: datetime) -> Fold | None:
    rows = on_record(panel, split.test_from, question)
    try:
        asked = answerable(rows, question, split.test_from)
    except TooLittleDataError:
        return None
    later = rows[split.is_test(rows["as_of"])]
    outcomes = outcome_known_by(later, question.main_horizon_days, border, question)
    known = np.isfinite(outcomes)
    if outcomes[known].min(initial=1.0) == outcomes[known].max(initial=0.0):
        return None
    return Fold(split, asked, rows, later[known], outcomes[known])


def losses(fold: Fold, features: FeatureList, params: Params) -> Floats:
    """Fit and calibrate before the fold's border; give the log loss of each later row, in nats."""
    bundle = fit_bundle(fold.rows, fold.question, features, fold.split, params)
    at = fold.question.horizons_days.index(fold.question.main_horizon_days)
    said = np.clip(bundle.probabilities(fold.tested)[:, at], SMALLEST, 1 - SMALLEST)
    return np.asarray(-np.log(np.where(fold.outcomes == 1, said, 1 - said)))
