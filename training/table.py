"""A model from a ready feature table: somebody else's columns, and a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from training.audit import Finding


@dataclass(frozen=True)
class TableTrained:
    """What training on a ready table gave.

    Attributes
    ----------
    metrics
        auc, average_precision, brier and log_loss, each {value, low, high}, on rows not trained on.
    audit
        Findings of the leak audit on every offered column.
    features
        The columns the model uses; `left_out` the others, each with the reason.
    verdict
        One sentence: whether there is a usable signal.
    probabilities
        Held-out probability per row of the table (mean over the seeds), NaN where none is.
    """

    label: str
    features: tuple[str, ...]
    left_out: Mapping[str, str]
    audit: tuple[Finding, ...]
    metrics: Mapping[str, Mapping[str, float]]
    verdict: str
    probabilities: np.ndarray


def read_table(path: Path) -> pd.DataFrame:
    """Read a ready feature table, Parquet or CSV by its suffix.

    Raises
    ------
    SourceError
        If the file is missing or of another kind.
    """
    raise NotImplementedError


def train_table(
    frame: pd.DataFrame,
    label: str,
    *,
    time: str | None = None,
    group: str | None = None,
    accept: Sequence[str] = (),
) -> TableTrained:
    """Audit a ready table, train on it, and measure on rows that were held out.

    Parameters
    ----------
    frame
        One row per account, or per account and date; any columns, and the label.
    label
        The column of 0 and 1 (or two words of which one means yes); empty rows are unknown.
    time
        The date column: then the last quarter of the dates is the test, else 5 folds by 5 seeds.
    group
        The unit that must not stand on both sides of a split, and that is resampled.
    accept
        Columns that the audit would leave out and that are to be used all the same.

    Raises
    ------
    TooLittleDataError
        With fewer than 20 rows of either outcome.
    SourceError
        If the label is missing or has more than two values.
    """
    raise NotImplementedError
