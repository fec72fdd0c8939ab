"""Whether a challenger may take the champion's place: gates that refuse when in doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.gate import GateReport

if TYPE_CHECKING:
    import pandas as pd

    from models.bundle import Bundle


@dataclass(frozen=True)
class Limits:
    """What the gates ask for.

    Attributes
    ----------
    events:
        Fewest events, and fewest rows without one, on the period.
    groups:
        Fewest customer groups on the period.
    worse_by:
        How much of the champion's log loss the challenger may lose, at the upper end of the
        interval.
    observed_to_expected:
        Lowest and highest ratio of observed events to the sum of the probabilities.
    slope:
        Lowest and highest calibration slope (1: as spread out as the outcomes; below: too bold).
    resamples:
        Draws of the bootstrap over customer groups.
    """

    events: int = 20
    groups: int = 20
    worse_by: float = 0.05
    observed_to_expected: tuple[float, float] = (0.5, 2.0)
    slope: tuple[float, float] = (0.4, 2.5)
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Trial:
    """What the gates look at: both models, and the same labelled rows for both.

    Attributes
    ----------
    challenger:
        The saved bundle's folder; the gates load it as the service will.
    champion:
        The champion, or None: then the plain baselines are the rival.
    rows:
        A feature table with customer_group, and the labels of `training.labels`; grain: account
        and date. Rows inside either model's training period are left aside.
    """

    challenger: Path
    champion: "Bundle | None"
    rows: "pd.DataFrame"
    audit: Sequence[Mapping[str, Any]]
    limits: Limits = field(default_factory=Limits)


def decide(trial: Trial) -> GateReport:
    """Hold a challenger against the champion, or against the base rate, on a later period.

    A gate that cannot be computed has not passed, and says why.
    """
    raise NotImplementedError
