"""Whether a model in service still sees the world it learned: drift, calibration, outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from features.checked import CheckedSource
    from models.question import Question


@dataclass(frozen=True)
class Drift:
    """How far one column has moved: its population stability index over stated bins."""

    column: str
    index: float
    level: str
    sentence: str


@dataclass(frozen=True)
class Calibration:
    """Past scores of one horizon whose window is over, against what came true."""

    horizon_days: int
    rows: int
    events: int
    expected: float
    sentence: str


@dataclass(frozen=True)
class MonitorReport:
    """What changed since training, in words and figures."""

    model: str
    features: tuple[Drift, ...]
    scores: tuple[Drift, ...]
    calibration: tuple[Calibration, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        raise NotImplementedError

    def text(self) -> str:
        """Give the report as lines for a terminal."""
        raise NotImplementedError


def monitor(
    past_scores: "pd.DataFrame",
    source: "CheckedSource",
    question: "Question",
    training_table: "pd.DataFrame",
    current_table: "pd.DataFrame",
    catalogue: tuple[Mapping[str, Any], ...] = (),
) -> MonitorReport:
    """Compare the rows in service with those of training, and past scores with what came true.

    Parameters
    ----------
    past_scores:
        The scores table, any dates.
    source:
        The newest extract.
    question:
        The model's question.
    training_table, current_table:
        Feature tables; columns in both are compared.
    catalogue:
        The features' entries, for their names in words.
    """
    raise NotImplementedError
