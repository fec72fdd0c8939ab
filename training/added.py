"""Expected added MRR against the MRR that was added, on rows that no model learned from."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from models.bundle import Bundle
from models.question import Question
from training.amount import added, deviance
from training.capacity import first_share
from training.heldout import Resampled

Floats = NDArray[np.float64]

BY_ACCOUNT, MEAN = "share", "mean_share"
"""Columns ``<name>__<h>d``: what an expansion adds by h per MRR, as the model and the mean say."""

FIRST = 0.10
_FEWEST_TO_RANK = 3


def told_shares(bundle: Bundle, rows: pd.DataFrame) -> dict[str, Floats]:
    """Give what a model of expansion and the mean share say that an expansion of each row adds."""
    if bundle.amount is None:
        return {}
    shares, means = bundle.added_shares(rows), bundle.amount.mean_shares
    found = {}
    for at, days in enumerate(bundle.question.horizons_days):
        found[f"{BY_ACCOUNT}__{days}d"] = shares[:, at]
        found[f"{MEAN}__{days}d"] = np.full(len(rows), means.get(days, np.nan))
    return found


def added_mrr(rows: pd.DataFrame, question: Question) -> dict[str, Any]:
    """Hold what was expected to be added against what was, at each horizon.

    Parameters
    ----------
    rows
        Tested rows: probability, outcome, mrr_change and the columns of `told_shares`, by horizon.

    Returns
    -------
    By horizon, and in it by ``share`` (as the model tells it) and ``mean_share``: what `of_way`
    gives; and above_mean_share, how far deviance and absolute_error lie above the mean share's. A
    horizon within which no expansion had been seen is left out.
    """
    found = {}
    for days in question.horizons_days:
        kept = rows[np.isfinite(rows[f"outcome__{days}d"]) & np.isfinite(rows[f"{MEAN}__{days}d"])]
        if len(kept):
            found[str(days)] = {name: of_way(kept, days, name) for name in (BY_ACCOUNT, MEAN)}
            found[str(days)]["above_mean_share"] = above(kept, days, BY_ACCOUNT, MEAN)
    return found


def of_way(rows: pd.DataFrame, days: int, told: str) -> dict[str, Any]:
    """Give the figures of one way to tell amounts, in the columns ``<told>__<h>d``.

    Returns
    -------
    rows, expansions; expected and realised (money a month, added up over all rows) and
    realised_over_expected; of those that expanded deviance (of the share), absolute_error (money)
    and rank_agreement (Spearman's, of the money said and added); first_tenth, the share of all
    that was added which stands on the first tenth of each date by what is expected.
    """
    came, mrr, realised, expected = _money(rows, days, told)
    drawn = Resampled.of(rows["customer_group"].to_numpy(dtype=object))
    deviances, errors = _errors(rows, days, told)
    on_list = first_share(rows.reset_index(drop=True), expected, FIRST)
    said = rows[f"{told}__{days}d"].to_numpy(dtype=float) * mrr
    return {
        "rows": len(rows),
        "expansions": int(came.sum()),
        "expected": float(expected.sum()),
        "realised": float(realised.sum()),
        "realised_over_expected": drawn.ratio(realised, expected),
        "deviance": drawn.ratio(deviances, came),
        "absolute_error": drawn.ratio(errors, came),
        "rank_agreement": _agreement(said[came > 0], realised[came > 0]),
        "first_tenth": drawn.ratio(np.where(on_list, realised, 0.0), realised),
    }


def above(rows: pd.DataFrame, days: int, told: str, rival: str) -> dict[str, Any]:
    """Give how far the errors of one way lie above those of another, on the same draws."""
    drawn = Resampled.of(rows["customer_group"].to_numpy(dtype=object))
    came = np.where(rows[f"outcome__{days}d"] == 1, 1.0, 0.0)
    own, others = _errors(rows, days, told), _errors(rows, days, rival)
    return {
        name: drawn.ratio(mine - theirs, came)
        for name, mine, theirs in zip(("deviance", "absolute_error"), own, others, strict=True)
    }


def _money(rows: pd.DataFrame, days: int, told: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Give who expanded (0 or 1), the MRR, what was added and what was expected to be."""
    came = np.where(rows[f"outcome__{days}d"] == 1, 1.0, 0.0)
    mrr = rows["mrr"].to_numpy(dtype=float)
    probability, share = (
        rows[f"{name}__{days}d"].to_numpy(dtype=float) for name in ("probability", told)
    )
    return came, mrr, came * mrr * added(rows, days), probability * share * mrr


def _errors(rows: pd.DataFrame, days: int, told: str) -> tuple[Floats, Floats]:
    """Give deviance and absolute error of those that expanded, 0 for the others."""
    came, mrr, realised, _ = _money(rows, days, told)
    share = rows[f"{told}__{days}d"].to_numpy(dtype=float)
    return came * deviance(added(rows, days), share), came * np.abs(realised - share * mrr)


def _agreement(said: Floats, came: Floats) -> float | None:
    if len(said) < _FEWEST_TO_RANK or min(np.ptp(said), np.ptp(came)) == 0:
        return None
    return float(spearmanr(said, came).statistic)
