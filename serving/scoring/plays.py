"""What a customer success manager can do about a reason: one sentence per group of features."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

PLAYS: Mapping[str, str] = MappingProxyType(
    {
        "usage": "Ask the main users what changed, and offer a session on the job they came for.",
        "adoption": "Show the team the part of the product that they pay for and do not use.",
        "support": "Take over the open tickets: name an owner and a date, and call the customer.",
        "billing": "Speak with the customer's finance contact about open invoices and payments.",
        "lifecycle": "Open the renewal talk now: agree on goals, price and date before the notice.",
        "satisfaction": "Call the person who answered the survey and agree on one thing to fix.",
        "people": "Find out who took over from the contact who left, and introduce yourself.",
        "reliability": "Explain the outages, what was done about them, and what was agreed.",
        "success": "Hold the outcome review that is due and agree on the next result.",
        "engagement": "Invite the main users to the next event and ask what they want to see.",
        "services": "Agree on a date for the late project, and offer training to those without.",
        "hierarchy": "Speak with the parent company about what its other companies decided.",
        "rhythm": "Ask the main users what changed when use fell, and whether it will last.",
        "season": "Ask the main users why this season is unlike the last, and what they plan.",
        "touches": "Read what was done last and what came of it, before you call again.",
    }
)
NO_REASON = "No single reason stands out."
WITHOUT_REASON = "Call the customer and ask how things are going."


def leading_reason(reasons: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Give the reason that a person should read first, None where nothing raises the score.

    Parameters
    ----------
    reasons:
        Reasons of a churn score as the contract's {feature, value, effect, text}, in the order in
        which `models.reasons` gives them.
    """
    return next((reason for reason in reasons if reason["effect"] > 0), None)


def suggested_play(reasons: Sequence[Mapping[str, Any]]) -> str:
    """Give the play for the leading reason of a churn score."""
    leading = leading_reason(reasons)
    if leading is None:
        return WITHOUT_REASON
    group = str(leading["feature"]).partition("__")[0]
    return PLAYS.get(group, WITHOUT_REASON)
