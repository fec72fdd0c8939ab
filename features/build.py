"""From an account's history to its feature row at each snapshot."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from features.checked import CheckedSource
from features.declare import Feature
from features.engine import Engine


def feature_table(
    source: CheckedSource,
    states: pd.DataFrame,
    *,
    engine: Engine = Engine.DUCKDB,
    features: Iterable[Feature] | None = None,
) -> pd.DataFrame:
    """Give the feature rows of the active accounts.

    Parameters
    ----------
    source
        Checked tables.
    states
        Rows of `spine.account_states`; without a column `status` every row counts.
    engine
        Who computes; the numbers do not depend on it.
    features
        By default all that the source can bear.

    Returns
    -------
    pandas.DataFrame
        One row for each account and date, sorted by as_of, account_id: account_id, as_of, then
        one float64 column for each feature; NaN is null.
    """
    raise NotImplementedError


def write_feature_table(
    frame: pd.DataFrame, catalogue: Iterable[Mapping[str, Any]], out: Path
) -> None:
    """Write `<out>` as Parquet, and `<out>.catalog.json` beside it; each whole or not at all."""
    raise NotImplementedError
