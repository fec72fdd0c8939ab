"""Figures of held-out probabilities: by horizon, by population, against baselines, at capacity."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.capacity import AtStake, Economics, at_capacity
from training.chance import auc
from training.heldout import METRICS, HeldOut, Resampled, differences, figures_of, interval
from training.reliability import (
    brier_parts,
    calibration_error,
    calibration_slopes,
    observed_over_expected,
    reliability,
)

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

Paired = Mapping[str, Mapping[str, float]]
"""By metric how far one figure lies above another's, {value, low, high}."""

DRAWS = 200
MONTHS_OF_ANNUAL = 12
CAN_LEAVE = "can_leave"
_OWN = ""
_MEASURED = (
    *METRICS,
    ("observed_over_expected", observed_over_expected),
    ("calibration_error", calibration_error),
    ("calibration_slope", calibration_slopes),
)


def measured(
    outcomes: Floats, probabilities: Floats, groups: NDArray[np.object_]
) -> dict[str, Any]:
    """Give the figures of one set of held-out rows.

    Parameters
    ----------
    outcomes
        0 or 1, or NaN where unknown: such rows are left aside; shape (n,).
    probabilities
        Of the same rows.
    groups
        Their customer groups, the unit of the bootstrap.

    Returns
    -------
    rows, events, groups, base_rate; auc, average_precision, brier, log_loss,
    observed_over_expected, calibration_error and calibration_slope, each {value, low, high} with
    the 95 % bootstrap interval; brier_parts, each of them likewise. Rows of one outcome only give
    None for the figures: they cannot be computed.
    """
    return each_measured(outcomes, {"": probabilities}, groups)[""]


def each_measured(
    outcomes: Floats, probabilities: Mapping[str, Floats], groups: NDArray[np.object_]
) -> dict[str, dict[str, Any]]:
    """Give what `measured` gives of several probabilities of the same rows, by name."""
    known = np.isfinite(outcomes)
    outcome, group = outcomes[known] > 0, groups[known]
    sizes = {
        "rows": len(outcome),
        "events": int(outcome.sum()),
        "groups": len(set(group)),
        "base_rate": float(outcome.mean()) if len(outcome) else None,
    }
    if not 0 < outcome.sum() < len(outcome):
        names = [name for name, _ in _MEASURED]
        none = {**sizes, **dict.fromkeys([*names, "brier_parts"])}
        return {name: dict(none) for name in probabilities}
    drawn = Resampled.of(group, DRAWS)
    return {
        name: {
            **sizes,
            **figures_of(HeldOut(outcome, guess[None, known], group), drawn, _MEASURED),
            "brier_parts": {
                part: interval(values)
                for part, values in brier_parts(outcome, guess[known], drawn).items()
            },
        }
        for name, guess in probabilities.items()
    }


def auc_of(outcomes: Floats, probabilities: Floats) -> float | None:
    """Give the ROC AUC of the rows with a known outcome; None where they have one outcome only."""
    known = np.isfinite(outcomes)
    if len(np.unique(outcomes[known])) < 2:  # noqa: PLR2004 - there are two outcomes
        return None
    return auc(probabilities[known], outcomes[known] > 0)


def populations(rows: pd.DataFrame, horizon_days: int) -> dict[str, Booleans]:
    """Mark who is in which population.

    pooled: all. can_leave: whose contract lets them leave within the horizon, monthly ones and
    those whose signed term ends in it (or who have none). monthly: a term of a month. renewal_only:
    a longer term, at whose end alone they can leave. annual: a term of a year or more.
    """
    months = rows["term_months"].to_numpy(dtype=float, na_value=np.nan)
    ends_in = (rows["term_ends_at"] - rows["as_of"]).dt.total_seconds()
    days = ends_in.to_numpy(dtype=float, na_value=np.nan) / 86_400
    return {
        "pooled": np.full(len(rows), fill_value=True),
        CAN_LEAVE: np.isnan(days) | (months <= 1) | (days < horizon_days),
        "monthly": months <= 1,
        "renewal_only": months > 1,
        "annual": months >= MONTHS_OF_ANNUAL,
    }


