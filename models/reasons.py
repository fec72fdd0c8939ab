"""From contributions to sentences: why a probability is what it is, in the account's numbers."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalog import sentence
from models.bundle import Bundle
from models.families import CONTEXT, family_of, in_order
from models.peers import Peers

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
    """Which columns measure which thing, and which family that is of."""

    entries: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...]
    members: npt.NDArray[np.bool_]
    families: tuple[str, ...]

    def sums(self, effects: Floats) -> Floats:
        return effects @ self.members.T.astype(np.float64)


def explain(
    bundle: Bundle, rows: pd.DataFrame, horizon_days: int, limit: int
) -> list[tuple[Reason, ...]]:
    """Give each row's strongest reasons, those that raise the probability first.

    The contributions of all columns that measure one subject (its windows, ratios and trends) are
    added up; the sentence is that of the column that pulls most in the sum's direction. Of each
    family one subject at most is among the first three.

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
    effects = bundle.contributions(rows, horizon_days)
    return _Writer(bundle, rows).reasons(effects, limit)


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
    explained = bundle.explained_by_horizon(rows)
    writer = _Writer(bundle, rows)
    return {days: writer.reasons(each.effects, limit) for days, each in explained.items()}


class _Writer:
    """Writes the reasons of rows; a sentence that several horizons share is written once."""

    def __init__(self, bundle: Bundle, rows: pd.DataFrame) -> None:
        self._subjects = _subjects(bundle)
        self._peers = bundle.peers or Peers({})
        entries = self._subjects.entries
        told = {*bundle.features, *(name for entry in entries for name in _named(entry))}
        known = rows.loc[:, [name for name in rows.columns if name in told]]
        self._records = known.to_dict("records")
        self._written: list[dict[int, str]] = [{} for _ in self._records]

    def reasons(self, effects: Floats, limit: int) -> list[tuple[Reason, ...]]:
        sums = self._subjects.sums(effects)
        return [self._of_row(row, effects[row], sums[row], limit) for row in range(len(sums))]

    def _of_row(self, row: int, effects: Floats, sums: Floats, limit: int) -> tuple[Reason, ...]:
        order = in_order(sums, self._subjects.families)[:limit]
        return tuple(self._reason(row, at, effects, float(sums[at])) for at in order)

    def _reason(self, row: int, subject: int, effects: Floats, effect: float) -> Reason:
        # A column that pulls against the sum would give the sum a wrong sentence.
        pull = effects * math.copysign(1.0, effect)
        column = int(np.where(self._subjects.members[subject], pull, -np.inf).argmax())
        entry, record = self._subjects.entries[column], self._records[row]
        value = _number(record[entry["column"]])
        text = self._written[row].get(column)
        if text is None:
            text = self._written[row][column] = _text(entry, record, value, self._peers)
        return Reason(entry["column"], value, effect, text)


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
    families = tuple(family_of(entries[own.argmax()]) for own in members)
    return _Subjects(entries, names, members, families)


def _named(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name the columns that an entry's sentence may tell of."""
    units: Mapping[str, Any] = entry.get("units", {})
    return units


def _text(
    entry: Mapping[str, Any], record: Mapping[Any, Any], value: float | None, peers: Peers
) -> str:
    if "text" in entry:
        text = sentence(entry, record)
        # That a term ends sooner than most says no more than when it ends.
        if value is None or family_of(entry) in CONTEXT:
            return text
        return peers.beside(entry, value, text)
    # A column of a ready table from elsewhere has a name and no sentence.
    if value is not None:
        return f"{entry['column']} is {value:,.6g}"
    cell = record[entry["column"]]
    return f"No {entry['column']} on record" if pd.isna(cell) else f"{entry['column']} is {cell}"


def _number(value: object) -> float | None:
    if isinstance(value, bool | int | float | np.number | np.bool_) and math.isfinite(value):
        return float(value)
    return None
