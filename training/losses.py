"""Figures of the events themselves: how early they were seen, those not too near, by cause."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.question import Question
from training.evaluate import measured, paired
from training.heldout import Resampled

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

LATER_DAYS = 30
WATCHED_DAYS = 365
EARLY_DAYS = (30, 90)
RANKING = ("auc", "average_precision")


def days_ahead(rows: pd.DataFrame, question: Question) -> Floats:
    """Give the days to the event, of a churn to the request if that came first; NaN without one."""
    column = "lead_days" if question.outcome == "churn" else "event_days"
    return np.asarray(rows[column].to_numpy(dtype=float))


def lead_time(
    rows: pd.DataFrame, question: Question, came: Booleans, listed: Booleans
) -> dict[str, Any]:
    """Tell how long before the request or the loss, whichever came first, it was first listed.

    Parameters
    ----------
    rows
        account_id, as_of, customer_group, event_days and lead_days.
    came
        Whether the event came within the horizon, shape (n,). An event counts once, and only if
        one of the dates lies within the horizon before it: it could have been listed.
    listed
        Which rows stood on a list, shape (n,); a year before the event and more counts for nothing.

    Returns
    -------
    losses (their number), listed and listed_30d_before, listed_90d_before (shares, each
    {value, low, high}), and the quartiles of the days from the first listing, of those listed.
    """
    days = rows["event_days"].to_numpy(dtype=float)
    frame = pd.DataFrame(
        {
            "account_id": rows["account_id"].to_numpy(),
            "moment": (rows["as_of"] + pd.to_timedelta(days, unit="D")).dt.round("s").to_numpy(),
            "group": rows["customer_group"].to_numpy(),
            "came": came,
            "first": np.where(listed, days_ahead(rows, question), np.nan),
        }
    )
    by_event = frame[days <= WATCHED_DAYS].groupby(["account_id", "moment"])
    events = by_event.agg({"group": "first", "came": "max", "first": "max"})
    events = events[events["came"].astype(bool)]
    first = events["first"].to_numpy(dtype=float)
    drawn, one = Resampled.of(events["group"].to_numpy(dtype=object)), np.ones(len(events))
    found = {"losses": len(events), "listed": drawn.ratio(np.isfinite(first) * one, one)}
    for least in EARLY_DAYS:
        found[f"listed_{least}d_before"] = drawn.ratio((first >= least) * one, one)
    seen = first[np.isfinite(first)]
    quartiles = np.quantile(seen, [0.25, 0.5, 0.75]).tolist() if len(seen) else [None] * 3
    names = ("quarter_days", "median_days", "three_quarters_days")
    return found | dict(zip(names, quartiles, strict=True))


def later_losses(
    rows: pd.DataFrame, question: Question, rivals: dict[str, Floats]
) -> dict[str, Any]:
    """Give the figures of the events at least 30 days away: tomorrow's cannot be prevented.

    Rows whose event came within 30 days are left aside, and the probability is that of the event
    later within the horizon, given none in the first 30 days. Baselines know one horizon only, so
    that they are compared by rank.
    """
    days = question.main_horizon_days
    kept = ~(rows["event_days"].to_numpy(dtype=float) < LATER_DAYS)
    outcome, probability = (
        rows.loc[kept, f"{kind}__{days}d"].to_numpy(dtype=float)
        for kind in ("outcome", "probability")
    )
    if LATER_DAYS in question.horizons_days and days > LATER_DAYS:
        soon = rows.loc[kept, f"probability__{LATER_DAYS}d"].to_numpy(dtype=float)
        probability = (probability - soon) / (1 - soon)
    groups = rows.loc[kept, "customer_group"].to_numpy(dtype=object)
    above = {
        name: paired(outcome, probability, guess[kept], groups) for name, guess in rivals.items()
    }
    return {
        "from_days": LATER_DAYS,
        **measured(outcome, probability, groups),
        "above_baselines": {
            name: found and {metric: found[metric] for metric in RANKING}
            for name, found in above.items()
        },
    }


def by_cause(
    rows: pd.DataFrame, outcome: Floats, probability: Floats, listed: Booleans
) -> dict[str, Any]:
    """Give for each cause of loss the figures against the rows that stayed.

    Returns
    -------
    By end_reason ("unknown" where there is none): `training.evaluate.measured`, losses of another
    cause left aside; mean_probability of the rows that were lost so, and recall on the list.
    """
    came = outcome > 0
    cause = rows["cause"].astype(object).where(rows["cause"].notna(), "unknown").to_numpy()
    groups = rows["customer_group"].to_numpy(dtype=object)
    drawn = Resampled.of(groups)
    found = {}
    for name in sorted(set(cause[came])):
        own = came & (cause == name)
        kept = ~came | own
        found[str(name)] = {
            **measured(outcome[kept], probability[kept], groups[kept]),
            "mean_probability": float(probability[own].mean()),
            "recall": drawn.ratio(own * listed.astype(float), own.astype(float)),
        }
    return found
