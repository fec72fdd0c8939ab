"""A question: which outcome, of whom, within which days. One frozen value per model."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Outcome = Literal["churn", "expansion", "contraction"]
Band = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Question:
    """What a model answers, for accounts that are active and not already leaving.

    Attributes
    ----------
    name
        The model's name, as scores and the command line show it.
    outcome
        What counts as the event; docs/definitions.md has the table.
    horizons_days
        Rising horizons h in days; a window is ``[as_of, as_of + h)``.
    grace_days
        Days for which a loss, a rise or a fall has to last before it counts.
    change_threshold
        Share of the MRR at ``as_of`` by which it must rise or fall (not for churn).
    main_horizon_days
        The horizon of the headline figures and of the work list.
    high_from, medium_from
        A probability of so many times the base rate makes the band.
    fewest_event_accounts
        Customer groups with an event before the training border; with fewer, training refuses.
    touches
        Whether what customer success did counts among the features.
    """

    name: str
    outcome: Outcome
    horizons_days: tuple[int, ...] = (30, 90, 180, 365)
    grace_days: int = 30
    change_threshold: float = 0.10
    main_horizon_days: int = 90
    high_from: float = 3.0
    medium_from: float = 1.5
    fewest_event_accounts: int = 12
    touches: bool = False

    def __post_init__(self) -> None:
        rising = all(early < late for early, late in pairwise((0, *self.horizons_days)))
        if not self.horizons_days or not rising:
            msg = f"Expected rising horizons above 0 days, got {self.horizons_days}."
            raise ValueError(msg)
        if self.main_horizon_days not in self.horizons_days:
            msg = (
                f"Expected the main horizon among {self.horizons_days}, "
                f"got {self.main_horizon_days} days."
            )
            raise ValueError(msg)

    @property
    def intervals_days(self) -> tuple[tuple[int, int], ...]:
        """Half-open intervals between the horizons, in days after ``as_of``."""
        return tuple(pairwise((0, *self.horizons_days)))

    def band(self, probability: float, base_rate: float) -> Band:
        """Name the band of a probability against the base rate of its horizon."""
        if probability >= self.high_from * base_rate:
            return "high"
        return "medium" if probability >= self.medium_from * base_rate else "low"


def question_from_json(fields: Mapping[str, Any]) -> Question:
    """Rebuild a question from the JSON object of its fields (``dataclasses.asdict``)."""
    return Question(**{**fields, "horizons_days": tuple(fields["horizons_days"])})
