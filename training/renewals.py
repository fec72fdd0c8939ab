"""Renewals: how losses lie around the ends of terms, and whether what was said came true."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.question import Question
from models.renewal import AtTermEnd, next_end, term_columns
from training.evaluate import measured
from training.heldout import Resampled
from training.reliability import reliability
from training.splits import known_days

Floats = NDArray[np.float64]

SAID = "renewal_probability"
CAME = "renewed"
_COUNTS_AS = 2
"""So many losses the whole company's share counts as, where a kind of term has few of its own."""


def at_term_end(rows: pd.DataFrame, question: Question, border: datetime) -> AtTermEnd | None:
    """Count which share of an interval's losses come on the day of the term's end.

    Only intervals with one end count, and only those that were over, with the grace, at the border.
    The share of all losses starts from one half, by the rule of succession; that of monthly terms,
    and that of longer ones, from the share of all. None for another outcome than churn.
    """
    if question.outcome != "churn":
        return None
    end = next_end(question, rows)
    starts, ends = np.array(question.intervals_days, dtype=float)[end.interval].T
    days = rows["event_days"].to_numpy(dtype=float)
    is_known = (end.interval >= 0) & (known_days(rows, border, question) >= ends)
    lost = is_known & (end.ends == 1) & (days >= starts) & (days < ends)
    on_day = lost & (days >= end.days) & (days <= end.days + 1)

    def share(of: NDArray[np.bool_], prior: float) -> float:
        return float(((on_day & of).sum() + _COUNTS_AS * prior) / ((lost & of).sum() + _COUNTS_AS))

    everybody = share(np.ones(len(rows), dtype=bool), 0.5)
    return AtTermEnd(share(end.is_monthly, everybody), share(~end.is_monthly, everybody))


def renewed(labels: pd.DataFrame) -> Floats:
    """Tell what came of each row's next renewal: 1, 0, or NaN without one and where it is unknown.

    It is known once the day of the term's end and the grace are over at the extract, whatever
    happened before.
    """
    days, _ = term_columns(labels)
    is_known = labels["observed_days"].to_numpy(dtype=float) >= days + 1
    is_lost = labels["event_days"].to_numpy(dtype=float) <= days + 1
    return np.where(is_known, (~is_lost).astype(float), np.nan)


def renewals(rows: pd.DataFrame, question: Question) -> dict[str, Any] | None:
    """Hold what was said of renewals against what came, on rows that no model learned from.

    Parameters
    ----------
    rows
        Tested rows with `SAID` and `CAME`.

    Returns
    -------
    all, by_time (to the renewal) and by_term, each with said (mean probability to renew), renewed
    (share, {value, low, high}) and the figures of `training.evaluate.measured` on the renewals that
    failed; reliability of the probability to renew, by tenths. None without a known renewal.
    """
    kept = rows[np.isfinite(rows[SAID]) & np.isfinite(rows[CAME])]
    if kept.empty:
        return None
    end = next_end(question, kept)
    by_time = {
        f"in {start} to {until} days": end.interval == at
        for at, (start, until) in enumerate(question.intervals_days)
    }
    by_term = {"a month": end.is_monthly, "longer": ~end.is_monthly}
    return {
        "all": _of(kept),
        "by_time": {name: _of(kept[part]) for name, part in by_time.items() if part.any()},
        "by_term": {name: _of(kept[part]) for name, part in by_term.items() if part.any()},
        "reliability": reliability(kept[CAME].to_numpy(dtype=float), kept[SAID].to_numpy(float)),
    }


def _of(rows: pd.DataFrame) -> dict[str, Any]:
    came, said = (rows[name].to_numpy(dtype=float) for name in (CAME, SAID))
    groups = rows["customer_group"].to_numpy(dtype=object)
    share = Resampled.of(groups).ratio(came, np.ones(len(rows)))
    return {"said": float(said.mean()), "renewed": share, **measured(1 - came, 1 - said, groups)}
