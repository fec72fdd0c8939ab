"""The back-test report: one HTML page that opens without a network, words first, then charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Evidence:
    """What the report shows.

    Attributes
    ----------
    model:
        ``churn``, ``expansion`` or a label's name.
    horizon_days:
        The horizon that outcomes and probabilities belong to.
    outcomes:
        0 or 1, one per held-out row.
    probabilities:
        Of the same rows.
    metrics:
        The metrics JSON: auc, average_precision, brier, log_loss as {value, low, high}, and by
        horizon, baseline, population where they are there.
    importance:
        Mean absolute contribution in log odds, by subject.
    origins:
        One mapping a back-test origin: as_of, rows, events, auc {value, low, high}.
    audit:
        Findings, as JSON values.
    data:
        Where the rows come from.
    """

    model: str
    horizon_days: int
    outcomes: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]
    metrics: Mapping[str, Any]
    importance: Mapping[str, float] = field(default_factory=dict)
    origins: Sequence[Mapping[str, Any]] = ()
    audit: Sequence[Mapping[str, Any]] = ()
    data: Mapping[str, object] = field(default_factory=dict)


def write_report(evidence: Evidence, folder: Path) -> tuple[Path, ...]:
    """Write report.html, its charts as PNG and its figures as JSON; give the files, HTML first."""
    raise NotImplementedError
