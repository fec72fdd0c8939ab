"""From labelled feature rows to a calibrated bundle, with nothing learned after the border."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from features.errors import TooLittleDataError
from models.bundle import Bundle
from models.calibration import Calibration, identity
from models.intervals import at_risk, happened_in
from models.linear import Linear
from models.question import Question
from training.amount import amount_of
from training.calibrate import calibrate
from training.fit import LinearParams, Params, fit_hazard, hazard_rows
from training.fit_linear import fit_linear
from training.next_product import next_products_of
from training.peers import peers_of
from training.renewals import at_term_end
from training.splits import Split, known_days, outcome_known_by

FEWEST_GROUPS_AT_A_HORIZON = 10
ENOUGH_TO_ANCHOR = 40_000
"""Rows on which as many events shall be expected as came."""
_SEED = 7


@dataclass(frozen=True)
class FeatureList:
    """Which features a model takes, and what is known of them."""

    names: tuple[str, ...]
    catalogue: tuple[Mapping[str, Any], ...]
    fingerprint: str


def answerable(rows: pd.DataFrame, question: Question, border: datetime) -> Question:
    """Give the question with only those horizons that the rows before a border bear out.

    Raises
    ------
    TooLittleDataError
        With fewer customers with an event within the main horizon than the question asks for.
    """
    groups = {days: event_groups(rows, days, border, question) for days in question.horizons_days}
    found = groups[question.main_horizon_days]
    if found < question.fewest_event_accounts:
        raise TooLittleDataError(
            f"Expected at least {question.fewest_event_accounts} customers with {question.name} "
            f"within {question.main_horizon_days} days, known by {border:%Y-%m-%d}, got {found}. "
            "Bring a longer history or more accounts."
        )
    kept = tuple(
        days
        for days in question.horizons_days
        if days <= question.main_horizon_days or groups[days] >= FEWEST_GROUPS_AT_A_HORIZON
    )
    return replace(question, horizons_days=kept)


def event_groups(
    rows: pd.DataFrame, horizon_days: int, border: datetime, question: Question
) -> int:
    """Count the customers with the event within a horizon, as known at a border."""
    came = outcome_known_by(rows, horizon_days, border, question) == 1
    return int(rows.loc[came, "customer_group"].nunique())


def fit_bundle(
    rows: pd.DataFrame,
    question: Question,
    features: FeatureList,
    split: Split,
    params: Params,
) -> Bundle:
    """Fit on the first slice, calibrate on the second, fit again on both.

    The slope is kept over the second fit: it corrects how bold such a booster is on later rows, and
    the second fit has the younger rows to learn from (as scikit-learn's CalibratedClassifierCV does
    with ``ensemble=False``). No row of either lies beyond the border.

    Parameters
    ----------
    rows
        Features, states and labels; one row per account and date.
    split
        Its `test_from` is the border.
    """
    borders = (split.test_from, split.calibration_from)[: 1 + split.has_calibration]

    def fit(border: datetime) -> Bundle:
        return _uncalibrated(rows, question, features, border, params)

    # Matrices are multiplied on one thread: sums in another order end in other bits.
    with threadpool_limits(limits=1, user_api="blas"):
        # LightGBM releases the interpreter's lock, so that the two fits share the cores.
        with ThreadPoolExecutor(max_workers=len(borders)) as pool:
            final, *early = pool.map(fit, borders)
        found = replace(
            final,
            calibration=_calibration(final, early[0], rows, split) if early else final.calibration,
            base_rates=base_rates(rows, question, split.test_from),
            at_term_end=at_term_end(rows, question, split.test_from),
            amount=amount_of(rows, question, features.names, split.test_from),
            next_products=next_products_of(rows, question, split.test_from),
            peers=peers_of(rows, features.names, split.test_from),
        )
    return found.with_version(found.digest[:12])


def _uncalibrated(
    rows: pd.DataFrame,
    question: Question,
    features: FeatureList,
    border: datetime,
    params: Params,
) -> Bundle:
    text, linear = _fitted(rows, question, features, border, params)
    return Bundle(
        question=question,
        features=features.names,
        catalogue=features.catalogue,
        features_fingerprint=features.fingerprint,
        booster_text=text,
        linear=linear,
        calibration=identity(len(question.horizons_days)),
        base_rates=MappingProxyType({}),
        version="",
        trained_at=datetime.now(UTC).replace(tzinfo=None, microsecond=0),
        as_of_range=(rows["as_of"].min().date(), border.date()),
    )


def _fitted(
    rows: pd.DataFrame,
    question: Question,
    features: FeatureList,
    border: datetime,
    params: Params,
) -> tuple[str, Linear | None]:
    """Give a booster's text, or no text and a linear model."""
    if isinstance(params, LinearParams):
        return "", fit_linear(hazard_rows(rows, question, features.names, border, params), params)
    held = directions(features, question)
    return fit_hazard(rows, question, features.names, border, params, held), None


def directions(features: FeatureList, question: Question) -> Mapping[str, int]:
    """Give 1 or -1 by feature that declares which way a loss is likelier; nothing but for churn.

    What makes a loss likelier makes growth neither likelier nor less likely by that alone.
    """
    if question.outcome != "churn":
        return MappingProxyType({})
    signs = {"up": 1, "down": -1}
    return MappingProxyType(
        {
            entry["column"]: signs[entry["risk"]]
            for entry in features.catalogue
            if entry.get("risk") in signs
        }
    )


def _calibration(final: Bundle, early: Bundle, rows: pd.DataFrame, split: Split) -> Calibration:
    """Find the slope on rows new to the early fit, and the intercepts on the final fit's own.

    The intercepts of the early fit would count twice what only the later years were like.
    """
    later = rows[split.is_calibration(rows["as_of"])]
    slope = calibrate(*_known_outcomes(early, later, split.test_from)).slope
    own = rows[rows["as_of"] < split.test_from]
    own = own.sample(min(len(own), ENOUGH_TO_ANCHOR), random_state=_SEED)
    return calibrate(*_known_outcomes(final, own, split.test_from), slope=slope)


def _known_outcomes(
    bundle: Bundle, rows: pd.DataFrame, border: datetime
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Give raw log odds, what is known at the border, and what came; each (n, intervals)."""
    question = bundle.question
    event_days = rows["event_days"].to_numpy(dtype=float)
    counts = at_risk(question, event_days, known_days(rows, border, question))
    return bundle.raw_log_odds(rows), counts, happened_in(question, event_days)


def base_rates(rows: pd.DataFrame, question: Question, border: datetime) -> Mapping[int, float]:
    """Give the share of rows with the event within each horizon, among those known at a border."""
    return MappingProxyType(
        {
            days: float(np.nanmean(outcome_known_by(rows, days, border, question)))
            for days in question.horizons_days
        }
    )


def feature_list(
    names: Sequence[str], catalogue: Sequence[Mapping[str, Any]], fingerprint: str
) -> FeatureList:
    """Keep the catalogue's entries of the named columns, in the columns' order."""
    by_column = {entry["column"]: entry for entry in catalogue}
    entries = tuple(by_column[name] for name in names if name in by_column)
    return FeatureList(tuple(names), entries, fingerprint)
