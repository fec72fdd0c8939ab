"""Boosted trees that tell amounts, as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.boosted import Boosted


@dataclass(frozen=True)
class Trees:
    """What tells accounts apart: share = level of the horizon x what the trees say.

    Attributes
    ----------
    text
        LightGBM's own text format; its columns are the model's features.
    levels
        By horizon in days, such that the expansions that they were learned from add as much by it
        as they did add.
    """

    text: str
    levels: Mapping[int, float]

    @cached_property
    def boosted(self) -> Boosted:
        """The trees, read from their text at first use."""
        return Boosted(self.text)

    def factors(self, cells: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give what the share of each row (n, features) is over the level, shape (n,)."""
        if not len(cells):
            return np.empty(0)
        return self.boosted.answers(cells)

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON values, the text by line."""
        return {"text": self.text.split("\n"), "levels": dict(self.levels)}
