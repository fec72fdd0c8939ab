"""Plays: what to do about a reason, and for which accounts at which time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.families import FAMILIES

QUESTIONS = ("churn", "expansion")
TIERS = ("high", "mid", "tech")
NO_REASON = "none"
"""Stands for a reason of no known family, and where no reason stands out."""
UNKNOWN_TIER = "unknown"
RUN_BY = ("person", "mail")


@dataclass(frozen=True)
class Renewal:
    """Days from the scored date to the next renewal, both ends included; None has no end.

    Attributes
    ----------
    is_none:
        Holds of accounts without a known renewal, and of no others.
    """

    first: int | None = None
    last: int | None = None
    is_none: bool = False

    def holds(self, days: int | None) -> bool:
        """Tell whether a renewal in so many days, None for none, lies within."""
        if days is None or self.is_none:
            return days is None and self.is_none
        is_late = self.last is not None and days > self.last
        return not is_late and (self.first is None or days >= self.first)


@dataclass(frozen=True)
class Situation:
    """What a play is looked up by: families and tiers have the names of a file."""

    question: str
    family: str
    tier: str
    days_to_renewal: int | None


@dataclass(frozen=True)
class Play:
    """What to do about a reason.

    Attributes
    ----------
    families, tiers:
        What it answers; empty: any, and none.
    renewal:
        When; None: at any time.
    run_by:
        ``person``, or a ``mail`` system.
    owner:
        The role that answers for it.
    line:
        Where it stands in its file.
    """

    id: str
    name: str
    question: str
    steps: tuple[str, ...]
    run_by: str
    owner: str
    families: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    renewal: Renewal | None = None
    line: int = field(default=1, compare=False)

    @property
    def text(self) -> str:
        """All of its steps, as one text."""
        return " ".join(self.steps)

    def fits(self, situation: Situation) -> bool:
        """Tell whether it answers a situation."""
        return (
            situation.question == self.question
            and (not self.families or situation.family in self.families)
            and (not self.tiers or situation.tier in self.tiers)
            and (self.renewal is None or self.renewal.holds(situation.days_to_renewal))
        )


def families_with(own: Sequence[str]) -> tuple[str, ...]:
    """Give all families that a play may name."""
    return (*FAMILIES, *own, NO_REASON)


def tier_named(tier: str | None) -> str:
    """Give a tier by the name that a file has for it."""
    return tier if tier in TIERS else UNKNOWN_TIER


def spans(plays: Sequence[Play]) -> Iterator[Renewal]:
    """Part the time to a renewal, and there being none, such that plays tell only these apart."""
    asked = [play.renewal for play in plays if play.renewal is not None]
    starts = {each.first for each in asked if each.first is not None}
    starts |= {each.last + 1 for each in asked if each.last is not None}
    firsts = [None, *sorted(starts)]
    for first, after in zip(firsts, [*firsts[1:], None], strict=True):
        yield Renewal(first, None if after is None else after - 1)
    yield Renewal(is_none=True)
