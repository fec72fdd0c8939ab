"""Where a number stands among those of the other accounts, said where it stands far out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from features.declare import Unit
from features.sentences import fields, written

Tails = tuple[float | None, float | None, float | None, float | None]

TENTHS = (9, 8)
"""Of ten accounts so many at least lie on the other side; where it is fewer, nothing is said."""
_AMOUNTS = frozenset({Unit.MONEY, Unit.MONEY_PER_MONTH, Unit.POINTS, Unit.SHARE, Unit.RATIO})


@dataclass(frozen=True)
class Peers:
    """What the accounts of the last dates that a model learned from had.

    Attributes
    ----------
    tails
        By feature four bounds. Of all those accounts, with and without a value, at least nine in
        ten have more than any value below the first bound, eight in ten more than any below the
        second, eight in ten less than any above the third, nine in ten less than any above the
        fourth. None where too many have no value.
    """

    tails: Mapping[str, Tails]

    def standing(self, feature: str, value: float) -> tuple[bool, int] | None:
        """Say whether a value is high or low, and how many of ten accounts it lies beyond.

        None where it is beyond fewer than eight, or the feature is not known.
        """
        low9, low8, high8, high9 = self.tails.get(feature, (None,) * 4)
        for tenths, low, high in zip(TENTHS, (low9, low8), (high9, high8), strict=True):
            if low is not None and value < low:
                return False, tenths
            if high is not None and value > high:
                return True, tenths
        return None

    def beside(self, entry: Mapping[str, Any], value: float, text: str) -> str:
        """Add to an account's sentence where its number stands among those of the others.

        Parameters
        ----------
        entry
            The feature, as `features.catalog.catalog_json` gives it.
        value
            The account's.
        text
            Its sentence. Nothing is added where the number does not stand in it, since a reader
            would not know what is compared.
        """
        found = self.standing(entry["column"], value)
        if found is None or not _tells(entry):
            return text
        is_high, tenths = found
        of = f"{tenths} of 10 accounts"
        if value == 0 and not is_high and text.startswith("No "):
            return f"{text}; {of} have some"
        number = written(value, entry["unit"])
        if re.search(rf"(?<![\d.,]){re.escape(number)}(?!%|[.,]?\d)", text) is None:
            return text
        return f"{text}; {number} is {_word(entry['unit'], is_high=is_high)} than at {of}"

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON values."""
        return {"tails": {name: list(bounds) for name, bounds in self.tails.items()}}


def peers_from_json(told: Mapping[str, Any] | None) -> Peers | None:
    """Rebuild them from the JSON object of their fields; None where there were none."""
    if told is None:
        return None
    tails = {name: _tails(*bounds) for name, bounds in told["tails"].items()}
    return Peers(MappingProxyType(tails))


def _tails(*bounds: float | None) -> Tails:
    low9, low8, high8, high9 = (None if bound is None else float(bound) for bound in bounds)
    return low9, low8, high8, high9


def _tells(entry: Mapping[str, Any]) -> bool:
    """Say whether any of the feature's sentences tells its own number."""
    own = {"value", entry["column"]}
    texts = (text for text in entry["text"].values() if isinstance(text, str))
    return any(own & fields(text) for text in texts)


def _word(unit: str, *, is_high: bool) -> str:
    if unit in _AMOUNTS:
        return "higher" if is_high else "lower"
    return "more" if is_high else "fewer"
