"""Figures on held-out rows, with bootstrap intervals over groups, and paired differences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1 in the log loss."""

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


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

    outcome: Booleans
    probabilities: Floats
    groups: NDArray[np.object_]


@dataclass(frozen=True)
class Resampled:
    """Groups drawn with replacement: sums over rows are taken by group once, then by draw.

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
        """Draw groups; always the same draws of as many groups."""
        names, at = np.unique(groups.astype(str), return_inverse=True)
        return cls(at, np.vstack([np.ones(len(names)), _drawn(len(names), draws)]))

    def sums(self, values: Floats) -> Floats:
        """Sum a value of each row in each draw, shape (1 + draws,)."""
        groups = self.draws.shape[1]
        return np.asarray(self.draws @ np.bincount(self.at, weights=values, minlength=groups))

    def sums_by(self, values: Floats, parts: NDArray[np.intp], count: int) -> Floats:
        """Sum by part of the rows, numbered from 0, in each draw, shape (1 + draws, count)."""
        by_group = csr_matrix((values, (parts, self.at)), shape=(count, self.draws.shape[1]))
        return np.ascontiguousarray((by_group @ self._by_group).T)

    @cached_property
    def _by_group(self) -> Floats:
        return np.ascontiguousarray(self.draws.T)

    def means(self, values: Floats) -> Floats:
        """Average a value of each row in each draw, shape (1 + draws,)."""
        return np.asarray(self.sums(values) / self.sums(np.ones(len(values))))

    def ratio(self, top: Floats, bottom: Floats) -> dict[str, float] | None:
        """One sum over another as {value, low, high}; None where the lower one is 0."""
        return self._told(self.sums(top), self.sums(bottom))

    def ratio_of_ratios(
        self, upper: tuple[Floats, Floats], lower: tuple[Floats, Floats]
    ) -> dict[str, float] | None:
        """One ratio of sums over another, each as (top, bottom)."""
        (top, bottom), (base, of) = (tuple(map(self.sums, pair)) for pair in (upper, lower))
        return self._told(top * of, bottom * base)

    def _told(self, top: Floats, bottom: Floats) -> dict[str, float] | None:
        if not bottom[0]:
            return None
        shares = np.full(len(top), np.nan)
        return interval(np.divide(top, bottom, out=shares, where=bottom != 0))


def auc(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """ROC AUC in each draw, shape (draws,); ties count one half."""
    at = _at_events(outcome, probability, drawn)
    below = at.negative_below + at.negative / 2
    pairs = at.positives * at.negatives
    return np.asarray((at.positive * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def average_precision(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """Average precision in each draw: precision averaged over the steps of recall."""
    at = _at_events(outcome, probability, drawn)
    total = at.positives[:, None]
    caught = total - at.positive_below
    listed = caught + at.negatives[:, None] - at.negative_below
    precision = np.divide(caught, listed, out=np.zeros_like(caught), where=listed > 0)
    steps = (at.positive * precision).sum(axis=1)
    return np.asarray(steps / np.where(at.positives > 0, at.positives, np.nan))


def brier(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """Mean squared error of the probabilities in each draw."""
    return drawn.means((probability - outcome) ** 2)


def log_loss(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """Mean negative log likelihood in each draw, in nats."""
    kept = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return drawn.means(-np.log(np.where(outcome, kept, 1 - kept)))


Metric = Callable[[Booleans, Floats, Resampled], Floats]

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
    return figures_of(held, Resampled.of(held.groups, draws), metrics)


def figures_of(
    held: HeldOut, drawn: Resampled, metrics: Sequence[tuple[str, Metric]] = METRICS
) -> dict[str, dict[str, float]]:
    """Give the same on groups that are drawn already."""
    return {name: interval(_repeated(metric, held, drawn)) for name, metric in metrics}


def figure(metric: Metric, held: HeldOut, draws: int = 400) -> dict[str, float]:
    """One metric as {value, low, high}."""
    return interval(_repeated(metric, held, Resampled.of(held.groups, draws)))


def difference(
    held: HeldOut, rival: Floats, metric: Metric = auc, draws: int = 1000
) -> Mapping[str, float]:
    """How far `held` lies above a rival's predictions (repeats, n) of the same rows.

    Both are measured on the same resampled groups, so what makes a draw easy or hard for both
    cancels out.
    """
    drawn = Resampled.of(held.groups, draws)
    other = HeldOut(held.outcome, rival, held.groups)
    return interval(_repeated(metric, held, drawn) - _repeated(metric, other, drawn))


def differences(
    held: HeldOut, rivals: Mapping[str, Floats], draws: int = 400
) -> dict[str, dict[str, dict[str, float]]]:
    """How far `held` lies above each rival's predictions in each metric, on the same draws."""
    drawn = Resampled.of(held.groups, draws)
    own = {name: _repeated(metric, held, drawn) for name, metric in METRICS}
    others = {rival: HeldOut(held.outcome, guess, held.groups) for rival, guess in rivals.items()}
    return {
        rival: {
            name: interval(own[name] - _repeated(metric, other, drawn)) for name, metric in METRICS
        }
        for rival, other in others.items()
    }


def standard_error(difference: Floats, groups: NDArray[np.object_]) -> float:
    """Give the standard error of a mean over rows that stand in groups of one customer each."""
    _, at = np.unique(groups.astype(str), return_inverse=True)
    sums = np.bincount(at, weights=difference - difference.mean())
    return float(np.sqrt((sums**2).sum()) / len(difference))


def _drawn(groups: int, draws: int) -> NDArray[np.int64]:
    """How often each of the groups was drawn, shape (draws, groups); always the same draws."""
    if groups == 0:
        return np.zeros((draws, 0), dtype=np.int64)
    rng = np.random.default_rng(0)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)


def _repeated(metric: Metric, held: HeldOut, drawn: Resampled) -> Floats:
    by_repeat = [metric(held.outcome, each, drawn) for each in held.probabilities]
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


def _at_events(outcome: Booleans, probability: Floats, drawn: Resampled) -> _AtEvents:
    """Sum weights up to the probabilities of events: the others add nothing to AUC or precision.

    Weights are whole numbers, so that their sums are exact in whatever order.
    """
    values = np.unique(probability[outcome])
    low, high = (np.searchsorted(values, probability, side=side) for side in _SIDES)
    ones, count = np.ones(len(outcome)), len(values)
    # Odd parts are at a value, even ones between two.
    every = np.cumsum(drawn.sums_by(ones, low + high, 2 * count + 1), axis=1)
    positive = drawn.sums_by(outcome.astype(float), low, count + 1)[:, :count]
    came = np.cumsum(positive, axis=1)
    until, below = every[:, 1::2], every[:, :-1:2]
    return _AtEvents(
        positive=positive,
        negative=until - below - positive,
        positive_below=came - positive,
        negative_below=below - came + positive,
        positives=came[:, -1],
        negatives=every[:, -1] - came[:, -1],
    )
