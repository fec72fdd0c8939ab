"""The leak audit: columns of a feature table that know, or look as if they knew, the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Kind = Literal[
    "decides the outcome",
    "filled after the end",
    "names a row",
    "constant",
]


@dataclass(frozen=True)
class Finding:
    """One column that the audit names.

    Attributes
    ----------
    kind
        What is wrong with it.
    column
        Its name in the table.
    message
        One sentence with the figures behind it.
    blocking
        Whether a model leaves the column out unless somebody takes it on themselves.
    """

    kind: Kind
    column: str
    message: str
    blocking: bool


def audit(
    frame: pd.DataFrame, outcome: np.ndarray, features: Sequence[str] | None = None
) -> tuple[Finding, ...]:
    """Findings on the columns of `frame` held against a known outcome.

    Parameters
    ----------
    frame
        One row per account, or per account and date; any column types.
    outcome
        0 or 1 per row of `frame`; NaN rows (unknown outcome) are left aside.
    features
        The columns to look at; all of them when not given.

    Returns
    -------
    tuple of Finding
        Worst first; empty for a table that gives no ground for suspicion.
    """
    raise NotImplementedError
