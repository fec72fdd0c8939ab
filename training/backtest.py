"""The back-test: train at several past dates, and test each model on the dates that followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.built import Built
from features.errors import TooLittleDataError
from models.question import Question
from training.bundling import answerable, fit_bundle
from training.evaluate import auc_of, measured
from training.fit import BoosterParams
from training.run import (
    Progress,
    Tested,
    dates_of,
    features_of,
    figures_of,
    labelled_rows,
    test,
)
from training.splits import on_record, origins

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
)


@dataclass(frozen=True)
class Backtest:
    """Figures of models that were trained at past dates, on the dates that followed.

    Attributes
    ----------
    question
        With the horizons that every origin could answer.
    metrics
        The metrics JSON over all origins, as `training.evaluate.evaluation` gives it.
    by_origin
        For each origin its first test date as ``origin``, the main horizon's figures, and the AUC
        of the baselines as ``baselines``.
    test_rows
        States, labels, probabilities and outcomes, one row per account and date; ``origin`` is the
        first test date of the model that gave the probability.
    notes
        Sentences on the origins that were left out.
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
    params: BoosterParams | None = None,
    limit: int = 6,
    progress: Progress | None = None,
) -> Backtest:
    """Evaluate on rolling origins, pooled and by origin.

    Parameters
    ----------
    built
        States and features at the snapshot dates.
    limit
        At most so many origins; fewer only where there are fewer dates to test on.

    Raises
    ------
    TooLittleDataError
        When no origin has enough events before it.
    """
    panel = labelled_rows(built, question)
    features = features_of(built, question)
    dates = dates_of(built, panel, question)
    runs: list[tuple[Question, Tested]] = []
    notes: list[str] = []
    for split in origins(dates, built.source.extracted_at, question, limit):
        if progress:
            progress(f"origin {split.test_from:%Y-%m-%d}")
        rows = on_record(panel, split.test_from, question)
        try:
            asked = answerable(rows, question, split.test_from)
        except TooLittleDataError as error:
            notes.append(f"Origin {split.test_from:%Y-%m-%d} is left out: {error}")
            continue
        bundle = fit_bundle(rows, asked, features, split, params or BoosterParams())
        tested = test(bundle, rows, split)
        runs.append((asked, Tested(tested.rows.assign(origin=split.test_from), tested.rivals)))
    if not runs:
        raise TooLittleDataError(
            f"Expected at least one origin with {question.fewest_event_accounts} customers with "
            f"{question.name} before it, got none. Bring a longer history or more accounts."
        )
    return _summary(runs, tuple(notes))


def _summary(runs: list[tuple[Question, Tested]], notes: tuple[str, ...]) -> Backtest:
    fewest = min((asked for asked, _ in runs), key=lambda asked: len(asked.horizons_days))
    pooled = Tested(
        pd.concat([tested.rows for _, tested in runs], ignore_index=True),
        {
            name: np.concatenate([tested.rivals[name] for _, tested in runs])
            for name in runs[0][1].rivals
        },
    )
    kept = [*KEPT, "origin"] + [
        f"{kind}__{days}d" for days in fewest.horizons_days for kind in ("probability", "outcome")
    ]
    return Backtest(
        question=fewest,
        metrics=figures_of(pooled, fewest),
        by_origin=tuple(_origin(tested, fewest.main_horizon_days) for _, tested in runs),
        test_rows=pooled.rows[kept],
        notes=notes,
    )


def _origin(tested: Tested, horizon_days: int) -> dict[str, Any]:
    rows = tested.rows
    outcomes, model = (
        rows[f"{kind}__{horizon_days}d"].to_numpy(dtype=float)
        for kind in ("outcome", "probability")
    )
    groups = rows["customer_group"].to_numpy(dtype=object)
    return {
        "origin": f"{rows['origin'].iloc[0]:%Y-%m-%d}",
        **measured(outcomes, model, groups),
        "baselines": {name: auc_of(outcomes, guess) for name, guess in tested.rivals.items()},
    }
