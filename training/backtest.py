"""The back-test: train at several past dates, and test each model on the dates that followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from features.built import Built
from features.checked import CheckedSource
from features.errors import TooLittleDataError
from models.bundle import Bundle
from models.question import Question
from training.bundling import FeatureList, answerable, fit_bundle
from training.capacity import Team
from training.choose import Choice, choose
from training.closeup import at_date, beside_champion, closeup, of_leaving
from training.direct import direct_probabilities
from training.evaluate import above, auc_of, measured
from training.fit import Params
from training.prepare import dates_of, features_of, labelled_rows
from training.renewals import CAME, SAID
from training.run import Progress
from training.slices import TRAITS, described
from training.splits import Split, on_record, origins
from training.tested import Tested, figures_of, test
from training.touched import touched

KEPT = (
    "account_id",
    "as_of",
    "customer_group",
    "mrr",
    "term_ends_at",
    "term_months",
    "event_days",
    "observed_days",
    "lead_days",
    "cause",
    "touched",
    *TRAITS,
)


@dataclass(frozen=True)
class Backtest:
    """Figures of models that were trained at past dates, on the dates that followed.

    Attributes
    ----------
    question
        With the horizons that every origin could answer.
    metrics
        The metrics JSON over all origins, as `training.evaluate.evaluation` gives it, and beside it
        what `training.closeup` gives: of the team's lists, of the losses, of parts of the base, of
        the ``leaving`` and of the ``champion``.
    by_origin
        For each origin its first test date as ``origin``, the main horizon's figures, the AUC of
        the baselines as ``baselines``, the paired differences as ``above_baselines``, and lists,
        lead time and later events as `training.closeup.at_date` gives them.
    test_rows
        States, labels, probabilities and outcomes, of churn also those of the next renewal, one
        row per account and date; ``origin`` is the first test date of the model that gave the
        probability.
    notes
        Sentences on origins that were left out, or fitted more simply than usual.
    """

    question: Question
    metrics: Mapping[str, Any]
    by_origin: tuple[Mapping[str, Any], ...]
    test_rows: pd.DataFrame
    notes: tuple[str, ...]


def backtest(
    built: Built,
    question: Question,
    *,
    params: Params | None = None,
    champion: Bundle | None = None,
    team: Team | None = None,
    direct: bool = False,
    limit: int = 6,
    progress: Progress | None = None,
) -> Backtest:
    """Evaluate on rolling origins, pooled and by origin.

    Parameters
    ----------
    built
        States and features at the snapshot dates.
    params
        Settings of the fits; by default those that `training.choose` takes at each date.
    champion
        The model in service, held against the others on the dates that it did not learn from.
    team
        How many accounts a CSM can look after; what a call costs and wins.
    direct
        Whether one classifier for each horizon is tried too: ``direct__<h>d`` of the test rows.
    limit
        At most so many origins; fewer only where there are fewer dates to test on.

    Raises
    ------
    TooLittleDataError
        When no origin has enough events before it.
    """
    setting = _Setting(built, question, params, direct=direct)
    runs, notes = _rolled(setting, limit, progress)
    asked, pooled = _pooled(runs, built.source)
    team = team or Team()
    metrics = {
        **figures_of(pooled, asked, team.economics),
        **closeup(pooled, asked, team),
        "leaving": of_leaving(built, asked, pooled.rows),
        "champion": None if champion is None else beside_champion(pooled, asked, champion),
    }
    kinds = ("probability", "outcome", "direct") if direct else ("probability", "outcome")
    kept = [f"{kind}__{horizon}d" for horizon in asked.horizons_days for kind in kinds]
    return Backtest(
        question=asked,
        metrics=metrics,
        by_origin=_by_origin(runs, pooled, asked, team),
        test_rows=pooled.rows[[*KEPT, *_told_of_renewals(pooled), "origin", *kept]],
        notes=notes,
    )


@dataclass(frozen=True)
class _Setting:
    """What every origin shares."""

    built: Built
    question: Question
    params: Params | None
    direct: bool

    @cached_property
    def panel(self) -> pd.DataFrame:
        return labelled_rows(self.built, self.question)

    @cached_property
    def features(self) -> FeatureList:
        return features_of(self.built, self.question)

    @cached_property
    def dates(self) -> list[datetime]:
        return dates_of(self.built, self.panel, self.question)

    def choice(self, asked: Question, split: Split) -> Choice:
        """Choose how to fit as a training at that date would have."""
        if self.params:
            return Choice(self.params)
        return choose(self.panel, asked, self.features, split.test_from)


def _rolled(
    setting: _Setting, limit: int, progress: Progress | None
) -> tuple[list[tuple[Question, Tested]], tuple[str, ...]]:
    """Train and test at each origin; give the questions that could be answered, and the notes."""
    question, runs, notes = setting.question, [], []
    extracted_at = setting.built.source.extracted_at
    for split in origins(setting.dates, extracted_at, question, limit):
        if progress:
            progress(f"origin {split.test_from:%Y-%m-%d}")
        rows = on_record(setting.panel, split.test_from, question)
        try:
            asked = answerable(rows, question, split.test_from)
        except TooLittleDataError as error:
            notes.append(f"Origin {split.test_from:%Y-%m-%d} is left out: {error}")
            continue
        choice = setting.choice(asked, split)
        notes += [f"Origin {split.test_from:%Y-%m-%d}: {why}" for why in choice.why]
        runs.append((asked, _tested(setting, rows, asked, split, choice.params)))
    if not runs:
        raise TooLittleDataError(
            f"Expected at least one origin with {question.fewest_event_accounts} customers with "
            f"{question.name} before it, got none. Bring a longer history or more accounts."
        )
    return runs, tuple(notes)


def _tested(
    setting: _Setting, rows: pd.DataFrame, asked: Question, split: Split, params: Params
) -> Tested:
    bundle = fit_bundle(rows, asked, setting.features, split, params)
    tested = test(bundle, rows, split)
    later = tested.rows.assign(origin=split.test_from)
    if setting.direct:
        guesses = direct_probabilities(
            rows, later, asked, setting.features, setting.dates, split, params
        )
        names = [f"direct__{days}d" for days in asked.horizons_days]
        later = later.assign(**dict(zip(names, guesses.T, strict=True)))
    return Tested(later, tested.rivals)


def _pooled(runs: list[tuple[Question, Tested]], source: CheckedSource) -> tuple[Question, Tested]:
    """Put the origins' rows together, with the horizons that all of them could answer."""
    fewest = min((asked for asked, _ in runs), key=lambda asked: len(asked.horizons_days))
    rows = pd.concat([tested.rows for _, tested in runs], ignore_index=True)
    rivals = {
        name: np.concatenate([tested.rivals[name] for _, tested in runs])
        for name in runs[0][1].rivals
    }
    rows = described(rows, source).assign(touched=touched(source, rows))
    return fewest, Tested(rows, rivals)


