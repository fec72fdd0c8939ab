"""Other worlds: the same past with no future, with another one, and told a second time."""

import random
from datetime import datetime, timedelta

from features.battery.drawn import Draw, Row, Tables, draw_company
from features.battery.known import LATER_FACTS, as_known, known_at, months_before
from features.contracts import TABLES

_OTHER = 1_000_003
"""Added to a draw's seed, it gives the company whose future is borrowed."""
_FILLED_IN = 0.6


def with_other_future(tables: Tables, draw: Draw) -> Tables:
    """Give a company of the same past at the draw's date, of which all that follows is another's.

    Rows that become known then are others, facts that are filled in then are others, and where the
    source has versions, rows are corrected in other ways.
    """
    as_of = draw.as_of
    dice = random.Random(f"future {draw.seed} {draw.day}")  # noqa: S311 - no secret
    first_number = 0 if draw.is_versioned else 1000
    borrowed = draw_company(
        Draw(draw.seed + _OTHER, draw.day, draw.is_versioned, draw.rows), first_number=first_number
    )
    worlds = {}
    for name, rows in as_known(tables, as_of).items():
        past = [_filled_in(name, row, as_of, dice) for row in rows]
        worlds[name] = past + _after(name, borrowed[name], past, as_of)
    return worlds


def told_again(tables: Tables, draw: Draw) -> Tables:
    """Give what was known, with the newest versions recorded once more, unchanged, before then."""
    dice = random.Random(f"again {draw.seed} {draw.day}")  # noqa: S311 - no secret
    worlds = {}
    for name, rows in as_known(tables, draw.as_of).items():
        newest = {_key(name, row): row for row in sorted(rows, key=_recorded)}
        copies = [_later_copy(row, draw.as_of, dice) for row in newest.values()]
        worlds[name] = rows + (copies if TABLES[name].key else [])
    return worlds


def _filled_in(table: str, row: Row, as_of: datetime, dice: random.Random) -> Row:
    """Let facts follow that have not happened yet, some at the very date."""
    filled = dict(row)
    for time, values in LATER_FACTS.get(table, {}).items():
        if filled[time] is None and dice.random() < _FILLED_IN:
            filled[time] = as_of + timedelta(days=dice.choice((0, 0, 1, 5, 200)))
            filled |= {value: _garbage(value, dice) for value in values}
    if table == "subscriptions" and filled["renews_at"] is None and "recorded_at" not in row:
        months = filled["term_months"] or 1
        filled["renews_at"] = _term_end_after(as_of, months + dice.choice((0, 1, 12)))
    return filled


def _term_end_after(as_of: datetime, months: int) -> datetime:
    """Give the end of a term of so many months that began a day or more after the date."""
    return months_before(as_of + timedelta(days=5), -months)


def _garbage(value: str, dice: random.Random) -> object:
    return dice.choice((1.0, 5.0)) if value == "csat" else dice.choice(("product", "other"))


def _after(table: str, borrowed: list[Row], past: list[Row], as_of: datetime) -> list[Row]:
    """Give the borrowed rows that become known at the date or after it, under keys of their own."""
    taken = {_full_key(table, row) for row in past}
    added = []
    for row in borrowed:
        moved = dict(row)
        if "recorded_at" in moved:
            moved["recorded_at"] += timedelta(microseconds=7)
        key = _full_key(table, moved)
        is_new = not TABLES[table].key or key not in taken
        if is_new and known_at(table, moved) >= as_of:
            taken.add(key)
            added.append(moved)
    return added


def _later_copy(row: Row, as_of: datetime, dice: random.Random) -> Row:
    return {**row, "recorded_at": _recorded(row) + (as_of - _recorded(row)) * dice.random()}


def _recorded(row: Row) -> datetime:
    recorded: datetime = row["recorded_at"]
    return recorded


def _key(table: str, row: Row) -> tuple[object, ...]:
    return tuple(row[column] for column in TABLES[table].key)


def _full_key(table: str, row: Row) -> tuple[object, ...]:
    return (*_key(table, row), row.get("recorded_at"))
