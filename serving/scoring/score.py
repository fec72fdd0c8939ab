"""Feature rows and models in, the contract's scores out. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.bundle import Bundle
from models.reasons import Reason, explain_by_horizon
from models.scored import COLUMNS

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
        The contract's ``scores``: one row per account, model and horizon, in that order.
        Accounts that are leaving, inactive or without data have rows too, with neither
        probability nor band; so has an active account that the table holds no row of.

    Raises
    ------
    ModelError
        If the table lacks a feature that a model was trained on.
    """
    active = states.loc[states["status"] == "active", ["account_id", "as_of", "mrr"]]
    rows = table.merge(active, on=["account_id", "as_of"], validate="one_to_one")
    others = states[~states["account_id"].isin(rows["account_id"])]
    parts = [
        part
        for name, bundle in bundles.items()
        for part in (*_scored(name, bundle, rows, reasons), *_unscored(name, bundle, others))
    ]
    scores = pd.concat(parts, ignore_index=True)
    scores["scored_at"] = pd.Timestamp(scored_at).as_unit("us")
    scores = scores.astype({"rank": "Int64", "band": "str", "status": "str", "account_id": "str"})
    order = ["account_id", "model", "horizon_days"]
    return scores.sort_values(order, ignore_index=True)[list(COLUMNS)]


def _named(name: str, bundle: Bundle, accounts: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    frame = accounts[["account_id", "as_of"]].reset_index(drop=True)
    return frame.assign(
        model=name,
        model_version=bundle.version,
        features_version=bundle.features_fingerprint,
        horizon_days=horizon_days,
    )


def _scored(name: str, bundle: Bundle, rows: pd.DataFrame, reasons: int) -> Iterator[pd.DataFrame]:
    probabilities = bundle.probabilities(rows)
    added = bundle.added_shares(rows) * rows["mrr"].to_numpy(dtype=np.float64)[:, None]
    why = explain_by_horizon(bundle, rows, reasons)
    for at, horizon_days in enumerate(bundle.question.horizons_days):
        frame = _named(name, bundle, rows, horizon_days)
        probability = probabilities[:, at]
        frame["status"] = "scored"
        frame["probability"] = probability
        frame["band"] = bundle.bands(probability, horizon_days)
        frame["rank"] = _ranks(probability, rows["account_id"].to_numpy(dtype=str))
        frame["reasons"] = _reasons(why[horizon_days])
        frame["expected_added_mrr"] = probability * added[:, at]
        yield frame


def _unscored(name: str, bundle: Bundle, states: pd.DataFrame) -> Iterator[pd.DataFrame]:
    status = states["status"].replace({"active": "no_data"}).to_numpy()
    for horizon_days in bundle.question.horizons_days:
        yield _named(name, bundle, states, horizon_days).assign(
            status=status,
            probability=np.nan,
            band=None,
            rank=None,
            reasons=_reasons([()] * len(states)),
            expected_added_mrr=np.nan,
        )


def _reasons(of_rows: Sequence[tuple[Reason, ...]]) -> pd.Series:
    return pd.Series([[reason.to_json() for reason in row] for row in of_rows], dtype=object)


def _ranks(
    probability: npt.NDArray[np.float64], account_ids: npt.NDArray[np.str_]
) -> npt.NDArray[np.int64]:
    """Rank from 1 = highest; equal probabilities stand in order of account_id."""
    order = np.lexsort((account_ids, -probability))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks
