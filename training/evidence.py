"""The rows by which a challenger and its rival are judged, and what both said of them.

Usually these are the rows after both trainings. Where few customers ever have the event, those
hold too few of them, and past dates count too: the models in question learned from these, so at
each one models are fitted anew in the same two ways, on what was known then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import GateError
from models.bundle import Bundle
from models.question import Question
from training.bundling import FeatureList, fit_bundle
from training.fit import Params
from training.later import Fold, folds

Floats = NDArray[np.float64]

PAST_DATES = 6
"""From at most so many past dates models are fitted anew."""


@dataclass(frozen=True)
class Evidence:
    """Rows with a known outcome that neither model had learned from when it was asked.

    Attributes
    ----------
    rows
        As a `training.trial.Trial` has them; one row per account and date.
    outcomes, own, rival
        0 or 1, and the probabilities of challenger and rival, shape (n,).
    past_dates
        From how many past dates models were fitted anew; 0 where the rows after both trainings
        are all there is.
    """

    rows: pd.DataFrame
    outcomes: Floats
    own: Floats
    rival: Floats
    past_dates: int = 0


@dataclass(frozen=True)
class Way:
    """A way to fit: which features a model takes, and by which settings."""

    features: FeatureList
    params: Params

    @classmethod
    def of(cls, bundle: Bundle, params: Params) -> "Way":
        """Give the way in which a model was fitted."""
        features = FeatureList(bundle.features, bundle.catalogue, bundle.features_fingerprint)
        return cls(features, params)


def counted(rows: pd.DataFrame, outcomes: Floats) -> dict[str, float]:
    """Give the rows, events, rows without one, customers, and those with the event."""
    groups = rows["customer_group"]
    return {
        "rows": len(rows),
        "events": float(outcomes.sum()),
        "without": float(len(rows) - outcomes.sum()),
        "groups": groups.nunique(),
        "event_groups": groups[outcomes == 1].nunique(),
    }


def past_evidence(
    rows: pd.DataFrame, question: Question, border: datetime, own: Way, rival: Way | None
) -> Evidence | None:
    """Fit in both ways at past dates, and ask of the dates that followed each.

    Parameters
    ----------
    rows
        Labelled rows, later ones too: nothing is looked at that was not known at the border.
    question
        Its `fewest_event_accounts` customers had the event before each of the past dates.
    border
        The rows from here on are not asked about.
    rival
        None: the base rate of the challenger's way.

    Returns
    -------
    Evidence or None
        None without a past date before and after which customers had the event.
    """
    found = [_of(fold, own, rival) for fold in folds(rows, question, border, PAST_DATES)]
    return joined(found) if found else None


def joined(parts: Sequence[Evidence]) -> Evidence:
    """Put evidence of different dates together."""
    return Evidence(
        rows=pd.concat([each.rows for each in parts], ignore_index=True),
        outcomes=np.concatenate([each.outcomes for each in parts]),
        own=np.concatenate([each.own for each in parts]),
        rival=np.concatenate([each.rival for each in parts]),
        past_dates=sum(each.past_dates for each in parts),
    )


def at_horizon(bundle: Bundle, rows: pd.DataFrame, horizon_days: int) -> Floats:
    """Give a bundle's probabilities at one horizon; raises GateError where one is missing."""
    at = bundle.question.horizons_days.index(horizon_days)
    probabilities = bundle.probabilities(rows)[:, at]
    if not np.isfinite(probabilities).all():
        raise GateError(f"Expected a probability for each row from {bundle.version}, got none.")
    return probabilities


def _of(fold: Fold, own: Way, rival: Way | None) -> Evidence:
    days = fold.question.main_horizon_days
    fitted = _fitted(fold, own)
    said = at_horizon(fitted, fold.tested, days)
    if rival is None:
        other = np.full(len(said), fitted.base_rate(days))
    else:
        other = said if rival == own else at_horizon(_fitted(fold, rival), fold.tested, days)
    return Evidence(fold.tested, fold.outcomes, said, other, past_dates=1)


def _fitted(fold: Fold, way: Way) -> Bundle:
    return fit_bundle(fold.rows, fold.question, way.features, fold.split, way.params)
