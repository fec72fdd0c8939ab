"""From contributions to sentences: why a probability is what it is, in the account's numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalog import sentence
from models.bundle import Bundle

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reason:
    """One subject's part in one probability.

    Attributes
    ----------
    feature:
        The column that carries most of it.
    value:
        That column's value, None where it is null or no number.
    effect:
        Log odds, all columns of the subject together; positive raises the probability.
    text:
        A sentence with the account's own numbers.
    """

    feature: str
    value: float | None
    effect: float
    text: str

    def to_json(self) -> dict[str, Any]:
        """Give the reason as the contract's {feature, value, effect, text}."""
        return asdict(self)


@dataclass(frozen=True)
class _Subjects:
    """Which columns measure which thing."""

    entries: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...]
    members: npt.NDArray[np.bool_]

    def sums(self, effects: Floats) -> Floats:
        return effects @ self.members.T.astype(np.float64)


def explain(
    bundle: Bundle, rows: pd.DataFrame, horizon_days: int, limit: int
) -> list[tuple[Reason, ...]]:
    """Give each row's strongest reasons, those that raise the probability first.

    The contributions of all columns that measure one subject (its windows, ratios and trends) are
    added up; the sentence is that of the column that pulls most in the sum's direction.

    Parameters
    ----------
    bundle:
        The model, with its catalogue.
    rows:
        A feature table: one row per account and date.
    horizon_days:
        One of the model's horizons; effects are averaged over its intervals.
    limit:
        At most so many reasons a row.

    Returns
    -------
    list of tuples of Reason
        One tuple a row, in the rows' order; a subject appears at most once, and one without an
        effect not at all.

    Raises
    ------
    ModelError
        When a feature column is absent, or the horizon is not one of the model's.
    """
    if limit < 1 or rows.empty:
        return [() for _ in range(len(rows))]
    return _worded(bundle, rows, bundle.contributions(rows, horizon_days), limit)


def explain_by_horizon(
    bundle: Bundle, rows: pd.DataFrame, limit: int
) -> dict[int, list[tuple[Reason, ...]]]:
    """Give what `explain` gives at each of the model's horizons, for the price of the longest.

    Raises
    ------
    ModelError
        When a feature column is absent.
    """
    if limit < 1:
        return {days: [()] * len(rows) for days in bundle.question.horizons_days}
    return {
        days: _worded(bundle, rows, explained.effects, limit)
        for days, explained in bundle.explained_by_horizon(rows).items()
    }


def _worded(
    bundle: Bundle, rows: pd.DataFrame, effects: Floats, limit: int
) -> list[tuple[Reason, ...]]:
    subjects = _subjects(bundle)
    told = {*bundle.features, *(name for entry in subjects.entries for name in _named(entry))}
    records = rows.loc[:, [name for name in rows.columns if name in told]].to_dict("records")
    return [
        tuple(_reasons(subjects, own, sums, record, limit))
        for own, sums, record in zip(effects, subjects.sums(effects), records, strict=True)
    ]


def importance(bundle: Bundle, rows: pd.DataFrame, horizon_days: int) -> dict[str, float]:
    """Give the mean absolute effect of each subject over rows, in log odds, largest first."""
    subjects = _subjects(bundle)
    mean = np.abs(subjects.sums(bundle.contributions(rows, horizon_days))).mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    return {subjects.names[at]: float(mean[at]) for at in order}


def _subjects(bundle: Bundle) -> _Subjects:
    by_column = {entry["column"]: entry for entry in bundle.catalogue}
    entries = tuple(by_column.get(column, {"column": column}) for column in bundle.features)
    measured = [str(entry.get("subject") or entry["column"]) for entry in entries]
    names = tuple(dict.fromkeys(measured))
    members = np.array([[name == own for own in measured] for name in names], dtype=bool)
    return _Subjects(entries, names, members)


def _reasons(
    subjects: _Subjects, effects: Floats, sums: Floats, record: Mapping[Any, Any], limit: int
) -> list[Reason]:
    # Raising ones first, the strongest of them leading; then the strongest of the lowering ones.
    order = sorted(np.flatnonzero(sums), key=lambda at: (sums[at] < 0, -abs(sums[at])))
    return [
        _reason(subjects.entries, effects, subjects.members[at], float(sums[at]), record)
        for at in order[:limit]
    ]


def _reason(
    entries: Sequence[Mapping[str, Any]],
    effects: Floats,
    members: npt.NDArray[np.bool_],
    effect: float,
    record: Mapping[Any, Any],
) -> Reason:
    # A column that pulls against the sum would give the sum a wrong sentence.
    pull = np.where(members, effects * math.copysign(1.0, effect), -np.inf)
    entry = entries[int(pull.argmax())]
    value = _number(record[entry["column"]])
    return Reason(entry["column"], value, effect, _text(entry, record))


def _named(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name the columns that an entry's sentence may tell of."""
    units: Mapping[str, Any] = entry.get("units", {})
    return units


def _text(entry: Mapping[str, Any], record: Mapping[Any, Any]) -> str:
    if "text" in entry:
        return sentence(entry, record)
    # A column of a ready table from elsewhere has a name and no sentence.
    value = record[entry["column"]]
    number = _number(value)
    if number is not None:
        return f"{entry['column']} is {number:,.6g}"
    return f"No {entry['column']} on record" if pd.isna(value) else f"{entry['column']} is {value}"


def _number(value: object) -> float | None:
    if isinstance(value, bool | int | float | np.number | np.bool_) and math.isfinite(value):
        return float(value)
    return None
