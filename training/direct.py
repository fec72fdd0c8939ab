"""One classifier for each horizon: what the hazard was chosen over, and is held against."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.question import Question
from training.bundling import FeatureList, fit_bundle
from training.fit import Params
from training.splits import Split, split_at

Floats = NDArray[np.float64]


def direct_probabilities(
    rows: pd.DataFrame,
    later: pd.DataFrame,
    question: Question,
    features: FeatureList,
    dates: Sequence[datetime],
    split: Split,
    params: Params,
) -> Floats:
    """Fit and calibrate one classifier for each horizon, and predict later rows.

    A question of one horizon has the one interval from 0 to it, whose hazard is the probability
    itself: the same code gives the classifier, with the same features and what is known of the
    window (whether a term ends in it, and when). Each has its own calibration slice, long enough
    for its horizon.

    Parameters
    ----------
    rows, later
        Labelled feature rows up to the border, and the rows to predict.
    dates
        Of the panel: the calibration slices are laid out on them.
    split
        Its `test_from` is the border.

    Returns
    -------
    Array of shape (later rows, horizons); nothing keeps it from falling with the horizon.
    """
    columns = []
    for days in question.horizons_days:
        single = replace(question, horizons_days=(days,), main_horizon_days=days)
        own = split_at(dates, split.test_from, single, split.test_until)
        bundle = fit_bundle(rows, single, features, own, params)
        columns.append(bundle.probabilities(later)[:, 0])
    return np.stack(columns, axis=1)