def evaluation(
    rows: pd.DataFrame,
    outcomes: Mapping[int, Floats],
    probabilities: Mapping[int, Floats],
    rivals: Mapping[str, Floats],
    horizon_days: int,
    mrr_at_stake: Floats,
    economics: Economics,
) -> dict[str, Any]:
    """Give the metrics JSON: the main horizon's figures on top, then by horizon, population, rival.

    Parameters
    ----------
    rows
        Test rows with as_of, customer_group, mrr, term_ends_at and term_months.
    outcomes, probabilities
        By horizon in days, shape (n,) each; NaN is an unknown outcome.
    rivals
        The baselines' probabilities at the main horizon.
    horizon_days
        The main horizon.
    mrr_at_stake
        What each event loses or adds a month, shape (n,).
    economics
        What a call costs and wins.
    """
    groups = rows["customer_group"].to_numpy(dtype=object)
    outcome, probability = outcomes[horizon_days], probabilities[horizon_days]
    known = np.isfinite(outcome)
    pooled = each_measured(outcome, {_OWN: probability, **rivals}, groups)
    main = pooled.pop(_OWN)
    by_horizon = {
        str(days): main
        if days == horizon_days
        else measured(outcomes[days], probabilities[days], groups)
        for days in probabilities
    }
    return {
        **main,
        "horizon_days": horizon_days,
        "by_horizon": by_horizon,
        "populations": {
            name: _within(member, outcome, probability, groups, rivals if name == CAN_LEAVE else {})
            for name, member in populations(rows, horizon_days).items()
            if name != "pooled"
        }
        | {"pooled": main},
        "baselines": pooled,
        "above_baselines": above(outcome, probability, rivals, groups),
        "reliability": reliability(outcome, probability),
        "capacity": at_capacity(
            at_stake(rows, outcome, mrr_at_stake), probability[known], economics
        ),
    }


def _within(
    member: Booleans,
    outcome: Floats,
    probability: Floats,
    groups: NDArray[np.object_],
    rivals: Mapping[str, Floats],
) -> dict[str, Any]:
    """Give the figures of one population, and of the rivals in it."""
    said = {name: guess[member] for name, guess in {_OWN: probability, **rivals}.items()}
    found = each_measured(outcome[member], said, groups[member])
    return {**found.pop(_OWN), "baselines": found}


def at_stake(rows: pd.DataFrame, outcomes: Floats, mrr_at_stake: Floats) -> AtStake:
    """Keep the rows with a known outcome, with what hangs on them."""
    known = np.isfinite(outcomes)
    return AtStake(rows[known].reset_index(drop=True), outcomes[known] > 0, mrr_at_stake[known])


def above(
    outcomes: Floats,
    probabilities: Floats,
    rivals: Mapping[str, Floats],
    groups: NDArray[np.object_],
) -> Mapping[str, Paired | None]:
    """Give by rival and metric how far the figure lies above the rival's, on the same draws.

    Less is better for brier and log_loss. None where the rows have one outcome only.
    """
    known = np.isfinite(outcomes)
    outcome = outcomes[known] > 0
    if not 0 < outcome.sum() < len(outcome):
        return dict.fromkeys(rivals)
    held = HeldOut(outcome, probabilities[known][None, :], groups[known])
    guesses = {rival: guess[known][None, :] for rival, guess in rivals.items()}
    return differences(held, guesses, DRAWS)


def paired(
    outcomes: Floats, probabilities: Floats, rival: Floats, groups: NDArray[np.object_]
) -> Paired | None:
    """Give what `above` gives of one rival."""
    return above(outcomes, probabilities, {"rival": rival}, groups)["rival"]
