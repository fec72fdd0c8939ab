"""A model from a ready feature table: somebody else's columns, and a label.

With a date the last quarter of the dates is the test, and a row is learned from only if its window
and the grace were over by then. Without one there is no later period: five folds, five times over.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from features.errors import SourceError
from models.bundle import Bundle, row_covariates
from models.calibration import Calibration
from models.cells import feature_matrix
from models.intervals import COVARIATES, matrix
from models.made_from import TableRoles
from models.question import Question
from training.audit.finding import Audited, demand_known
from training.calibrate import calibrate
from training.fit import BoosterParams, fit_booster
from training.heldout import HeldOut, figures
from training.laid_out import Roles, known_rows, lay_out
from training.ready import Columns, offered

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FOLDS = 5
SEEDS = 5
USABLE_AUC = 0.55
PARAMS = BoosterParams(
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


@dataclass(frozen=True)
class _Table:
    """The rows with a known outcome, ready to be fitted on."""

    question: Question
    ready: Columns
    features: tuple[str, ...]
    outcome: Booleans
    groups: NDArray[np.object_]
    params: BoosterParams


def train_table(
    frame: pd.DataFrame,
    question: Question,
    asked: TableRoles | None = None,
    *,
    params: BoosterParams = PARAMS,
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
        Settings of the fit.

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
    trained = _trained(rows, hit, roles, question, asked.accept, params)
    return replace(trained, rows=known[trained.rows])


def _trained(
    rows: pd.DataFrame,
    hit: Booleans,
    roles: Roles,
    question: Question,
    accept: Sequence[str],
    params: BoosterParams,
) -> TableTrained:
    """Train on rows with a known label; the positions that it gives are theirs."""
    laid = lay_out(rows, hit, roles, question)
    ready = offered(rows, apart=laid.apart, learn=laid.learn)
    left_out = {**ready.left_out, **_left_out(laid.audited, list(rows.columns), accept)}
    features = tuple(name for name in ready.frame.columns if name not in left_out)
    if not features:
        raise SourceError(
            "Expected at least one column to learn from, got none that the audit lets through. "
            "Take one on with --accept, or bring others."
        )
    table = _Table(question, ready, features, hit, laid.groups, params)
    is_flat = laid.dates is None
    bundle, held_out = _by_folds(table) if is_flat else _by_time(table, laid.learn, laid.test)
    return TableTrained(
        bundle=_dated(bundle, laid.dates, laid.learn, laid.test),
        label=roles.label,
        left_out=left_out,
        audit=laid.audited.accepting(accept, rows.columns, left_out),
        metrics=(metrics := figures(held_out)),
        verdict=verdict(metrics),
        rows=np.flatnonzero(laid.test),
        held_out=held_out,
        params=params,
    )


def verdict(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Say in one sentence whether the held-out rows show a usable signal."""
    found = metrics["auc"]
    spread = f"AUC {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    if found["low"] > USABLE_AUC:
        return f"There is a usable signal: {spread} on held-out rows."
    return f"There is no usable signal: {spread} does not clear {USABLE_AUC:.2f} on held-out rows."


def _left_out(found: Audited, columns: Sequence[str], accept: Sequence[str]) -> dict[str, str]:
    return {
        finding.column: f"{finding.kind}: {finding.message}"
        for finding in found.findings
        if finding.column in columns and finding.column not in accept
    }


def _by_folds(table: _Table) -> tuple[Bundle, HeldOut]:
    everything = np.ones(len(table.outcome), dtype=bool)
    repeats = [_out_of_fold(table, everything, repeat) for repeat in range(SEEDS)]
    lines = [_crossed_lines(table, raw, fold) for raw, fold in repeats]
    raw = np.mean([raw for raw, _ in repeats], axis=0)
    bundle = _fitted(table, everything, _line(raw, table.outcome))
    return bundle, HeldOut(table.outcome, np.stack(lines), table.groups)


def _by_time(table: _Table, learn: Booleans, test: Booleans) -> tuple[Bundle, HeldOut]:
    raw, _ = _out_of_fold(table, learn, repeat=0)
    bundle = _fitted(table, learn, _line(raw[learn], table.outcome[learn]))
    probability = bundle.probabilities(table.ready.frame[test])[:, 0]
    return bundle, HeldOut(table.outcome[test], probability[None, :], table.groups[test])


