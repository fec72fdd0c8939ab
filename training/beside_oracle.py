"""A finished back-test of the sample company, held against the best that its truth allows.

The truth is read when all models are fitted and all rows are scored: what the oracle says stands
beside the figures, and reaches no feature, label, fit or probability.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.question import Question
from training.backtest import Backtest
from training.evaluate import CAN_LEAVE, measured, paired, populations
from training.heldout import Resampled, auc, interval
from training.oracle import FEWEST_PLAYS, has_truth, oracle_probabilities

Floats = NDArray[np.float64]

KEYS = ["account_id", "as_of"]
MOST_ROWS = 60_000
"""Playing more rows forward takes longer than a large company's back-test should."""

CHANCE = 0.5
"""The AUC of an order that knows nothing."""

ASKED = ("pooled", CAN_LEAVE)


def beside_oracle(
    found: Backtest, company: Path, plays: int = FEWEST_PLAYS, most_rows: int = MOST_ROWS
) -> Backtest:
    """Add to a back-test's figures those of the oracle, where the source carries its truth.

    Parameters
    ----------
    company
        The source's folder; without a truth in it the back-test comes back as it is.
    plays
        Futures played for each date.
    most_rows
        Beyond so many rows only every second, third, … date is asked about.

    Returns
    -------
    Backtest
        Its metrics hold ``oracle``: plays; rows (of which the oracle tells: not of the CRM's
        duplicates) and of (all tested ones); by population (pooled, can_leave) model and oracle
        (`training.evaluate.measured`), above (the paired differences, model less oracle) and
        skill_share ({value, low, high}: AUC less 0.5, of the oracle's).
    """
    if not has_truth(company):
        return found
    rows = _told(_thinned(found.test_rows, most_rows), found.question, company, plays)
    days = found.question.main_horizon_days
    parts = {name: rows[populations(rows, days)[name]] for name in ASKED}
    told = {
        "plays": plays,
        "rows": len(rows),
        "of": len(found.test_rows),
        "populations": {name: _figures(part, days) for name, part in parts.items()},
    }
    return replace(found, metrics={**found.metrics, "oracle": told})


def _thinned(rows: pd.DataFrame, most_rows: int) -> pd.DataFrame:
    """Keep dates that lie evenly apart, as many as make that number of rows."""
    dates = np.sort(rows["as_of"].unique())
    step = max(1, int(np.ceil(len(rows) / most_rows)))
    return rows[rows["as_of"].isin(dates[::step])]


def _told(rows: pd.DataFrame, question: Question, company: Path, plays: int) -> pd.DataFrame:
    """Give the rows of which the oracle tells, with its probability as ``oracle``."""
    dates = [stamp.to_pydatetime() for stamp in sorted(rows["as_of"].unique())]
    truth = oracle_probabilities(company, dates, question.name, [question.main_horizon_days], plays)
    truth = truth.rename(columns={"probability": "oracle"})[[*KEYS, "oracle"]]
    return rows.merge(truth, on=KEYS, how="inner", validate="one_to_one")


def _figures(rows: pd.DataFrame, days: int) -> Mapping[str, Any]:
    outcome, own, best = (
        rows[name].to_numpy(dtype=float)
        for name in (f"outcome__{days}d", f"probability__{days}d", "oracle")
    )
    groups = rows["customer_group"].to_numpy(dtype=object)
    return {
        "model": measured(outcome, own, groups),
        "oracle": measured(outcome, best, groups),
        "above": paired(outcome, own, best, groups),
        "skill_share": _skill_share(outcome > 0, own, best, groups),
    }


def _skill_share(
    came: NDArray[np.bool_], own: Floats, best: Floats, groups: NDArray[np.object_]
) -> Mapping[str, float] | None:
    """Give the share of the oracle's skill on the same draws of customers."""
    if not 0 < came.sum() < len(came):
        return None
    drawn = Resampled.of(groups)
    skill, scale = (auc(came, each, drawn) - CHANCE for each in (own, best))
    if scale[0] == 0:
        return None
    return interval(np.divide(skill, scale, out=np.full(len(skill), np.nan), where=scale != 0))
