"""What an account is expected to add, in a sentence that a CSM reads."""

import math
from collections.abc import Mapping
from typing import Any


def growth_sentence(score: Mapping[str, Any] | None, currency: str) -> str | None:
    """Say what a score of expansion expects; None where it expects no amount.

    Parameters
    ----------
    score
        A row of the store's scores: probability, expected_added_mrr (money a month), horizon_days.
    currency
        ISO code of the money.
    """
    if score is None or not score["probability"] or score["expected_added_mrr"] is None:
        return None
    probability, expected = score["probability"], score["expected_added_mrr"]
    if not math.isfinite(expected):
        return None
    return (
        f"Expected to add {currency} {expected:,.0f} a month within {score['horizon_days']} days: "
        f"it grows with a probability of {probability:.0%}, by {currency} "
        f"{expected / probability:,.0f} a month if it does"
    )
