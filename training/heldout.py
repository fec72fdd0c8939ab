"""Figures on held-out rows, with bootstrap intervals over groups, and paired differences."""

from collections.abc import Callable, Mapping, Sequence
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
    at = _at_events(outcome, probability, weights)
    below = at.negative_below + at.negative / 2
    pairs = at.positives * at.negatives
    return np.asarray((at.positive * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def average_precision(outcome: NDArray[np.bool_], probability: Floats, weights: Floats) -> Floats:
    """Average precision under each row of weights: precision averaged over the steps of recall."""
    at = _at_events(outcome, probability, weights)
    total = at.positives[:, None]
    caught = total - at.positive_below
    listed = caught + at.negatives[:, None] - at.negative_below
    precision = np.divide(caught, listed, out=np.zeros_like(caught), where=listed > 0)
    steps = (at.positive * precision).sum(axis=1)
    return np.asarray(steps / np.where(at.positives > 0, at.positives, np.nan))


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


def figures(
    held: HeldOut, draws: int = 400, metrics: Sequence[tuple[str, Metric]] = METRICS
) -> dict[str, dict[str, float]]:
    """Each metric as {value, low, high}: the 95 % bootstrap interval over groups."""
    weights = _weights(held.groups, draws)
    return {name: interval(_repeated(metric, held, weights)) for name, metric in metrics}


def figure(metric: Metric, held: HeldOut, draws: int = 400) -> dict[str, float]:
    """One metric as {value, low, high}."""
    return interval(_repeated(metric, held, _weights(held.groups, draws)))


def difference(
    held: HeldOut, rival: Floats, metric: Metric = auc, draws: int = 1000
) -> Mapping[str, float]:
    """How far `held` lies above a rival's predictions (repeats, n) of the same rows.

    Both are measured on the same resampled groups, so what makes a draw easy or hard for both
    cancels out.
    """
    weights = _weights(held.groups, draws)
    other = HeldOut(held.outcome, rival, held.groups)
    return interval(_repeated(metric, held, weights) - _repeated(metric, other, weights))


def differences(
    held: HeldOut, rivals: Mapping[str, Floats], draws: int = 400
) -> dict[str, dict[str, dict[str, float]]]:
    """How far `held` lies above each rival's predictions in each metric, on the same draws."""
    weights = _weights(held.groups, draws)
    own = {name: _repeated(metric, held, weights) for name, metric in METRICS}
    others = {rival: HeldOut(held.outcome, guess, held.groups) for rival, guess in rivals.items()}
    return {
        rival: {
            name: interval(own[name] - _repeated(metric, other, weights))
            for name, metric in METRICS
        }
        for rival, other in others.items()
    }


def standard_error(difference: Floats, groups: NDArray[np.object_]) -> float:
    """Give the standard error of a mean over rows that stand in groups of one customer each."""
    _, at = np.unique(groups.astype(str), return_inverse=True)
    sums = np.bincount(at, weights=difference - difference.mean())
    return float(np.sqrt((sums**2).sum()) / len(difference))


@dataclass(frozen=True)
class Resampled:
    """Ratios of sums over rows, with intervals over groups: sums are taken by group once.

    Attributes
    ----------
    at
        Number of each row's group, shape (n,).
    draws
        How often each group was drawn, shape (1 + draws, groups); the first is once each.
    """

    at: NDArray[np.intp]
    draws: Floats

    @classmethod
    def of(cls, groups: NDArray[np.object_], draws: int = 200) -> "Resampled":
        """Draw groups with replacement."""
        names, at = np.unique(groups.astype(str), return_inverse=True)
        return cls(at, np.vstack([np.ones(len(names)), _drawn(len(names), draws)]))

    def ratio(self, top: Floats, bottom: Floats) -> dict[str, float] | None:
        """One sum over another as {value, low, high}; None where the lower one is 0."""
        return self._told(self._sums(top), self._sums(bottom))

    def ratio_of_ratios(
        self, upper: tuple[Floats, Floats], lower: tuple[Floats, Floats]
    ) -> dict[str, float] | None:
        """One ratio of sums over another, each as (top, bottom)."""
        (top, bottom), (base, of) = (tuple(map(self._sums, pair)) for pair in (upper, lower))
        return self._told(top * of, bottom * base)

    def _sums(self, values: Floats) -> Floats:
        return np.asarray(self.draws @ np.bincount(self.at, weights=values))

    def _told(self, top: Floats, bottom: Floats) -> dict[str, float] | None:
        if not bottom[0]:
            return None
        shares = np.full(len(top), np.nan)
        return interval(np.divide(top, bottom, out=shares, where=bottom != 0))


def _weights(groups: NDArray[np.object_], draws: int) -> Floats:
    """Row weights (1 + draws, n): the rows as they are, then groups drawn with replacement."""
    names, at = np.unique(groups.astype(str), return_inverse=True)
    return np.vstack([np.ones(len(groups)), _drawn(len(names), draws)[:, at]])


def _drawn(groups: int, draws: int) -> NDArray[np.int64]:
    """How often each of the groups was drawn, shape (draws, groups); always the same draws."""
    if groups == 0:
        return np.zeros((draws, 0), dtype=np.int64)
    rng = np.random.default_rng(0)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)


def _repeated(metric: Metric, held: HeldOut, weights: Floats) -> Floats:
    by_repeat = [metric(held.outcome, each, weights) for each in held.probabilities]
    return np.asarray(np.mean(by_repeat, axis=0))


def interval(values: Floats) -> dict[str, float]:
    """Give the first of the values as it is, and between which the others lie at 95 %."""
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


@dataclass(frozen=True)
class _AtEvents:
    """Weights at and below each distinct probability that an event was given, lowest first.

    Attributes
    ----------
    positive, negative
        Weight at it of rows with the event and without, shape (draws, values).
    positive_below, negative_below
        Weight below it.
    positives, negatives
        Weight in all, shape (draws,).
    """

    positive: Floats
    negative: Floats
    positive_below: Floats
    negative_below: Floats
    positives: Floats
    negatives: Floats


def _at_events(outcome: NDArray[np.bool_], probability: Floats, weights: Floats) -> _AtEvents:
    """Sum weights up to the probabilities of events: the others add nothing to AUC or precision."""
    order = np.argsort(probability, kind="stable")
    events = order[outcome[order]]
    values = np.unique(probability[events])
    every, first, last = _running(probability, weights, order, values)
    came, event_first, event_last = _running(probability, weights, events, values)
    positive = came[:, event_last] - came[:, event_first]
    return _AtEvents(
        positive=positive,
        negative=every[:, last] - every[:, first] - positive,
        positive_below=came[:, event_first],
        negative_below=every[:, first] - came[:, event_first],
        positives=came[:, -1],
        negatives=every[:, -1] - came[:, -1],
    )


def _running(
    probability: Floats, weights: Floats, order: NDArray[np.intp], values: Floats
) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Give running sums of weights over ordered rows, and where each value begins and ends."""
    sums = np.zeros((len(weights), len(order) + 1))
    np.cumsum(weights[:, order], axis=1, out=sums[:, 1:])
    ranked = probability[order]
    return sums, np.searchsorted(ranked, values), np.searchsorted(ranked, values, side="right")
