"""Which reason a person reads first, and what a play for it is looked up by."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.families import family_of

NO_REASON = "No single reason stands out."


def leading_reason(reasons: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Give the reason that a person should read first, None where nothing raises the score.

    Parameters
    ----------
    reasons:
        Reasons of a score as the contract's {feature, value, effect, text}, in the order in which
        `models.reasons` gives them.
    """
    return next((reason for reason in reasons if reason["effect"] > 0), None)


def leading_family(
    reasons: Sequence[Mapping[str, Any]], entries: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Give the family of the leading reason, None where none leads.

    Parameters
    ----------
    entries:
        The model's catalogue by column.
    """
    leading = leading_reason(reasons)
    if leading is None:
        return None
    column = str(leading["feature"])
    return family_of(entries.get(column, {"column": column}))


def days_between(as_of: datetime, renewal: datetime | None) -> int | None:
    """Give the whole days from the scored date to a renewal, None where none is known."""
    return None if renewal is None else (renewal - as_of).days
