"""Boosters on a ready table: fitted, calibrated by folds, and measured on rows held out."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, row_covariates
from models.calibration import Calibration
from models.cells import feature_matrix
from models.intervals import COVARIATES, matrix
from models.peers import Peers
from models.question import Question
from training.calibrate import calibrate
from training.fit import BoosterParams, fit_booster
from training.heldout import SMALLEST, HeldOut
from training.ready import Columns
from training.strata import strata

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FOLDS = 5
SEEDS = 5


@dataclass(frozen=True)
class TableRows:
    """The rows with a known outcome, ready to be fitted on."""

    question: Question
    ready: Columns
    features: tuple[str, ...]
    outcome: Booleans
    groups: NDArray[np.object_]
    params: BoosterParams


def by_folds(table: TableRows) -> tuple[Bundle, HeldOut]:
    """Fit on all rows; each is predicted five times by models that did not see its group."""
    everything = np.ones(len(table.outcome), dtype=bool)
    repeats = [_out_of_fold(table, everything, repeat) for repeat in range(SEEDS)]
    lines = [_crossed_lines(table, raw, fold) for raw, fold in repeats]
    raw = np.mean([raw for raw, _ in repeats], axis=0)
    bundle = _fitted(table, everything, _line(raw, table.outcome))
    return bundle, HeldOut(table.outcome, np.stack(lines), table.groups)


def by_split(table: TableRows, learn: Booleans, test: Booleans) -> tuple[Bundle, HeldOut]:
    """Fit and calibrate on the rows to learn from, and predict those of the test."""
    raw, _ = _out_of_fold(table, learn, repeat=0)
    bundle = _fitted(table, learn, _line(raw[learn], table.outcome[learn]))
    probability = bundle.probabilities(table.ready.frame[test])[:, 0]
    return bundle, HeldOut(table.outcome[test], probability[None, :], table.groups[test])


def losses(table: TableRows, learn: Booleans, held: Booleans, params: BoosterParams) -> Floats:
    """Fit and calibrate on the rows to learn from; give the log loss of each held row, in nats."""
    _, found = by_split(replace(table, params=params), learn, held)
    said = np.clip(found.probabilities[0], SMALLEST, 1 - SMALLEST)
    return np.asarray(-np.log(np.where(found.outcome, said, 1 - said)))


def _out_of_fold(
    table: TableRows, learn: Booleans, repeat: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Raw log odds of the rows to learn from, each by a model that did not see its group."""
    raw, fold = np.full(len(learn), np.nan), np.full(len(learn), -1)
    parts = strata(table.outcome, table.groups, learn, FOLDS, table.params.seed + repeat)
    for number, (fit, held) in enumerate(parts):
        bundle = _fitted(table, fit, Calibration((0.0,)), repeat)
        raw[held] = bundle.raw_log_odds(table.ready.frame[held])[:, 0]
        fold[held] = number
    return raw, fold


def _crossed_lines(table: TableRows, raw: Floats, fold: NDArray[np.int64]) -> Floats:
    """Probabilities, each fold's calibrated by what the other folds show."""
    probability = np.empty(len(raw))
    for number in range(FOLDS):
        held = fold == number
        line = _line(raw[~held], table.outcome[~held])
        probability[held] = 1 / (1 + np.exp(-line.log_odds(raw[held][:, None])[:, 0]))
    return probability


def _line(raw: Floats, outcome: Booleans) -> Calibration:
    return calibrate(raw[:, None], np.ones((len(raw), 1), dtype=bool), outcome[:, None])


def _fitted(table: TableRows, rows: Booleans, line: Calibration, repeat: int = 0) -> Bundle:
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
        peers=Peers(MappingProxyType({})),
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
