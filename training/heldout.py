"""Figures on held-out rows, with bootstrap intervals over groups, and paired differences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[NDArray[np.bool_], Floats, Floats], Floats]

SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1 in the log loss."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions for rows that the model had not seen.

    Attributes
    ----------
    outcome
        Shape (n,), whether the event came; all are known.
    probabilities
        Shape (repeats, n): one full set of predictions per repeat of the cross-validation, one
        alone for a split in time. A figure is the mean over the repeats.
    groups
        Shape (n,), the unit that is resampled: the customer group, or the row itself.
    """

    outcome: NDArray[np.bool_]
    probabilities: Floats
    groups: NDArray[np.object_]


def auc(outcome: NDArray[np.bool_], probability: Floats, weights: Floats) -> Floats:
    """ROC AUC under each row of weights (draws, n); ties count one half."""
    positive, negative = _by_value(outcome, probability, weights)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return np.asarray((positive * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def average_precision(outcome: NDArray[np.bool_], probability: Floats, weights: Floats) -> Floats:
    """Average precision under each row of weights: precision averaged over the steps of recall."""
    positive, negative = (side[:, ::-1] for side in _by_value(outcome, probability, weights))
    caught = np.cumsum(positive, axis=1)
    listed = caught + np.cumsum(negative, axis=1)
    precision = np.divide(caught, listed, out=np.zeros_like(caught), where=listed > 0)
    total = positive.sum(axis=1)
    return np.asarray((positive * precision).sum(axis=1) / np.where(total > 0, total, np.nan))


def brier(outcome: NDArray[np.bool_], probability: Floats, weights: Floats) -> Floats:
    """Mean squared error of the probabilities under each row of weights."""
    return np.asarray(weights @ (probability - outcome) ** 2 / weights.sum(axis=1))


def log_loss(outcome: NDArray[np.bool_], probability: Floats, weights: Floats) -> Floats:
    """Mean negative log likelihood under each row of weights, in nats."""
    kept = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return np.asarray(weights @ -np.log(np.where(outcome, kept, 1 - kept)) / weights.sum(axis=1))


METRICS: tuple[tuple[str, Metric], ...] = (
    ("auc", auc),
    ("average_precision", average_precision),
    ("brier", brier),
    ("log_loss", log_loss),
)


def figures(held: HeldOut, draws: int = 400) -> dict[str, dict[str, float]]:
    """Each metric as {value, low, high}: the 95 % bootstrap interval over groups."""
    weights = _weights(held.groups, draws)
    return {name: _interval(_repeated(metric, held, weights)) for name, metric in METRICS}


def figure(metric: Metric, held: HeldOut, draws: int = 400) -> dict[str, float]:
    """One metric as {value, low, high}."""
    return _interval(_repeated(metric, held, _weights(held.groups, draws)))


def difference(
    held: HeldOut, rival: Floats, metric: Metric = auc, draws: int = 1000
) -> Mapping[str, float]:
    """How far `held` lies above a rival's predictions (repeats, n) of the same rows.

    Both are measured on the same resampled groups, so what makes a draw easy or hard for both
    cancels out.
    """
    weights = _weights(held.groups, draws)
    other = HeldOut(held.outcome, rival, held.groups)
    return _interval(_repeated(metric, held, weights) - _repeated(metric, other, weights))


def _weights(groups: NDArray[np.object_], draws: int) -> Floats:
    """Row weights (1 + draws, n): the rows as they are, then groups drawn with replacement."""
    names, at = np.unique(groups.astype(str), return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=draws
    )
    return np.vstack([np.ones(len(groups)), drawn[:, at]])


def _repeated(metric: Metric, held: HeldOut, weights: Floats) -> Floats:
    by_repeat = [metric(held.outcome, each, weights) for each in held.probabilities]
    return np.asarray(np.mean(by_repeat, axis=0))


def _interval(values: Floats) -> dict[str, float]:
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def _by_value(
    outcome: NDArray[np.bool_], probability: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Weight of positives and negatives at each distinct probability, lowest first."""
    order = np.argsort(probability, kind="stable")
    starts = np.flatnonzero(np.diff(probability[order], prepend=-np.inf) > 0)
    ordered, hit = weights[:, order], outcome[order]
    positive = np.add.reduceat(ordered * hit, starts, axis=1)
    return positive, np.add.reduceat(ordered, starts, axis=1) - positive
