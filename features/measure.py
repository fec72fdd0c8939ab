"""From facts to whole numbers at snapshots, in as few passes over the facts as there can be."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from features.declare import (
    Distinct,
    Duration,
    Extreme,
    Feature,
    Latest,
    Others,
    Ranked,
    Total,
    View,
    facts_of,
)
from features.grid import Grid
from features.recipes.distincts import distincts
from features.recipes.durations import durations
from features.recipes.extremes import extremes
from features.recipes.latest import latest
from features.recipes.others import others
from features.recipes.ranked import ranked
from features.recipes.totals import totals
from features.rows import Reader
from features.windows import Rows

POINT = ("account_id", "as_of_day")
_KINDS = (
    (Total, totals),
    (Others, others),
    (Distinct, distincts),
    (Extreme, extremes),
    (Latest, latest),
    (Ranked, ranked),
    (Duration, durations),
)

JOINS_AT_ONCE = 8
"""An engine plans a chain of joins anew at each link: so blocks are joined, and then the blocks."""


def measure(features: Iterable[Feature], reader: Reader, on: Grid, points: Rows) -> Rows:
    """Give points of the grid (account_id, as_of_day, …), with a column for each feature.

    A column is a whole number before its unit and its missing value, or the mean that a ranking
    found; beside another mean, and a sum that may be unknown, stands the number of its values.
    """
    chosen = tuple(features)
    parts = [
        reader.session.settle(run(together, reader, on))
        for kind, run in _KINDS
        for together in _in_passes([f for f in chosen if isinstance(f.recipe, kind)])
    ]
    if len(parts) <= JOINS_AT_ONCE:
        return _beside(points, parts)
    keys = points.select(*POINT)
    blocks = [
        reader.session.settle(_beside(keys, parts[first : first + JOINS_AT_ONCE]))
        for first in range(0, len(parts), JOINS_AT_ONCE)
    ]
    return _beside(points, blocks)


def _beside(points: Rows, parts: Sequence[Rows]) -> Rows:
    """Put the columns of parts beside each point."""
    for part in parts:
        points = points.join(part, on=list(POINT), how="left")
    return points


def _in_passes(features: Sequence[Feature]) -> list[list[Feature]]:
    """Put together what one pass over the facts can give."""
    return [list(together) for _, together in groupby(sorted(features, key=_pass), _pass)]


def _pass(feature: Feature) -> tuple[str, ...]:
    recipe, facts = feature.recipe, facts_of(feature)
    view = facts.table.name if isinstance(facts.table, View) else ""
    key = (facts.source_table, view, facts.at, facts.until or "")
    match recipe:
        case Others():
            more: tuple[str, ...] = (repr(recipe.among),)
        case Distinct():
            more = (recipe.key, repr(facts.where))
        case Extreme():
            at_snapshot = recipe.at_snapshot.__name__ if recipe.at_snapshot else ""
            more = (at_snapshot, str(feature.window))
        case Latest():
            more = (feature.column,)
        case Ranked():
            more = (recipe.key, repr(facts.where), repr(recipe.value))
        case Duration():
            more = (repr(recipe.since),)
        case _:
            more = ()
    return (*key, *more)
