"""One comparison of a challenger with its rival: the models, the rows, and what is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import GateError
from models.bundle import Bundle, load
from models.golden import Golden
from training.choose import FEW_GROUPS, FEWEST_GROUPS_BEFORE
from training.evidence import Evidence, Way, at_horizon, joined, past_evidence
from training.labels import outcome_within

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """What the gates ask for.

    Attributes
    ----------
    events:
        Fewest events, and fewest rows without one.
    groups:
        Fewest customer groups.
    few_groups, event_groups:
        With fewer customers with the event on record than the first, past dates count too; the
        second is how many such customers all dates must show then.
    worse_by:
        Share of the champion's log loss that the challenger may lose, at the upper end of the
        95 % interval.
    listed_share, caught_worse_by:
        Share of each date's accounts that stands on the list, and how much less of the ARR the
        challenger's may catch than the champion's (1: all), at the lower end of the interval.
    segment_events, segment_worse_by:
        Fewest events of a part of the customers that is looked at by itself, and the share of the
        rival's log loss that may be lost there, at the lower end of the interval.
    age_days:
        Most days from the end of what the model learned from to the newest known outcome.
    observed_to_expected:
        Lowest and highest ratio of observed events to the sum of the probabilities.
    slope:
        Lowest and highest calibration slope: the logistic regression of the outcome on the log
        odds (1: as spread out as the outcomes; below: too bold).
    golden_by:
        How far a probability of the golden set may lie from the one of when it was registered.
    resamples, seed:
        Draws of the bootstrap over customer groups.
    """

    events: int = 20
    groups: int = 20
    few_groups: int = FEW_GROUPS
    event_groups: int = 8
    worse_by: float = 0.05
    listed_share: float = 0.10
    caught_worse_by: float = 0.10
    segment_events: int = 10
    segment_worse_by: float = 0.10
    age_days: int = 365
    observed_to_expected: tuple[float, float] = (0.5, 2.0)
    slope: tuple[float, float] = (0.4, 2.5)
    golden_by: float = 1e-12
    resamples: int = 1000
    seed: int = 0

    def are_met(self, counts: Mapping[str, float]) -> bool:
        """Say whether events, rows without one and customers are enough to judge by."""
        enough = min(counts["events"], counts["without"]) >= self.events
        return enough and counts["groups"] >= self.groups


@dataclass(frozen=True)
class Answer:
    """What a gate found: whether it passes, in a sentence, and the figures behind it by name."""

    passed: bool
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """What the gates look at: both models, and the same labelled rows for both.

    Attributes
    ----------
    model, version:
        The challenger's name and its number in the registry.
    challenger:
        The folder of its bundle; the gates load it as the service will.
    champion:
        The champion, or None: then the rival is the base rate.
    rows:
        A feature table with customer_group, mrr, the labels of `training.labels.label`, and the
        tier, segment and region of `training.slices.described`; grain: account and date. Rows that
        either model may have learned from are left aside.
    audit:
        The findings of the leakage audit on the challenger's features, as JSON values.
    audit_checks:
        By check: in a sentence, what that audit looked at.
    accept:
        Columns and checks whose findings somebody takes on by name now.
    registered:
        Gives the challenger as it comes out of the registry now, and the golden set that was kept
        with it; may raise. None: no golden set was kept.
    ways:
        Gives how the challenger was fitted, and how the champion was; may raise. None: past dates
        count for nothing.
    """

    model: str
    version: str
    challenger: Path
    champion: Bundle | None
    rows: pd.DataFrame
    audit: Sequence[Mapping[str, Any]]
    limits: Limits = field(default_factory=Limits)
    audit_checks: Mapping[str, str] = field(default_factory=dict)
    accept: Sequence[str] = ()
    registered: Callable[[], tuple[Bundle, Golden]] | None = None
    ways: Callable[[], tuple[Way, Way | None]] | None = None

    @cached_property
    def bundle(self) -> Bundle:
        """The challenger, loaded and checked."""
        bundle = load(self.challenger)
        if bundle.question.name != self.model:
            raise GateError(f"Expected a model of {self.model}, got one of {bundle.question.name}.")
        return bundle

    @property
    def horizon_days(self) -> int:
        """The question's main horizon."""
        return self.bundle.question.main_horizon_days

    @cached_property
    def border(self) -> datetime:
        """From here on neither model learned from a row."""
        rivals = [self.bundle, self.champion] if self.champion else [self.bundle]
        if len({_asks(rival) for rival in rivals}) > 1:
            raise GateError("Expected both models to answer one question, got two.")
        return max(_start(rival.as_of_range[1]) for rival in rivals)

    @cached_property
    def later(self) -> pd.DataFrame:
        """The rows that neither model learned from and whose outcome is known."""
        return self.rows[self._is_known & (self.rows["as_of"] >= self.border).to_numpy()]

    @cached_property
    def evidence(self) -> Evidence:
        """What the gates judge by: the later rows, and past dates where few have the event."""
        rival = self._rival_probabilities()
        later = Evidence(self.later, self.outcomes, self.probabilities, rival)
        if self.ways is None or not self.counts_past:
            return later
        own, other = self.ways()
        shy = replace(self.bundle.question, fewest_event_accounts=FEWEST_GROUPS_BEFORE)
        past = past_evidence(self.rows, shy, self.border, own, other)
        return later if past is None else joined((past, later))

    @property
    def counts_past(self) -> bool:
        """Whether past dates count: few customers have the event, in all that is known."""
        came = outcome_within(self.rows, self.horizon_days) == 1
        groups = self.rows.loc[came, "customer_group"].nunique()
        return self.ways is not None and groups < self.limits.few_groups

    def _rival_probabilities(self) -> Floats:
        if self.champion is None:
            return np.full(len(self.later), self.bundle.base_rate(self.horizon_days))
        return at_horizon(self.champion, self.later, self.horizon_days)

    @property
    def newest_known(self) -> datetime:
        """The newest date of a row whose outcome is known."""
        newest: pd.Timestamp = self.rows.loc[self._is_known, "as_of"].max()
        return newest.to_pydatetime()

    @cached_property
    def _is_known(self) -> npt.NDArray[np.bool_]:
        return np.isfinite(outcome_within(self.rows, self.horizon_days))

    @cached_property
    def outcomes(self) -> Floats:
        """0 or 1 of the later rows."""
        return outcome_within(self.later, self.horizon_days)

    @cached_property
    def probabilities(self) -> Floats:
        """The challenger's, for the later rows, at the main horizon."""
        return at_horizon(self.bundle, self.later, self.horizon_days)


def _asks(bundle: Bundle) -> tuple[object, ...]:
    """Name what makes outcomes comparable; far horizons may differ with the length of history."""
    question = bundle.question
    return (
        question.outcome,
        question.grace_days,
        question.change_threshold,
        question.main_horizon_days,
    )


def _start(day: date) -> datetime:
    return datetime.combine(day, time())
