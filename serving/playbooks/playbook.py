"""A playbook: plays in an order, the first that fits counting, and triggers."""

from dataclasses import dataclass, field

from serving.playbooks.play import NO_REASON, Play, Situation, families_with, tier_named
from serving.playbooks.trigger import Trigger


@dataclass(frozen=True)
class Playbook:
    """What a `playbooks.toml` says.

    Attributes
    ----------
    own_families:
        Groups of features of one's own.
    file:
        Where it was read, for errors.
    """

    plays: tuple[Play, ...]
    triggers: tuple[Trigger, ...] = ()
    own_families: tuple[str, ...] = ()
    file: str = field(default="", compare=False)

    @property
    def asks_for_touches(self) -> bool:
        """Whether a trigger names a feature over what the team did."""
        named = {column for trigger in self.triggers for column in trigger.when.columns}
        return any(column.startswith("touches__") for column in named)

    def play_for(
        self, question: str, family: str | None, tier: str | None, days_to_renewal: int | None
    ) -> Play:
        """Give the first play that fits; `serving.playbooks.covered` proves that there is one.

        Parameters
        ----------
        family:
            That of the leading reason; None, or one that no play may name, is no reason.
        tier:
            As the source has it, or None.
        days_to_renewal:
            From the scored date; None: no renewal is known.
        """
        known = family in families_with(self.own_families)
        situation = Situation(
            question,
            family if family is not None and known else NO_REASON,
            tier_named(tier),
            days_to_renewal,
        )
        return next(play for play in self.plays if play.fits(situation))
