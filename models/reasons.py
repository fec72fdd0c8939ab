"""From contributions to sentences: why a probability is what it is, in the account's numbers."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalog import sentence
from models.bundle import Bundle
from models.families import CONTEXT, family_of
from models.peers import Peers

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

STRETCH = 2_000
"""Rows that are explained at once."""


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
        return {
            "feature": self.feature,
            "value": self.value,
            "effect": self.effect,
            "text": self.text,
        }


@dataclass(frozen=True)
class _Subjects:
    """Which columns measure which thing, and which family that is of."""

    entries: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...]
    of_column: Whole
    families: tuple[str, ...]

    def found(self, effects: Floats) -> tuple[Floats, Whole, Whole]:
        """Give by row and subject the sum of the effects, and the highest and lowest column."""
        from models.leading import add_up_subjects  # noqa: PLC0415 - Numba is loaded where it runs

        shape = (len(effects), len(self.names))
        sums, highest, lowest = np.empty(shape), np.empty(shape, int), np.empty(shape, int)
        add_up_subjects(effects, self.of_column, sums, highest, lowest)
        return sums, highest, lowest

    def in_order(self, sums: Floats, limit: int) -> Whole:
        """Give by row the first subjects in the order in which they speak; -1 for no more."""
        from models.leading import put_in_order  # noqa: PLC0415 - as above

        known = tuple(dict.fromkeys(self.families))
        family_of = np.array([known.index(family) for family in self.families])
        is_context = np.array([family in CONTEXT for family in known])
        order = np.empty((len(sums), min(limit, len(self.names))), int)
        put_in_order(sums, family_of, is_context, order)
        return order


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
    subjects = _subjects(bundle)
    return [
        told
        for part in _stretches(rows)
        for told in _Writer(bundle, subjects, part).reasons(
            bundle.contributions(part, horizon_days), limit
        )
    ]


def explain_by_horizon(
    bundle: Bundle, rows: pd.DataFrame, limit: int
) -> dict[int, list[tuple[Reason, ...]]]:
    """Give what `explain` gives at each of the model's horizons, for the price of the longest.

    Raises
    ------
    ModelError
        When a feature column is absent.
    """
    horizons = bundle.question.horizons_days
    if limit < 1:
        return {days: [()] * len(rows) for days in horizons}
    subjects = _subjects(bundle)
    told: dict[int, list[tuple[Reason, ...]]] = {days: [] for days in horizons}
    for part in _stretches(rows):
        writer = _Writer(bundle, subjects, part)
        for days, each in bundle.explained_by_horizon(part).items():
            told[days] += writer.reasons(each.effects, limit)
    return told


def _stretches(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Give rows a stretch at a time: what columns add to each is held for no more at once."""
    for start in range(0, max(len(rows), 1), STRETCH):
        yield rows.iloc[start : start + STRETCH]


class _Writer:
    """Writes the reasons of rows; a sentence that several horizons share is written once."""

    def __init__(self, bundle: Bundle, subjects: _Subjects, rows: pd.DataFrame) -> None:
        self._subjects = subjects
        self._peers = bundle.peers or Peers({})
        self._rows, self._names = rows, frozenset(rows.columns)
        self._cells: dict[str, list[Any]] = {}
        self._written: list[dict[int, tuple[float | None, str]]] = [{} for _ in range(len(rows))]

    def reasons(self, effects: Floats, limit: int) -> list[tuple[Reason, ...]]:
        sums, highest, lowest = self._subjects.found(effects)
        order = self._subjects.in_order(sums, limit)
        at = np.maximum(order, 0)
        effect = np.take_along_axis(sums, at, axis=1)
        # A column that pulls against the sum would give the sum a wrong sentence.
        speaker = np.take_along_axis(np.where(sums > 0, highest, lowest), at, axis=1)
        speaker = np.where(order < 0, -1, speaker)
        return [
            tuple(
                self._reason(row, column, own)
                for column, own in zip(columns, own_effects, strict=True)
                if column >= 0
            )
            for row, (columns, own_effects) in enumerate(
                zip(speaker.tolist(), effect.tolist(), strict=True)
            )
        ]

    def _reason(self, row: int, column: int, effect: float) -> Reason:
        entry = self._subjects.entries[column]
        told = self._written[row].get(column)
        if told is None:
            told = self._written[row][column] = self._told(row, entry)
        return Reason(entry["column"], told[0], effect, told[1])

    def _told(self, row: int, entry: Mapping[str, Any]) -> tuple[float | None, str]:
        """Give the value and the sentence."""
        named = (entry["column"], *_named(entry))
        record = {name: self._of(name)[row] for name in named if name in self._names}
        value = _number(record[entry["column"]])
        return value, _text(entry, record, value, self._peers)

    def _of(self, name: str) -> list[Any]:
        """Give a column's cells, as Python has them."""
        if name not in self._cells:
            self._cells[name] = self._rows[name].tolist()
        return self._cells[name]


def importance(bundle: Bundle, rows: pd.DataFrame, horizon_days: int) -> dict[str, float]:
    """Give the mean absolute effect of each subject over rows, in log odds, largest first."""
    subjects = _subjects(bundle)
    sums, *_ = subjects.found(bundle.contributions(rows, horizon_days))
    mean = np.abs(sums).mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    return {subjects.names[at]: float(mean[at]) for at in order}


def effects_by_subject(bundle: Bundle, rows: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Give what each subject adds to the log odds of each row, a column for each subject.

    Raises
    ------
    ModelError
        When a feature column is absent, or the horizon is not one of the model's.
    """
    subjects = _subjects(bundle)
    parts = [
        subjects.found(bundle.contributions(part, horizon_days))[0] for part in _stretches(rows)
    ]
    return pd.DataFrame(np.concatenate(parts), index=rows.index, columns=list(subjects.names))


def _subjects(bundle: Bundle) -> _Subjects:
    by_column = {entry["column"]: entry for entry in bundle.catalogue}
    entries = tuple(by_column.get(column, {"column": column}) for column in bundle.features)
    measured = [str(entry.get("subject") or entry["column"]) for entry in entries]
    names = tuple(dict.fromkeys(measured))
    families = tuple(family_of(entries[measured.index(name)]) for name in names)
    return _Subjects(entries, names, np.array([names.index(own) for own in measured]), families)


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
