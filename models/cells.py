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
    chosen = rows[list(features)]
    if not categories and (chosen.dtypes == np.dtype(np.float64)).all():
        return chosen.to_numpy(dtype=np.float32)
    cells = np.empty((len(rows), len(features)), dtype=np.float32)
    for at, name in enumerate(features):
        cells[:, at] = _numbers(rows[name], categories.get(name), model)
    return cells


def feature_row(
    values: Mapping[str, str | float | None],
    features: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    model: str,
) -> NDArray[np.float32]:
    """Give of one row by name, None where nothing is known, what `feature_matrix` gives of a table.

    Raises
    ------
    ModelError
        When a feature is absent, or text where the model expects a number.
    """
    try:
        told = [*map(values.__getitem__, features)]  # twice as fast as to write it out
        for name in categories:
            at, value = features.index(name), values[name]
            told[at] = categories[name].index(str(value)) if value in categories[name] else None
        return np.array([told], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"Expected the {len(features)} features of the model {model!r}, numbers or nothing but "
            f"for its {len(categories)} categories, got {error!r}. Give each of them once."
        ) from error


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
