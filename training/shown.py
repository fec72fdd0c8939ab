"""Figures as people read them: a number, a number with its interval, or a dash."""

from collections.abc import Mapping
from typing import Any


def cell(figure: Any, sign: str = "") -> str:  # noqa: ANN401 - a figure, a number or None
    """Write a figure with its interval, a number, or a dash."""
    if figure is None:
        return "-"
    if not isinstance(figure, Mapping):
        return _number(float(figure), sign)
    low, high = (_number(figure[end], sign) for end in ("low", "high"))
    return f"{_number(figure['value'], sign)} [{low}, {high}]"


def _number(value: float, sign: str) -> str:
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 20 else 3  # noqa: PLR2004 - three significant digits or so
    return f"{value:{sign},.{digits}f}"
