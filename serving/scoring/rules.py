"""How a team works its list: whom it gets to, and whom it leaves alone for a while."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Rules:
    """How a team works its list.

    Attributes
    ----------
    accounts_a_csm
        How many accounts one CSM can look after, by the account's tier; others are not cut.
    cooldown_days
        So long after a touch an account is not pushed again.
    young_days
        So long an account is too young for its score to tell much.
    """

    accounts_a_csm: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"high": 25, "mid": 150})
    )
    cooldown_days: int = 14
    young_days: int = 30
