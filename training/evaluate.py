"""Figures of held-out probabilities: by horizon, by population, against baselines, at capacity."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.calibrate import logistic_map
from training.heldout import METRICS, HeldOut, auc, difference, figure, figures

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

DRAWS = 200
BINS = 10
CAPACITIES = (0.05, 0.10, 0.20)
MONTHS_OF_ANNUAL = 12
CAN_LEAVE = "can_leave"
_SMALLEST = 1e-6


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
    rows, events, groups, auc, average_precision, brier, log_loss and observed_over_expected, each
    {value, low, high} with the 95 % bootstrap interval, and calibration_slope. Rows of one outcome
    only give None for the figures: they cannot be computed.
    """
    known = np.isfinite(outcomes)
    outcome, probability, group = outcomes[known] > 0, probabilities[known], groups[known]
    sizes = {"rows": len(outcome), "events": int(outcome.sum()), "groups": len(set(group))}
    names = (*(name for name, _ in METRICS), "observed_over_expected", "calibration_slope")
    if not 0 < outcome.sum() < len(outcome):
        return {**sizes, **dict.fromkeys(names)}
    held = HeldOut(outcome, probability[None, :], group)
    return {
        **sizes,
        **figures(held, DRAWS),
        "observed_over_expected": figure(observed_over_expected, held, DRAWS),
        "calibration_slope": calibration_slope(outcome.astype(float), probability),
    }


def auc_of(outcomes: Floats, probabilities: Floats) -> float | None:
    """Give the ROC AUC of the rows with a known outcome; None where they have one outcome only."""
    known = np.isfinite(outcomes)
    if len(np.unique(outcomes[known])) < 2:  # noqa: PLR2004 - there are two outcomes
        return None
    return float(auc(outcomes[known] > 0, probabilities[known], np.ones((1, known.sum())))[0])


def observed_over_expected(outcome: Booleans, probability: Floats, weights: Floats) -> Floats:
    """Events over the sum of the probabilities, under each row of weights (draws, n)."""
    return np.asarray((weights @ outcome) / (weights @ probability))


def calibration_slope(outcomes: Floats, probabilities: Floats) -> float:
    """Slope of the outcomes on the log odds (Cox 1958): 1 is right, below is too bold."""
    kept = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    log_odds = np.log(kept / (1 - kept))
    if np.ptp(log_odds) == 0:
        return 0.0
    design = np.stack([np.ones(len(kept)), log_odds], axis=1)
    return float(logistic_map(design, outcomes, np.zeros(2), np.full(2, _SMALLEST))[1])


def reliability(outcomes: Floats, probabilities: Floats) -> list[dict[str, float]]:
    """Give ten bins of equally many rows, from low to high: rows, mean predicted, observed."""
    known = np.isfinite(outcomes)
    order = np.argsort(probabilities[known], kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return [
        {
            "rows": len(part),
            "predicted": float(probabilities[known][part].mean()),
            "observed": float(outcomes[known][part].mean()),
        }
        for part in bins
    ]


def at_capacity(
    rows: pd.DataFrame, outcomes: Floats, probabilities: Floats
) -> list[dict[str, float | None]]:
    """Give what a team finds that can call a share of the accounts on each date.

    Returns
    -------
    For each share: precision, recall and lift over the base rate, over all dates, and the median
    lead_days of the losses found (None without one).
    """
    known = np.isfinite(outcomes)
    frame = pd.DataFrame(
        {
            "place": -probabilities[known],
            "as_of": rows.loc[known, "as_of"].to_numpy(),
            "outcome": outcomes[known],
            "lead_days": rows.loc[known, "lead_days"].to_numpy(dtype=float),
        }
    )
    place = frame.groupby("as_of")["place"].rank(method="first", pct=True)
    return [_listed(frame, np.asarray(place <= share), share) for share in CAPACITIES]


def _listed(frame: pd.DataFrame, listed: Booleans, share: float) -> dict[str, float | None]:
    found = frame[listed]
    events = frame["outcome"].sum()
    precision = float(found["outcome"].mean()) if len(found) else float("nan")
    lead = found.loc[found["outcome"] > 0, "lead_days"].median()
    figures_ = {
        "share": share,
        "precision": precision,
        "recall": float(found["outcome"].sum() / events) if events else float("nan"),
        "lift": precision / float(frame["outcome"].mean()) if events else float("nan"),
        "median_lead_days": float(lead),
    }
    return {name: value if np.isfinite(value) else None for name, value in figures_.items()}


def populations(rows: pd.DataFrame, horizon_days: int) -> dict[str, Booleans]:
    """Mark who is in which population.

    pooled: all. can_leave: whose contract lets them leave within the horizon, monthly ones and
    those whose signed term ends in it (or who have none). annual: a term of a year or more.
    """
    months = rows["term_months"].to_numpy(dtype=float, na_value=np.nan)
    ends_in = (rows["term_ends_at"] - rows["as_of"]).dt.total_seconds()
    days = ends_in.to_numpy(dtype=float, na_value=np.nan) / 86_400
    return {
        "pooled": np.full(len(rows), fill_value=True),
        CAN_LEAVE: np.isnan(days) | (months <= 1) | (days < horizon_days),
        "annual": months >= MONTHS_OF_ANNUAL,
    }


def evaluation(
    rows: pd.DataFrame,
    outcomes: Mapping[int, Floats],
    probabilities: Mapping[int, Floats],
    rivals: Mapping[str, Floats],
    horizon_days: int,
) -> dict[str, Any]:
    """Give the metrics JSON: the main horizon's figures on top, then by horizon, population, rival.

    Parameters
    ----------
    rows
        Test rows with as_of, customer_group, term_ends_at, term_months and lead_days.
    outcomes, probabilities
        By horizon in days, shape (n,) each; NaN is an unknown outcome.
    rivals
        The baselines' probabilities at the main horizon.
    horizon_days
        The main horizon.
    """
    groups = rows["customer_group"].to_numpy(dtype=object)
    outcome, probability = outcomes[horizon_days], probabilities[horizon_days]
    main = measured(outcome, probability, groups)
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
        "baselines": {rival: measured(outcome, guess, groups) for rival, guess in rivals.items()},
        "above_baselines": {
            rival: _above(outcome, probability, guess, groups) for rival, guess in rivals.items()
        },
        "reliability": reliability(outcome, probability),
        "capacity": at_capacity(rows, outcome, probability),
    }


def _within(
    member: Booleans,
    outcome: Floats,
    probability: Floats,
    groups: NDArray[np.object_],
    rivals: Mapping[str, Floats],
) -> dict[str, Any]:
    """Give the figures of one population, and of the rivals in it."""
    return {
        **measured(outcome[member], probability[member], groups[member]),
        "baselines": {
            rival: measured(outcome[member], guess[member], groups[member])
            for rival, guess in rivals.items()
        },
    }


def _above(
    outcomes: Floats, probabilities: Floats, rival: Floats, groups: NDArray[np.object_]
) -> Mapping[str, float] | None:
    """Give how much AUC lies above a rival's, on the same resampled groups."""
    known = np.isfinite(outcomes)
    outcome = outcomes[known] > 0
    if not 0 < outcome.sum() < len(outcome):
        return None
    held = HeldOut(outcome, probabilities[known][None, :], groups[known])
    return difference(held, rival[known][None, :], draws=DRAWS)
