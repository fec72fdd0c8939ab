"""What a model in service says of given feature rows: names are checked before anything runs."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import ModelError
from models.bundle import Bundle
from models.reasons import Reason, explain_by_horizon
from serving.api import schema
from serving.api.refusal import Detail, RefusedError, invalid
from serving.parts import Caller, Parts

MOST_DETAILS = 20
MOST_OF_A_NAME = 100
HIGHEST = float(np.finfo(np.float32).max)  # LightGBM reads features as 32-bit floats

Value = float | str | None
Cells = npt.NDArray[np.float32]
Why = Mapping[int, Sequence[tuple[Reason, ...]]]


def predict(parts: Parts, _caller: Caller, asked: schema.PredictRequest) -> schema.PredictAnswer:
    """Answer ``POST /v1/predict``."""
    bundles = parts.in_service().bundles
    if asked.model not in bundles:
        raise invalid("model", f"expected a model in service: {', '.join(sorted(bundles))}")
    bundle = bundles[asked.model]
    horizons = _horizons(bundle, asked.horizons)
    cells = _demand_right_rows(bundle, asked.rows)
    why = _reasons(bundle, asked)
    return schema.PredictAnswer(
        model=asked.model,
        model_version=bundle.version,
        features_version=bundle.features_fingerprint,
        rows=[
            _predicted(bundle, row, of_row, horizons, {days: why[days][at] for days in horizons})
            for at, (row, of_row) in enumerate(zip(asked.rows, cells, strict=True))
        ],
    )


def is_one(parts: Parts, asked: schema.PredictRequest) -> bool:
    """Tell whether the answer is there at once: one row without reasons, of a model in service."""
    return len(asked.rows) == 1 and asked.reasons == 0 and parts.watch.found is not None


def _reasons(bundle: Bundle, asked: schema.PredictRequest) -> Why:
    """Explain the rows, as a table, which costs more than their probabilities."""
    if asked.reasons < 1:
        return {days: [()] * len(asked.rows) for days in bundle.question.horizons_days}
    columns = {
        name: pd.Series(
            [row[name] for row in asked.rows],
            dtype=object if name in bundle.categories else "float64",
        )
        for name in bundle.features
    }
    return explain_by_horizon(bundle, pd.DataFrame(columns), asked.reasons)


def _predicted(
    bundle: Bundle,
    row: Mapping[str, Value],
    cells: Cells,
    horizons: Sequence[int],
    why: Mapping[int, Sequence[Reason]],
) -> schema.PredictedRow:
    probabilities = bundle.probabilities_of(row, cells)
    renewed = bundle.renewal_probability_of(row, probabilities)
    at_horizon = dict(zip(bundle.question.horizons_days, probabilities.tolist(), strict=True))
    return schema.PredictedRow(
        [
            schema.PredictedHorizon(
                horizon_days=days,
                probability=at_horizon[days],
                band=bundle.question.band(at_horizon[days], bundle.base_rate(days)),
                reasons=[schema.ReasonAnswer(**reason.to_json()) for reason in why[days]],
            )
            for days in horizons
        ],
        None if math.isnan(renewed) else renewed,
    )


def _horizons(bundle: Bundle, asked: Sequence[int] | None) -> tuple[int, ...]:
    known = bundle.question.horizons_days
    if asked is None:
        return known
    if not set(asked) <= set(known) or len(set(asked)) < len(asked):
        raise invalid(
            "horizons", f"expected each once, among {', '.join(str(days) for days in known)}"
        )
    return tuple(asked)


def _demand_right_rows(bundle: Bundle, rows: Sequence[Mapping[str, Value]]) -> list[Cells]:
    """Give the rows as numbers, where all of them have what the model expects."""
    cells = [_cells(bundle, row) for row in rows]
    right = [one for one in cells if one is not None]
    if len(right) == len(rows):
        return right
    details = [
        detail
        for number, row in enumerate(rows)
        if cells[number] is None
        for detail in _wrong(bundle, f"rows[{number}]", row)
    ]
    raise RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "The rows do not have the features of the model. GET /v1/models lists them.",
        tuple(details[:MOST_DETAILS]),
    )


def _cells(bundle: Bundle, row: Mapping[str, Value]) -> Cells | None:
    """Give a row as numbers; None where `_wrong` finds something, in far more time."""
    of_categories = [type(row.get(name)) for name in bundle.categories]
    texts = [*map(type, row.values())].count(str)
    if texts != of_categories.count(str) or float in of_categories:
        return None
    if len(row) != len(bundle.features):
        return None
    try:
        with np.errstate(over="ignore"):
            cells = bundle.cells_of(row)
    except ModelError:  # as many as there are, and one of them is another
        return None
    return None if np.isinf(cells).any() else cells


def _wrong(bundle: Bundle, where: str, row: Mapping[str, Value]) -> list[Detail]:
    known = set(bundle.features)
    absent = [
        Detail(f"{where}.{name}", "missing: send null for a feature without history")
        for name in bundle.features
        if name not in row
    ]
    unknown = [
        Detail(f"{where}.{name[:MOST_OF_A_NAME]}", "unknown feature")
        for name in row
        if name not in known
    ]
    unfit = [
        Detail(f"{where}.{name}", problem)
        for name, value in row.items()
        if name in known and (problem := _problem(value, is_category=name in bundle.categories))
    ]
    return absent + unknown + unfit


def _problem(value: Value, *, is_category: bool) -> str | None:
    if value is None:
        return None
    if is_category:
        return None if isinstance(value, str) else "expected text or null"
    if isinstance(value, str):
        return "expected a number or null"
    return None if math.isfinite(value) and abs(value) <= HIGHEST else "too large"
