"""Feature rows as the numbers that a model computes with."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ModelError

Floats = NDArray[np.float64]


def feature_matrix(
    rows: pd.DataFrame,
    features: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    model: str,
) -> NDArray[np.float32]:
    """Pick the features by name as float32 (n, features); categories become their number.

    Raises
    ------
    ModelError
        When a column is absent or holds text where the model expects numbers.
    """
    missing = [name for name in features if name not in rows.columns]
    if missing:
        raise ModelError(
            f"Expected the {len(features)} feature columns of the model {model!r}, got rows "
            f"without {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''} "  # noqa: PLR2004 - three names make the sentence clear
            f"({len(missing)} absent). Build the features from the tables it was trained on."
        )
    cells = np.empty((len(rows), len(features)), dtype=np.float32)
    for at, name in enumerate(features):
        cells[:, at] = _numbers(rows[name], categories.get(name), model)
    return cells


def _numbers(column: pd.Series, known: Sequence[str] | None, model: str) -> Floats:
    if known is not None:
        codes = pd.Index(list(known), dtype="str").get_indexer(pd.Index(column.astype("str")))
        return np.where(codes < 0, np.nan, codes)
    try:
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"Expected numbers in the column {column.name!r} of the model {model!r}, "
            f"got {error}. Give a number, or leave it empty."
        ) from error