def _out_of_fold(table: _Table, learn: Booleans, repeat: int) -> tuple[Floats, NDArray[np.int64]]:
    """Raw log odds of the rows to learn from, each by a model that did not see its group."""
    at = np.flatnonzero(learn)
    outcome, groups = table.outcome[at], table.groups[at]
    is_group_a_row = len(np.unique(groups.astype(str))) == len(groups)
    kind, by = (StratifiedKFold, None) if is_group_a_row else (StratifiedGroupKFold, groups)
    folds = kind(FOLDS, shuffle=True, random_state=table.params.seed + repeat)
    raw, fold = np.full(len(learn), np.nan), np.full(len(learn), -1)
    for number, (fit, held) in enumerate(folds.split(at, outcome, by)):
        rows = np.zeros(len(learn), dtype=bool)
        rows[at[fit]] = True
        bundle = _fitted(table, rows, Calibration((0.0,)), repeat)
        raw[at[held]] = bundle.raw_log_odds(table.ready.frame.iloc[at[held]])[:, 0]
        fold[at[held]] = number
    return raw, fold


def _crossed_lines(table: _Table, raw: Floats, fold: NDArray[np.int64]) -> Floats:
    """Probabilities, each fold's calibrated by what the other folds show."""
    probability = np.empty(len(raw))
    for number in range(FOLDS):
        held = fold == number
        line = _line(raw[~held], table.outcome[~held])
        probability[held] = 1 / (1 + np.exp(-line.log_odds(raw[held][:, None])[:, 0]))
    return probability


def _line(raw: Floats, outcome: Booleans) -> Calibration:
    return calibrate(raw[:, None], np.ones((len(raw), 1), dtype=bool), outcome[:, None])


def _fitted(table: _Table, rows: Booleans, line: Calibration, repeat: int = 0) -> Bundle:
    horizon = table.question.main_horizon_days
    question = replace(table.question, horizons_days=(horizon,))
    frame = table.ready.frame[rows]
    categories = {
        name: values for name, values in table.ready.categories.items() if name in table.features
    }
    cells = matrix(
        feature_matrix(frame, table.features, categories, question.name),
        row_covariates(question, frame),
    )
    # Names of columns may hold what LightGBM's text format cannot: it gets their numbers.
    columns = [f"column_{number}" for number in range(len(table.features))]
    outcome = table.outcome[rows].astype(float)
    params = replace(table.params, seed=table.params.seed + repeat)
    text = fit_booster(cells, outcome, [*columns, *COVARIATES], params)
    catalogue = tuple(_entry(name, name in categories) for name in table.features)
    written = json.dumps([catalogue, categories])
    return Bundle(
        question=question,
        features=table.features,
        catalogue=catalogue,
        features_fingerprint=hashlib.sha256(written.encode()).hexdigest(),
        booster_text=text,
        calibration=line,
        base_rates={horizon: float(outcome.mean())},
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        trained_at=datetime.now(UTC).replace(tzinfo=None),
        as_of_range=(date.min, date.min),
        categories=categories,
    )


def _entry(name: str, is_category: bool) -> dict[str, Any]:  # noqa: FBT001 - private, named at its one call
    """Give a column's catalogue entry; without a text, a reason says its name and its value."""
    return {
        "column": name,
        "group": "table",
        "subject": name,
        "unit": "category" if is_category else "number",
        "description": f"{name}, as the table gave it.",
        "risk": None,
        "missing": "null",
        "sources": ["table"],
        "window_days": None,
        "units": {},
    }


def _dated(
    bundle: Bundle, dates: NDArray[np.datetime64] | None, learn: Booleans, test: Booleans
) -> Bundle:
    """Say from when to when it learned: up to the first test date, by which all windows ended."""
    day = bundle.trained_at.date()
    if dates is None:
        return replace(bundle, as_of_range=(day, day))
    first, border = dates[learn].min(), dates[test].min()
    return replace(bundle, as_of_range=(first.item().date(), border.item().date()))
