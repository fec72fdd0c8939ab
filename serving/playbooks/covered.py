"""Proof that each account gets a play, and that each play can come up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from features.errors import PlaybookError
from serving.playbooks.play import (
    QUESTIONS,
    TIERS,
    UNKNOWN_TIER,
    Play,
    Renewal,
    Situation,
    families_with,
    spans,
)


@dataclass(frozen=True)
class Answered:
    """What one combination gets; no play where the file has none for it."""

    question: str
    family: str
    tier: str
    renewal: Renewal
    play: Play | None


def answered(plays: Sequence[Play], own_families: Sequence[str]) -> Iterator[Answered]:
    """Give the play of every question, tier, family and time to renewal that plays tell apart."""
    times = tuple(spans(plays))
    for question in QUESTIONS:
        of_question = [play for play in plays if play.question == question]
        for tier in (*TIERS, UNKNOWN_TIER):
            for family in families_with(own_families):
                for renewal in times:
                    of = Situation(question, family, tier, days_within(renewal))
                    play = next((each for each in of_question if each.fits(of)), None)
                    yield Answered(question, family, tier, renewal, play)


def demand_covered(plays: Sequence[Play], own_families: Sequence[str], file: str) -> None:
    """Refuse plays that leave a combination without one, and a play that never comes up.

    Raises
    ------
    PlaybookError
        Names the combination, or the play and its line.
    """
    used = set()
    for one in answered(plays, own_families):
        if one.play is None:
            raise PlaybookError(
                f"Expected a play for every account in {file}, got none for question "
                f"{one.question}, family {one.family}, tier {one.tier}, {in_words(one.renewal)}. "
                f"End the file with a [[play]] of question {one.question} that names no families, "
                "tiers and days_to_renewal."
            )
        used.add(one.play.id)
    for play in plays:
        if play.id not in used:
            raise PlaybookError(
                f"Expected every play to come up in {file}, line {play.line}, got {play.id!r}, "
                "which others take everything from: the first that fits counts. "
                "Put it further up, or remove it."
            )


def days_within(renewal: Renewal) -> int | None:
    """Give a number of days within a span, None for no renewal."""
    if renewal.is_none:
        return None
    return next((days for days in (renewal.first, renewal.last) if days is not None), 0)


def in_words(renewal: Renewal) -> str:
    """Tell when a renewal is due."""
    if renewal.is_none:
        return "no known renewal"
    if renewal.first is None and renewal.last is None:
        return "renewal at any time"
    if renewal.last is None:
        return f"renewal in {renewal.first} days or more"
    if renewal.first is None:
        return f"renewal in {renewal.last} days or less"
    return f"renewal in {renewal.first} to {renewal.last} days"
