"""The sentence that a CSM reads: a catalogue entry with an account's own numbers."""

import math
import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from features.declare import Unit

_NOUN = re.compile(
    r"(?P<number>[\d.,]+)(?P<between>[^\d\[]*)\[(?P<one>[^|\]]*)\|(?P<many>[^\]]*)\]"
)
_COUNTS = frozenset(
    {
        Unit.EVENTS,
        Unit.USERS,
        Unit.ITEMS,
        Unit.TICKETS,
        Unit.INVOICES,
        Unit.PAYMENTS,
        Unit.SEATS,
        Unit.MONTHS,
    }
)


def sentence(entry: Mapping[str, Any], row: Mapping[str, float]) -> str:
    """Give the sentence that a CSM reads: a catalogue entry with an account's own numbers.

    Parameters
    ----------
    entry
        As `features.catalog.catalog_json` gives it.
    row
        The account's feature row; a missing column, None and NaN are null.

    Returns
    -------
    str
        The text of the entry whose numbers are all there; its `missing` text when none is.
    """
    text = entry["text"]
    value = _number(row.get(entry["column"]))
    if value is None:
        return str(text["missing"])
    units = {**entry["units"], "value": entry["unit"]}
    numbers = {name: _number(row.get(name)) for name in entry["units"]}
    moved = _moved(text, value, row)
    if moved is not None and all(numbers[name] is not None for name in fields(moved) - {"value"}):
        return _filled(moved, {**numbers, "value": abs(value)}, units)
    if all(numbers[name] is not None for name in fields(text["level"]) - {"value"}):
        return _filled(text["level"], {**numbers, "value": value}, units)
    return f"{str(entry['description']).rstrip('.')}: {written(value, entry['unit'])}"


def fields(template: str) -> set[str]:
    """Name the columns in a template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def written(value: float, unit: str) -> str:
    """Write a number in its unit: counts and days whole, money with separators, shares in %."""
    if unit == Unit.SHARE:
        return f"{value:.0%}"
    if unit == Unit.DAYS or abs(value) >= 100:  # noqa: PLR2004 - from there fractions say nothing
        return f"{round(value):,}"
    if unit in _COUNTS and (value == round(value) or abs(value) >= 10):  # noqa: PLR2004 - as above
        return f"{round(value):,}"
    if unit in {Unit.MONEY, Unit.MONEY_PER_MONTH}:
        return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
    return f"{value:.1f}"


def _moved(text: Mapping[str, Any], value: float, row: Mapping[str, float]) -> str | None:
    """Give the rising or falling template, if the value differs from what it is held against."""
    against = text["against"]
    pivot = _number(row.get(against)) if isinstance(against, str) else against
    if pivot is None or value == pivot:
        return None
    template: str | None = text["rising"] if value > pivot else text["falling"]
    return template


def _filled(template: str, numbers: Mapping[str, float | None], units: Mapping[str, str]) -> str:
    shown = {
        name: written(number, units[name]) for name, number in numbers.items() if number is not None
    }
    return _NOUN.sub(_agreed, template.format(**shown))


def _agreed(found: re.Match[str]) -> str:
    """Choose from `[ticket is|tickets are]` what agrees with the number before it."""
    noun = found["one"] if found["number"] == "1" else found["many"]
    return f"{found['number']}{found['between']}{noun}"


def _number(value: Any) -> float | None:  # noqa: ANN401 - rows come from JSON, NumPy and pandas
    return None if value is None or math.isnan(value) else float(value)
