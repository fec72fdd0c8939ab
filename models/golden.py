"""The golden set: made-up rows, and the probabilities that a model gave them when it was kept.

A promotion asks the model, as it comes out of the registry then, for the same ones. No row is a
customer's: the values lie around the places at which the model changes its mind.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import intervals
from models.bundle import Bundle
from models.made_from import demand_registered

Floats = NDArray[np.float64]

GOLDEN_FILE = "golden.json"
ROWS = 24
MISSING_SHARE = 0.15
BESIDE = (0.5, 0.999, 1.001, 1.5)
"""Where values lie, as a share of one at which the answer changes: close beside it, and farther."""
UNSEEN = "a value that was never seen"
LARGEST = float(np.finfo(np.float32).max) / max(BESIDE)
"""Features are kept in 32 bits."""
TERMS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {intervals.TERM_END: (20.0, 60.0, 130.0, 300.0), intervals.TERM_MONTHS: (1.0, 12.0)}
)
"""What tells of the signed term is asked of every model: values in each interval, and terms."""


@dataclass(frozen=True)
class Golden:
    """A golden set.

    Attributes
    ----------
    rows
        By feature, and by what tells of the signed term: numbers or categories, missing ones too.
    probabilities
        What the model gave them by horizon, shape (n, horizons).
    """

    rows: pd.DataFrame
    probabilities: Floats

    def to_text(self) -> str:
        """Give the set as JSON text; no number loses a bit by it."""
        cells = {name: [_plain(cell) for cell in self.rows[name]] for name in self.rows}
        kept = {"rows": cells, "probabilities": self.probabilities.tolist()}
        return json.dumps(kept, indent=1, allow_nan=False) + "\n"


def golden_set(bundle: Bundle) -> Golden:
    """Make the golden set of a model; the same for the same model.

    The first row lacks every value, and the second has only categories that the model does not
    know.
    """
    rng = np.random.default_rng(0)
    turns = _turning_points(bundle)
    names = dict.fromkeys((*bundle.features, *TERMS))
    columns = {name: _column(name, bundle, turns, rng) for name in names}
    rows = pd.DataFrame(columns)
    return Golden(rows, bundle.probabilities(rows))


def golden_from_text(text: str, registered: str | None, version: str) -> Golden:
    """Read a golden set back.

    Parameters
    ----------
    registered
        SHA-256 of the text that the registry keeps with the version.
    version
        Model and number, for the error.

    Raises
    ------
    ModelError
        When the text is not the one that was registered.
    """
    demand_registered(text, registered, f"golden set of {version}")
    kept = json.loads(text)
    rows = pd.DataFrame({name: _series(cells) for name, cells in kept["rows"].items()})
    return Golden(rows, np.array(kept["probabilities"], dtype=float))


def _column(
    name: str, bundle: Bundle, turns: Mapping[str, Floats], rng: np.random.Generator
) -> pd.Series:
    """Draw the values of one column, its first missing as some others are."""
    missing = rng.random(ROWS) < MISSING_SHARE
    missing[0] = True
    if name in bundle.categories:
        known = np.resize(rng.permutation(bundle.categories[name] or (UNSEEN,)), ROWS).astype(
            object
        )
        unseen = rng.random(ROWS) < MISSING_SHARE
        missing[1], unseen[1] = False, True
        return pd.Series(np.where(unseen, UNSEEN, known), dtype=object).mask(missing, None)
    around = turns.get(name, np.array(TERMS.get(name, (1.0,))))
    values = rng.choice(around, ROWS) * rng.choice(BESIDE, ROWS)
    return pd.Series(np.where(missing, np.nan, values))


def _turning_points(bundle: Bundle) -> dict[str, Floats]:
    """Give the values of each column around which the model's answer changes."""
    if bundle.linear is not None:
        centres, spreads = np.array(bundle.linear.centres), np.array(bundle.linear.spreads)
        placed = centres + spreads * np.array([[-2.0], [0.0], [2.0]])
        values = np.sign(placed) * np.expm1(np.abs(placed))
        return dict(zip(bundle.columns, values.T, strict=True))
    found: dict[str, list[float]] = {}
    lines = bundle.booster_text.splitlines()
    which = (_numbers(line) for line in lines if line.startswith("split_feature="))
    where = (_numbers(line) for line in lines if line.startswith("threshold="))
    for features, thresholds in zip(which, where, strict=True):
        for feature, threshold in zip(features, thresholds, strict=True):
            found.setdefault(bundle.columns[int(feature)], []).append(threshold)
    placed = {name: _placed(values) for name, values in found.items()}
    return {name: values for name, values in placed.items() if len(values)}


def _placed(values: Sequence[float]) -> Floats:
    """Keep where a feature can lie: LightGBM parts any value from a missing one at the largest."""
    return np.unique([value for value in values if abs(value) < LARGEST])


def _numbers(line: str) -> list[float]:
    return [float(word) for word in line.partition("=")[2].split()]


def _plain(cell: str | float | None) -> str | float | None:
    if isinstance(cell, str):
        return cell
    return None if cell is None or np.isnan(cell) else float(cell)


def _series(cells: Sequence[str | float | None]) -> pd.Series:
    is_text = any(isinstance(cell, str) for cell in cells)
    return pd.Series(cells, dtype=object if is_text else float)