def _told_of_renewals(tested: Tested) -> list[str]:
    return [name for name in (SAID, CAME) if name in tested.rows]


def _by_origin(
    runs: list[tuple[Question, Tested]], pooled: Tested, question: Question, team: Team
) -> tuple[dict[str, Any], ...]:
    """Give the figures of each origin; its rows among the pooled ones know tier and CSM."""
    ends = np.cumsum([len(tested.rows) for _, tested in runs])[:-1]
    parts = np.split(np.arange(len(pooled.rows)), ends)
    return tuple(
        _origin(
            Tested(
                pooled.rows.iloc[part].reset_index(drop=True),
                {name: guess[part] for name, guess in pooled.rivals.items()},
            ),
            question,
            team,
        )
        for part in parts
    )


def _origin(tested: Tested, question: Question, team: Team) -> dict[str, Any]:
    rows, days = tested.rows, question.main_horizon_days
    outcomes, model = (
        rows[f"{kind}__{days}d"].to_numpy(dtype=float) for kind in ("outcome", "probability")
    )
    groups = rows["customer_group"].to_numpy(dtype=object)
    rivals = tested.rivals
    return {
        "origin": f"{rows['origin'].iloc[0]:%Y-%m-%d}",
        **measured(outcomes, model, groups),
        "baselines": {name: auc_of(outcomes, guess) for name, guess in rivals.items()},
        "above_baselines": above(outcomes, model, rivals, groups),
        **at_date(tested, question, team),
    }
