"""From a booster's raw log odds to calibrated ones: a line per interval, kept as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """Calibrated log odds of interval k = ``intercepts[k] + slope * raw log odds``.

    Attributes
    ----------
    intercepts
        One per interval of the question, in log odds.
    slope
        Shared by the intervals; above 0, so that the order of accounts stays.
    """

    intercepts: tuple[float, ...]
    slope: float = 1.0

    def __post_init__(self) -> None:
        if not self.slope > 0 or not np.isfinite([self.slope, *self.intercepts]).all():
            msg = (
                f"Expected finite intercepts and a slope above 0, "
                f"got {self.intercepts} and {self.slope}."
            )
            raise ValueError(msg)

    def log_odds(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrate raw log odds of shape (n, intervals)."""
        return np.asarray(self.intercepts)[: raw.shape[1]] + self.slope * raw


def identity(intervals: int) -> Calibration:
    """Return the calibration that changes nothing."""
    return Calibration(intercepts=(0.0,) * intervals)


def calibration_from_json(fields: Mapping[str, Any]) -> Calibration:
    """Rebuild a calibration from the JSON object of its fields."""
    return Calibration(intercepts=tuple(fields["intercepts"]), slope=float(fields["slope"]))
