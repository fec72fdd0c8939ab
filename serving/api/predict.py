"""What a model in service says of given feature rows: names are checked before anything runs."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.bundle import Bundle
from models.reasons import Reason, explain_by_horizon
from serving.api import schema
from serving.api.refusal import Detail, RefusedError, invalid
from serving.parts import Caller, Parts

MOST_DETAILS = 20
MOST_OF_A_NAME = 100
HIGHEST = float(np.finfo(np.float32).max)  # LightGBM reads features as 32-bit floats

NUMBER, CATEGORY = frozenset({float, type(None)}), frozenset({str, type(None)})

Value = float | str | None
Why = Mapping[int, Sequence[tuple[Reason, ...]]]


def predict(parts: Parts, _caller: Caller, asked: schema.PredictRequest) -> schema.PredictAnswer:
    """Answer ``POST /v1/predict``."""
    bundles = parts.in_service().bundles
    if asked.model not in bundles:
        raise invalid("model", f"expected a model in service: {', '.join(sorted(bundles))}")
    bundle = bundles[asked.model]
    horizons = _horizons(bundle, asked.horizons)
    _refuse_wrong_rows(bundle, asked.rows)
    probabilities = np.array([bundle.probabilities_of(row) for row in asked.rows])
    renewed = [
        bundle.renewal_probability_of(row, of_row)
        for row, of_row in zip(asked.rows, probabilities, strict=True)
    ]
    why = _reasons(bundle, asked)
    known = bundle.question.horizons_days
    by_horizon = [
        _at_horizon(bundle, days, probabilities[:, known.index(days)], why[days])
        for days in horizons
    ]
    return schema.PredictAnswer(
        model=asked.model,
        model_version=bundle.version,
        features_version=bundle.features_fingerprint,
        rows=[
            schema.PredictedRow(list(of_row), None if math.isnan(share) else share)
            for *of_row, share in zip(*by_horizon, renewed, strict=True)
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


def _at_horizon(
    bundle: Bundle,
    horizon_days: int,
    probability: npt.NDArray[np.float64],
    why: Sequence[tuple[Reason, ...]],
) -> list[schema.PredictedHorizon]:
    bands = bundle.bands(probability, horizon_days)
    return [
        schema.PredictedHorizon(
            horizon_days=horizon_days,
            probability=float(value),
            band=band,
            reasons=[schema.ReasonAnswer(**reason.to_json()) for reason in of_row],
        )
        for value, band, of_row in zip(probability, bands, why, strict=True)
    ]


def _horizons(bundle: Bundle, asked: Sequence[int] | None) -> tuple[int, ...]:
    known = bundle.question.horizons_days
    if asked is None:
        return known
    if not set(asked) <= set(known) or len(set(asked)) < len(asked):
        raise invalid(
            "horizons", f"expected each once, among {', '.join(str(days) for days in known)}"
        )
    return tuple(asked)


def _refuse_wrong_rows(bundle: Bundle, rows: Sequence[Mapping[str, Value]]) -> None:
    details = [
        detail
        for number, row in enumerate(rows)
        if not _is_right(bundle, row)
        for detail in _wrong(bundle, f"rows[{number}]", row)
    ]
    if details:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "The rows do not have the features of the model. GET /v1/models lists them.",
            tuple(details[:MOST_DETAILS]),
        )


def _is_right(bundle: Bundle, row: Mapping[str, Value]) -> bool:
    """Tell in a fraction of the time whether `_wrong` would find nothing."""
    if len(row) != len(bundle.features):
        return False
    if not all(map(row.__contains__, bundle.features)):
        return False
    told = [*row.values()]
    if bundle.categories:
        named = {type(row[name]) for name in bundle.categories}
        told = [value for name, value in row.items() if name not in bundle.categories]
        if not named <= CATEGORY:
            return False
    if not {*map(type, told)} <= NUMBER:
        return False
    numbers = np.abs(np.array(told, dtype=np.float64))
    return not bool((numbers > HIGHEST).any())


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
