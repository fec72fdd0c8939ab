"""Which features a fold over a log can give, and what each asks of it; derived from declarations.

A fact of a log stands at the row's first time and never ends, so a window of days is all that
decides which snapshots see it: counts, sums of a column, different texts, the first of texts by
their sums, days with any row, and the first or last day can be read from what a single pass keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import NarwhalsError

from features.contracts import TABLES, Type
from features.declare import (
    Distinct,
    Extreme,
    Facts,
    Feature,
    Formula,
    Ranked,
    Total,
    View,
    facts_of,
)
from features.families.usage import days_of_use


@dataclass(frozen=True)
class Condition:
    """Which rows count: those whose text in a column fulfils an expression; else every row."""

    column: str | None = None
    where: nw.Expr | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def holds(self, texts: Sequence[str | None]) -> list[bool]:
        """Tell of each text whether it fulfils the expression; null is no."""
        if self.where is None:
            return [True] * len(texts)
        column = pa.array(texts, pa.string())
        frame = nw.from_native(pa.table({self.column: column}), eager_only=True)
        answers: list[bool | None] = frame.select(holds=self.where)["holds"].to_list()
        return [bool(answer) for answer in answers]


def is_folded(feature: Feature) -> bool:
    """Tell whether a fold over its log gives this feature."""
    recipe = feature.recipe
    if isinstance(recipe, Formula) or not _is_of_a_log(recipe.facts):
        return False
    is_ever = feature.window.days is None
    if isinstance(recipe.facts.table, View):
        is_count = isinstance(recipe, Total) and recipe.value is None and not recipe.mean
        return is_count and recipe.facts.where is None and not is_ever
    match recipe:
        case Total():
            return _adds_a_column(recipe)
        case Distinct() | Ranked():
            is_text = _type(recipe.facts, recipe.key) is Type.TEXT
            return is_text and (isinstance(recipe, Distinct) or _adds_a_column(recipe))
        case Extreme():
            is_day = repr(recipe.value) == repr(nw.col("at_day")) and recipe.at_snapshot is None
            return is_day and (is_ever or recipe.pick == "max")
        case _:
            return False


def _is_of_a_log(facts: Facts) -> bool:
    table = TABLES[facts.source_table]
    if isinstance(facts.table, View) and facts.table.make is not days_of_use:
        return False
    is_moment = facts.at == table.first_time and facts.until is None
    return table.is_log and is_moment and condition(facts) is not None


def condition(facts: Facts) -> Condition | None:
    """Give the condition of facts, or None where it is not one on a single text column."""
    if facts.where is None:
        return Condition()
    for name in facts.uses:
        if _type(facts, name) is Type.TEXT:
            alone = Condition(name, facts.where)
            try:
                alone.holds([])
            except NarwhalsError:
                continue
            return alone
    return None


def condition_of(feature: Feature) -> Condition:
    """Give the condition of a feature that a fold can give."""
    chosen = condition(facts_of(feature))
    if chosen is None:
        raise TypeError(f"Expected a feature that can be folded, got {feature.column}.")
    return chosen


def _adds_a_column(recipe: Total | Ranked) -> bool:
    is_mean = isinstance(recipe, Ranked) and recipe.mean
    return not is_mean and (recipe.value is None or value_column(recipe) is not None)


def value_column(recipe: Total | Ranked) -> str | None:
    """Name the column that is added up, if it is a plain one that is never null."""
    for column in TABLES[recipe.facts.source_table]:
        is_summed = column.dtype is Type.NUMBER and column.default is not None
        if is_summed and repr(recipe.value) == repr(nw.col(column.name)):
            return column.name
    return None


def _type(facts: Facts, name: str) -> Type | None:
    columns = {column.name: column.dtype for column in TABLES[facts.source_table]}
    return columns.get(name)


@dataclass(frozen=True)
class Segments:
    """The stretches of days between the edges of windows: each window is a row of them.

    Parameters
    ----------
    of_day
        By day from the first: the segment, or -1 where no window reaches.
    ranges
        By window and snapshot: the first segment and the one after the last.
    count
        How many there are.
    """

    of_day: np.ndarray[tuple[int], np.dtype[np.int32]]
    ranges: np.ndarray[tuple[int, int, int], np.dtype[np.int32]]
    count: int

    def reach(self, low: int, high: int) -> bool:
        """Tell whether a window reaches a day from low to high, both included."""
        return bool((self.of_day[low : high + 1] >= 0).any())


def segments(spans: Sequence[Sequence[tuple[int, int]]], length: int) -> Segments:
    """Cut the days at the edges of windows.

    `spans` gives by window and snapshot the first day, counted from the first of all, and the one
    after the last; `length` is how many days there are.
    """
    clipped = np.clip(np.array(spans, np.int64), 0, length)
    edges = np.unique(clipped)
    ranges = np.searchsorted(edges, clipped).astype(np.int32)
    covered = np.zeros(len(edges), bool)
    for low, high in ranges.reshape(-1, 2):
        covered[low:high] = True
    at = np.searchsorted(edges, np.arange(length), side="right") - 1
    of_day = np.where((at >= 0) & covered[at], at, -1).astype(np.int32)
    return Segments(of_day, ranges, max(len(edges) - 1, 1))
