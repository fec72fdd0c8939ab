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
    }
)
WITHOUT_REASON = "Call the customer and ask how things are going."


def suggested_play(reasons: Sequence[Mapping[str, Any]]) -> str:
    """Give the play for the strongest reason that raises the probability.

    Parameters
    ----------
    reasons:
        Reasons of a churn score as the contract's {feature, value, effect, text}.
    """
    raising = [reason for reason in reasons if reason["effect"] > 0]
    if not raising:
        return WITHOUT_REASON
    strongest = max(raising, key=lambda reason: reason["effect"])
    group = str(strongest["feature"]).partition("__")[0]
    return PLAYS.get(group, WITHOUT_REASON)
