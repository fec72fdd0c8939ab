"""The fewest rows of a drawn company that still show a leak: what a person wants to look at."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from features.battery.drawn import Draw, Row, Tables, draw_company
from features.battery.trial import Difference, differences_of
from features.declare import Feature
from features.engine import Engine

Leaks = Callable[[Tables], bool]


def smallest_leak(
    draw: Draw, world: str, feature: Feature, *, engine: Engine = Engine.POLARS
) -> Tables:
    """Delete rows of a drawn company as long as the feature still leaks, and give what is left.

    Raises
    ------
    ValueError
        When it does not leak in this company and world.
    """
    with TemporaryDirectory(prefix="tenure-") as work:
        numbers = count()

        def leaks(tables: Tables) -> bool:
            folder = Path(work) / str(next(numbers))
            drawn = [(draw, tables)]
            return bool(differences_of(drawn, [world], folder, features=[feature], engine=engine))

        tables = draw_company(draw)
        if not leaks(tables):
            raise ValueError(f"Expected a leak of {feature.column} in {draw}, got none.")
        for name in tables:
            if name != "accounts":
                tables = {**tables, name: _fewest(tables, name, leaks)}
    return {name: rows for name, rows in tables.items() if rows}


def shown(found: Sequence[Difference], draws: Iterable[Draw], features: Iterable[Feature]) -> str:
    """Name what leaks, and give the fewest rows that show the first of it; "" of nothing found."""
    if not found:
        return ""
    columns = ", ".join(sorted({each.column for each in found}))
    lines = [f"{len(found)} numbers hang on what was not known yet: {columns}"]
    declared = {feature.column: feature for feature in features}
    first = next((each for each in found if each.column in declared), None)
    if first:
        draw = next(draw for draw in draws if str(draw) == first.draw)
        lines.append(f"{first}; as_of {draw.as_of}; the rows that show it:")
        tables = smallest_leak(draw, first.world, declared[first.column])
        lines += [f"{name}: {row}" for name, rows in tables.items() for row in rows]
    return "\n".join(lines)


def _fewest(tables: Tables, name: str, leaks: Leaks) -> list[Row]:
    """Delete all rows of a table, or halves, quarters and so on down to single rows."""
    rows = tables[name]
    size = len(rows)
    while size:
        start = 0
        while start < len(rows):
            fewer = rows[:start] + rows[start + size :]
            if leaks({**tables, name: fewer}):
                rows = fewer
            else:
                start += size
        size //= 2
    return rows
