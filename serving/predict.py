"""What a model in service says of given feature rows: names are checked before anything runs."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.bundle import Bundle
from models.reasons import Reason, explain_by_horizon
from serving import schema
from serving.parts import Caller, Parts
from serving.refusal import Detail, RefusedError, invalid

MOST_DETAILS = 20
MOST_OF_A_NAME = 100
HIGHEST = float(np.finfo(np.float32).max)  # LightGBM reads features as 32-bit floats

Value = float | str | None


def predict(parts: Parts, _caller: Caller, asked: schema.PredictRequest) -> schema.PredictAnswer:
    """Answer ``POST /v1/predict``."""
    bundles = parts.in_service().bundles
    if asked.model not in bundles:
        raise invalid("model", f"expected a model in service: {', '.join(sorted(bundles))}")
    bundle = bundles[asked.model]
    horizons = _horizons(bundle, asked.horizons)
    _refuse_wrong_rows(bundle, asked.rows)
    table = pd.DataFrame(asked.rows, columns=list(bundle.features))
    for name in set(bundle.features) - set(bundle.categories):
        table[name] = table[name].astype("float64")
    why = explain_by_horizon(bundle, table, asked.reasons)
    probabilities = bundle.probabilities(table)
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
            schema.PredictedRow(list(of_row), None if math.isnan(renewed) else float(renewed))
            for *of_row, renewed in zip(
                *by_horizon, bundle.renewal_probabilities(table, probabilities), strict=True
            )
        ],
    )


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
        for detail in _wrong(bundle, f"rows[{number}]", row)
    ]
    if details:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "The rows do not have the features of the model. GET /v1/models lists them.",
            tuple(details[:MOST_DETAILS]),
        )


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
