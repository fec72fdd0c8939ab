"""Feature rows and models in, the contract's scores out. Pure."""

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from models.bundle import Bundle

REASONS = 5


def score(
    bundles: Mapping[str, Bundle],
    table: pd.DataFrame,
    states: pd.DataFrame,
    scored_at: datetime,
    *,
    reasons: int = REASONS,
) -> pd.DataFrame:
    """Score every known account with every model at every horizon of its question.

    Parameters
    ----------
    bundles:
        Models by name (``churn``, ``expansion``).
    table:
        Feature table of one date: one row per active account.
    states:
        `features.spine.account_states` of the same date: one row per known account.
    scored_at:
        Naive UTC time that the scores carry.
    reasons:
        At most so many reasons per score.

    Returns
    -------
    pandas.DataFrame
        The contract's ``scores``: one row per account, model and horizon. Accounts that are
        leaving, inactive or without data have rows too, with neither probability nor band.

    Raises
    ------
    ModelError
        If the table lacks a feature that a model was trained on.
    """
    raise NotImplementedError
