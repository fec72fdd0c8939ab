"""The sentence that a CSM reads: a catalogue entry with an account's own numbers."""

import math
import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from features.declare import Unit

_NOUN = re.compile(
    r"(?P<number>\d[\d.,]*)(?P<between>[^\d\[]*)\[(?P<one>[^|\]]*)\|(?P<many>[^\]]*)\]"
)
_NONE = re.compile(
    r"(?<=[,;] )0(?= (?:in|of|on|was|were|failed|opened|escalated)\b)|(?<=from )0(?= in\b)"
)
_TODAY = re.compile(r"\bin 0 days\b")
_NEARLY_ALL = 0.995  # from there a share is rounded to 100%
_WHOLE_COUNTS_FROM, _WHOLE_FROM = 10, 100  # from there fractions say nothing
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
        The first text of the entry whose numbers are all there: the one of the direction, if the
        numbers have one, then `beside`, then `level`; its `missing` text when the value is null.
    """
    text = entry["text"]
    value = _number(row.get(entry["column"]))
    if value is None:
        return str(text["missing"])
    units = {**entry["units"], entry["column"]: entry["unit"], "value": entry["unit"]}
    found = {name: _number(row.get(name)) for name in units}
    numbers = {name: number for name, number in found.items() if number is not None}
    numbers["value"] = value
    way, compared = _way(text, numbers, units)
    for told, shown in ((way, compared), ("beside", numbers), ("level", numbers)):
        template = text.get(told)
        if template is not None and fields(template) <= shown.keys():
            return _filled(template, shown, units)
    return f"{str(entry['description']).rstrip('.')}: {written(value, entry['unit'])}"


def fields(template: str) -> set[str]:
    """Name the columns in a template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def written(value: float, unit: str) -> str:
    """Write a number in its unit: counts, days and minutes whole, money exact, shares in %."""
    if unit == Unit.SHARE:
        return "over 99%" if _NEARLY_ALL <= value < 1 else f"{value:,.0%}"
    if unit in {Unit.DAYS, Unit.MINUTES} or abs(value) >= _WHOLE_FROM:
        return f"{round(value):,}"
    is_money = unit in {Unit.MONEY, Unit.MONEY_PER_MONTH}
    places = 2 if is_money else 1
    rounded = round(value, places)
    is_whole = rounded == round(rounded) and (is_money or unit in _COUNTS)
    if is_whole or (unit in _COUNTS and abs(rounded) >= _WHOLE_COUNTS_FROM):
        return f"{round(rounded):,}"
    return f"{rounded:.{places}f}"


def _way(
    text: Mapping[str, Any], numbers: Mapping[str, float], units: Mapping[str, str]
) -> tuple[str, Mapping[str, float]]:
    """Say whether the compared number is rising, falling or equal, and give the numbers to write.

    No way at all where the two numbers differ and would be written alike: a reader would see the
    direction denied.
    """
    name, against = text.get("now") or "value", text.get("against")
    now = numbers.get(name)
    pivot = numbers.get(against) if isinstance(against, str) else against
    if now is None or pivot is None:
        return "", numbers
    if now == pivot:
        return "equal", numbers
    size = now if isinstance(against, str) else abs(now)
    if written(size, units[name]) == written(pivot, units[name]):
        return "", numbers
    return "rising" if now > pivot else "falling", {**numbers, name: size}


def _filled(template: str, numbers: Mapping[str, float], units: Mapping[str, str]) -> str:
    said = template.format(**{name: written(numbers[name], units[name]) for name in numbers})
    counted = _NOUN.match(said)
    # A second noun may stand after the first one, and agree with the same number.
    said = _NOUN.sub(_agreed, _NOUN.sub(_agreed, said))
    if counted and counted["number"] == "0":
        said = said.replace("0", "No", 1)
    return _TODAY.sub("today", _NONE.sub("none", said))


def _agreed(found: re.Match[str]) -> str:
    """Choose from `[ticket is|tickets are]` what agrees with the number before it."""
    noun = found["one"] if found["number"] == "1" else found["many"]
    return f"{found['number']}{found['between']}{noun}"


def _number(value: Any) -> float | None:  # noqa: ANN401 - rows come from JSON, NumPy and pandas
    return None if value is None or math.isnan(value) else float(value)
