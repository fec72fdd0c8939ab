"""A model from a ready feature table: somebody else's columns, and a label.

With a date the last quarter of the dates is the test, and a row is learned from only if its window
and the grace were over by then. Without one there is no later period: five folds, five times over,
or, where settings are searched, a quarter of the rows that was set aside before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SourceError
from models.bundle import Bundle
from models.made_from import TableRoles
from models.question import Question
from models.trials import Trial
from training.audit.finding import Audited, demand_known
from training.fit import BoosterParams
from training.fit_table import TableRows, by_folds, by_split
from training.heldout import HeldOut, figures
from training.laid_out import Laid, known_rows, lay_out
from training.ready import offered
from training.tune import Budget
from training.tune_table import tuned

USABLE_AUC = 0.55
PARAMS = BoosterParams(
    trees=200,
    learning_rate=0.05,
    leaves=8,
    rows_in_leaf=20,
    feature_share=0.8,
    row_share=1.0,
    bins=255,
    threads=1,
    seed=0,
)


@dataclass(frozen=True)
class TableTrained:
    """What training on a ready table gave.

    Attributes
    ----------
    bundle
        The model, which scores rows of such a table by column name.
    label
        The column it learned.
    left_out
        Columns that the model does not use, each with the reason.
    audit
        What the leakage audit looked at, of every offered column, and what it found.
    metrics
        auc, average_precision, brier and log_loss, each {value, low, high}, on held-out rows.
    verdict
        One sentence: whether there is a usable signal.
    rows
        Positions of the held-out rows in the table, shape (n,).
    held_out
        What was predicted for them.
    params
        Settings of the fit, and the seed of the folds.
    sets_aside
        Whether the held-out rows are a part that was drawn and set aside, for want of dates.
    notes
        Sentences on rows without a label, cells that were read as missing, and how the settings
        were found.
    trials
        What tuning tried; empty without tuning.
    """

    bundle: Bundle
    label: str
    left_out: Mapping[str, str]
    audit: Audited
    metrics: Mapping[str, Mapping[str, float]]
    verdict: str
    rows: NDArray[np.int64]
    held_out: HeldOut
    params: BoosterParams
    sets_aside: bool = False
    notes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give what `tenure train --table --json` prints."""
        return {
            "model": self.bundle.question.name,
            "label": self.label,
            "metrics": {name: dict(figure) for name, figure in self.metrics.items()},
            "verdict": self.verdict,
            "audit": list(self.audit.findings_json()),
            "audit_checks": dict(self.audit.checks),
            "features": list(self.bundle.features),
            "left_out": dict(self.left_out),
            "held_out_rows": len(self.rows),
            "held_out_events": int(self.held_out.outcome.sum()),
        }


def train_table(
    frame: pd.DataFrame,
    question: Question,
    asked: TableRoles | None = None,
    *,
    params: BoosterParams = PARAMS,
    budget: Budget | None = None,
    sets_aside: bool = False,
    progress: Callable[[str], None] | None = None,
) -> TableTrained:
    """Audit a ready table, train on it, and measure on rows that were held out.

    Parameters
    ----------
    frame
        One row per account, or per account and date; any columns, and the label.
    question
        Names the model; its main horizon is the label's window, which matters with dates.
    asked
        The columns' roles, and what is taken on by name; by default what their names say.
    params
        Settings of the fit, or the first that tuning tries.
    budget
        How long to tune; by default not at all. It looks at no row that the model is tested on.
    sets_aside
        Whether a quarter of a table without dates is set aside to test on, as tuning does.
    progress
        Is told of each trial, for people.

    Raises
    ------
    TooLittleDataError
        With fewer than 20 rows of either outcome to learn from or to test on.
    SourceError
        If a named column is missing, or the label is not of two values.
    TenureError
        If it takes on what is neither a column nor a check of the audit.
    """
    asked = asked or TableRoles()
    demand_known(asked.accept, map(str, frame.columns))
    rows, hit, roles, known = known_rows(frame, question, asked)
    laid = lay_out(rows, hit, roles, question, sets_aside=sets_aside or budget is not None)
    table, left_out, notes = _offered(rows, hit, laid, question, asked.accept, params)
    notes = (*_without_label(len(frame) - len(known), len(frame), roles.label), *notes)
    found = tuned(table, laid, budget, progress) if budget else None
    table = replace(table, params=found.params) if found else table
    by_turns = laid.dates is None and not laid.sets_aside
    bundle, held_out = by_folds(table) if by_turns else by_split(table, laid.learn, laid.test)
    return TableTrained(
        bundle=_dated(bundle, laid),
        label=roles.label,
        left_out=left_out,
        audit=laid.audited.accepting(asked.accept, rows.columns, left_out),
        metrics=(metrics := figures(held_out)),
        verdict=verdict(metrics),
        rows=known[laid.test],
        held_out=held_out,
        params=table.params,
        sets_aside=laid.sets_aside,
        notes=(*notes, found.sentence()) if found else notes,
        trials=found.trials if found else (),
    )


