"""How much an expansion adds, learned from those that were known at a border.

A share of the MRR at ``as_of``: the mean one, or one by account from a regression of its logarithm
whose weights a normal prior draws to 0, and so its answer to the mean. The mean stands where the
regression told later expansions worse in the past of the very company, and where few are known.
Boosted trees take the place of either where they told those clearly better.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.amount import Amount, ByHorizon, Judged, Shape
from models.cells import feature_matrix
from models.linear import Linear, standardised
from models.question import Question
from models.trees import Trees
from training.fit import BoosterParams, fit_booster
from training.fit_linear import placed
from training.heldout import standard_error
from training.splits import origins, outcome_known_by

Floats = NDArray[np.float64]

SPREAD = 0.3
"""The features together may move the logarithm of the share by so much, before anything is seen."""

FEWEST_GROUPS = 20
"""With fewer customers known to have expanded before a past border it compares nothing."""

FOLDS = 4
"""At how many past borders the ways are compared."""

TREES = BoosterParams(
    trees=60, learning_rate=0.05, leaves=7, rows_in_leaf=20, row_share=1.0, bins=255
)
"""How trees are fitted: there are far fewer expansions than rows."""

MOST_ROWS = 20_000
"""Of more expansions the latest so many are learned from."""

_LEAST_NOISE = 1e-6

_Told = TypeVar("_Told", Shape, Trees)


def amount_of(
    rows: pd.DataFrame, question: Question, features: Sequence[str], border: datetime
) -> Amount | None:
    """Learn what an expansion adds from what was known at a border; None for another outcome.

    Parameters
    ----------
    rows
        Features, mrr and the labels of `training.labels.label`; one row per account and date.
    """
    if question.outcome != "expansion":
        return None
    judged = judge(rows, question, features, border)
    told: Shape | Trees | None = None
    if judged is not None and judged.way == "by trees":
        told = trees_of(rows, question, features, border)
    elif judged is not None and judged.way == "by account":
        told = shape_of(rows, question, features, border)
    return Amount(mean_shares(rows, question, border), told, judged)


def added(rows: pd.DataFrame, horizon_days: int) -> Floats:
    """Give the share of its MRR that each row added by a horizon, shape (n,); 0 where it lost.

    What an account that expanded has lost again by then is for churn and contraction to tell.
    """
    return np.asarray(np.maximum(rows[f"mrr_change__{horizon_days}d"].to_numpy(dtype=float), 0))


def mean_shares(rows: pd.DataFrame, question: Question, border: datetime) -> ByHorizon:
    """Give, by horizon, the MRR added over the MRR of the rows that expanded within it.

    A horizon within which none is known to have expanded is left out.
    """
    hits = _hits(rows, question, border)
    return MappingProxyType(
        {days: _level(hit, days, np.ones(len(hit))) for days, hit in hits.items()}
    )


def shape_of(
    rows: pd.DataFrame, question: Question, features: Sequence[str], border: datetime
) -> Shape:
    """Fit the logarithm of the share by account, on expansions within the main horizon.

    Each expansion counts once, however many dates saw it come.
    """
    hits = _hits(rows, question, border)
    shape = _unlevelled(hits[question.main_horizon_days], question, features)
    return _levelled(shape, hits, question, features)


def trees_of(
    rows: pd.DataFrame, question: Question, features: Sequence[str], border: datetime
) -> Trees:
    """Fit the share by boosted trees, with the deviance of a gamma distribution as loss.

    Each expansion within the main horizon counts once, as in `shape_of`.
    """
    hits = _hits(rows, question, border)
    trees = _grown(hits[question.main_horizon_days], question, features)
    return _levelled(trees, hits, question, features)


def judge(
    rows: pd.DataFrame, question: Question, features: Sequence[str], border: datetime
) -> Judged | None:
    """Compare the ways at past borders, on expansions that came later; None with too few.

    Nothing is looked at that was not known at `border`.
    """
    folds = list(_compared(rows, question, features, border))
    if not folds:
        return None
    mean, by_account, by_trees = (np.concatenate([fold[at] for fold in folds]) for at in range(3))
    groups = np.concatenate([fold[3] for fold in folds])
    error = standard_error(mean - by_account, groups)
    found = Judged(len(mean), float(mean.mean()), float(by_account.mean()), error)
    standing = mean if found.is_worse_by_account else by_account
    apart = standard_error(standing - by_trees, groups)
    return replace(found, by_trees=float(by_trees.mean()), trees_error=apart)


def deviance(came: Floats, said: Floats) -> Floats:
    """Poisson deviance of each amount: 2 (y ln(y / m) - y + m), least at the conditional mean."""
    ratio = np.where(came > 0, came, said) / said
    return np.asarray(2 * (came * np.log(ratio) - came + said))


def _compared(
    rows: pd.DataFrame, question: Question, features: Sequence[str], border: datetime
) -> Iterator[tuple[Floats, Floats, Floats, NDArray[np.object_]]]:
    """Give by past border the deviance of later expansions, by each way, and their customers."""
    days = question.main_horizon_days
    hit = _expanded(rows, days, border, question)
    dates = [stamp.to_pydatetime() for stamp in sorted(rows["as_of"].unique()) if stamp < border]
    for split in origins(dates, border, question, FOLDS) if dates else ():
        before = _expanded(hit, days, split.test_from, question)
        later = hit[split.is_test(hit["as_of"])]
        grew = before.loc[added(before, days) > 0, "customer_group"].nunique()
        if grew < FEWEST_GROUPS or later.empty:
            continue
        cells, asked = (feature_matrix(p, features, {}, question.name) for p in (before, later))
        came, mean = added(later, days), _level(before, days, np.ones(len(before)))
        by_account, by_trees = (
            _level(before, days, told.factors(cells)) * told.factors(asked)
            for told in (
                _unlevelled(before, question, features),
                _grown(before, question, features),
            )
        )
        yield (
            deviance(came, np.full(len(came), mean)),
            deviance(came, by_account),
            deviance(came, by_trees),
            later["customer_group"].to_numpy(dtype=object),
        )


def _unlevelled(hit: pd.DataFrame, question: Question, features: Sequence[str]) -> Shape:
    cells, shares, counts = _grew(hit, question, features)
    weights = _ridge(cells, np.log(shares), counts)
    sums = weights.effects(cells).sum(axis=1)
    return Shape(weights, float(sums.min()), float(sums.max()), MappingProxyType({}))


def _grown(hit: pd.DataFrame, question: Question, features: Sequence[str]) -> Trees:
    cells, shares, counts = _grew(hit, question, features)
    text = fit_booster(cells, shares, features, TREES, weights=counts, objective="gamma")
    return Trees(text, MappingProxyType({}))


def _grew(
    hit: pd.DataFrame, question: Question, features: Sequence[str]
) -> tuple[NDArray[np.float32], Floats, Floats]:
    """Give cells and shares of the latest that still had more by the main horizon, and weights."""
    hit = hit[added(hit, question.main_horizon_days) > 0].tail(MOST_ROWS)
    cells = feature_matrix(hit, features, {}, question.name)
    return cells, added(hit, question.main_horizon_days), _each_once(hit)


def _levelled(
    told: _Told, hits: Mapping[int, pd.DataFrame], question: Question, features: Sequence[str]
) -> _Told:
    levels = {
        days: _level(hit, days, told.factors(feature_matrix(hit, features, {}, question.name)))
        for days, hit in hits.items()
    }
    return replace(told, levels=MappingProxyType(levels))


def _hits(rows: pd.DataFrame, question: Question, border: datetime) -> dict[int, pd.DataFrame]:
    """Give by horizon the rows that are known to have expanded within it, where there are any."""
    found = {days: _expanded(rows, days, border, question) for days in question.horizons_days}
    return {days: hit for days, hit in found.items() if len(hit)}


def _expanded(
    rows: pd.DataFrame, horizon_days: int, border: datetime, question: Question
) -> pd.DataFrame:
    hit: pd.DataFrame = rows[outcome_known_by(rows, horizon_days, border, question) == 1]
    return hit


def _level(hit: pd.DataFrame, days: int, factors: Floats) -> float:
    """Give the MRR added over the sum of MRR times factor, so that both add up."""
    mrr = hit["mrr"].to_numpy(dtype=float)
    return float((added(hit, days) * mrr).sum() / (factors * mrr).sum())


def _each_once(hit: pd.DataFrame) -> Floats:
    """Weigh rows so that those which see the same expansion count as one together."""
    moment = hit["as_of"] + pd.to_timedelta(hit["event_days"], unit="D")
    seen = pd.DataFrame({"account_id": hit["account_id"], "moment": moment.dt.round("s")})
    return (1.0 / seen.groupby(["account_id", "moment"])["moment"].transform("size")).to_numpy()


def _ridge(cells: NDArray[np.float32], logs: Floats, weights: Floats) -> Linear:
    """Fit a weighted ridge regression, its prior as strong as `SPREAD` says; no intercept."""
    missing = np.isnan(cells)
    absent_shares = weights @ missing / weights.sum()
    centres, spreads = placed(cells, weights[:, None] * ~missing)
    parts = np.hstack([standardised(cells, centres, spreads), missing - absent_shares])
    centred = logs - weights @ logs / weights.sum()
    noise = weights @ centred**2 / weights.sum()
    strength = max(noise, _LEAST_NOISE) * max(cells.shape[1], 1) / SPREAD**2
    means = weights @ parts / weights.sum()
    gram = (parts - means).T @ (weights[:, None] * (parts - means))
    pull = (parts - means).T @ (weights * centred)
    found = np.linalg.solve(gram + strength * np.eye(len(gram)), pull)
    width = cells.shape[1]
    per_column = (centres, spreads, found[:width], found[width:], absent_shares)
    return Linear(0.0, *(tuple(map(float, each)) for each in per_column))
