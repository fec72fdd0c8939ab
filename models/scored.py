"""The contract of a score: serving writes it, training reads it back.

One row is one account, date, model and horizon. An account that cannot be scored has its rows
too, with a status that says why, no probability and no band, so that it is never shown as low.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

STATUSES = ("scored", "leaving", "inactive", "no_data")
MODELS = ("churn", "expansion", "contraction")
BANDS = ("high", "medium", "low")
HIGH_FROM = 3.0
MEDIUM_FROM = 1.5
KEY = ("account_id", "as_of", "model", "horizon_days")
EXPECTED_TYPES: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "account_id": pa.string(),
        "as_of": pa.timestamp("us"),
        "scored_at": pa.timestamp("us"),
        "status": pa.string(),
        "model": pa.string(),
        "model_version": pa.string(),
        "features_version": pa.string(),
        "horizon_days": pa.int64(),
        "probability": pa.float64(),
        "band": pa.string(),
        "rank": pa.int64(),
        "reasons": pa.list_(
            pa.struct(
                [
                    ("feature", pa.string()),
                    ("value", pa.float64()),
                    ("effect", pa.float64()),
                    ("text", pa.string()),
                ]
            )
        ),
        "expected_added_mrr": pa.float64(),
    }
)
COLUMNS = tuple(EXPECTED_TYPES)


def bands(probabilities: npt.NDArray[np.float64], base_rate: float) -> list[str]:
    """Name each probability's band: ``high`` from 3 times the base rate, ``medium`` from 1.5."""
    raise NotImplementedError


def check_scores(scores: pd.DataFrame) -> None:
    """Hold a scores table against the contract; raises ModelError naming column and account."""
    raise NotImplementedError


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Check, then write as Parquet: aside, synced, renamed."""
    raise NotImplementedError


def read_scores(path: Path) -> pd.DataFrame:
    """Read back what `write_scores` wrote, with the same dtypes, and check it."""
    raise NotImplementedError