def _offered(
    rows: pd.DataFrame,
    hit: NDArray[np.bool_],
    laid: Laid,
    question: Question,
    accept: Sequence[str],
    params: BoosterParams,
) -> tuple[TableRows, dict[str, str], tuple[str, ...]]:
    """Give the rows with the columns to learn from, why others are left out, and notes."""
    ready = offered(rows, apart=laid.apart, learn=laid.learn)
    left_out = {**ready.left_out, **_left_out(laid.audited, list(rows.columns), accept)}
    features = tuple(name for name in ready.frame.columns if name not in left_out)
    if not features:
        raise SourceError(
            "Expected at least one column to learn from, got none that the audit lets through. "
            "Take one on with --accept, or bring others."
        )
    notes = (*ready.notes, *_repeated(rows, features, laid))
    return TableRows(question, ready, features, hit, laid.groups, params), left_out, notes


def _repeated(rows: pd.DataFrame, features: Sequence[str], laid: Laid) -> tuple[str, ...]:
    """Say how many rows may be tested on copies of themselves."""
    is_told_whose = laid.dates is not None or len(pd.unique(laid.groups)) < len(rows)
    count = int(rows.duplicated(list(features)).sum())
    if is_told_whose or not count:
        return ()
    said = f"{count:,} of {len(rows):,} rows repeat another in every column"
    cure = "say whose each is with --group, or they are tested on copies of themselves"
    return (f"{said}: if those are rows of one customer, {cure}.",)


def _without_label(count: int, of: int, label: str) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count:,} of {of:,} rows have no {label}: nothing is learned from them.",)


def verdict(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Say in one sentence whether the held-out rows show a usable signal."""
    found = metrics["auc"]
    spread = f"AUC {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    if is_usable(metrics):
        return f"There is a usable signal: {spread} on held-out rows."
    return f"There is no usable signal: {spread} does not clear {USABLE_AUC:.2f} on held-out rows."


def is_usable(metrics: Mapping[str, Mapping[str, float]]) -> bool:
    """Tell whether the held-out rows show a usable signal."""
    return metrics["auc"]["low"] > USABLE_AUC


def _left_out(found: Audited, columns: Sequence[str], accept: Sequence[str]) -> dict[str, str]:
    return {
        finding.column: f"{finding.kind}: {finding.message}"
        for finding in found.findings
        if finding.column in columns and finding.column not in accept
    }


def _dated(bundle: Bundle, laid: Laid) -> Bundle:
    """Say from when to when it learned: up to the first test date, by which all windows ended."""
    day = bundle.trained_at.date()
    if laid.dates is None:
        return replace(bundle, as_of_range=(day, day))
    first, border = laid.dates[laid.learn].min(), laid.dates[laid.test].min()
    return replace(bundle, as_of_range=(first.item().date(), border.item().date()))
