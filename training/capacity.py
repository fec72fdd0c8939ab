"""What a team finds that can call only so many accounts: lists, and what stands on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.heldout import Resampled

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

SHARES = (0.05, 0.10, 0.20)
AS_SURE_AS = 20.0
"""The two parameters of the chance to save add up to this: 6 and 14 in Verbraken et al. (2013)."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Economics:
    """What a call costs and wins, stated so that it can be disputed.

    Attributes
    ----------
    touch_cost
        Of looking after one account on the list of one date, in the company's currency.
    save_chance
        Chance that a call keeps an account that would have left.
    kept_months
        Months of MRR that a kept account brings.
    offer_cost
        Of what a call offers, a discount say: to accounts that are kept by it, and to those that
        would have stayed anyway.
    """

    touch_cost: float = 150.0
    save_chance: float = 0.15
    kept_months: float = 12.0
    offer_cost: float = 0.0

    @property
    def chance(self) -> tuple[float, float]:
        """The beta distribution of the chance to save, where it is not taken as known.

        Its mean is the stated chance; it is as wide as that of Verbraken et al. (2013), who take
        6 and 14 for a mean of 0.3.
        """
        return AS_SURE_AS * self.save_chance, AS_SURE_AS * (1 - self.save_chance)


@dataclass(frozen=True)
class Team:
    """Who can call whom, and what that costs and wins.

    Attributes
    ----------
    accounts_a_csm
        How many accounts one CSM can look after, by the account's tier; other tiers have nobody.
    """

    accounts_a_csm: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"high": 25, "mid": 150})
    )
    economics: Economics = Economics()


@dataclass(frozen=True)
class AtStake:
    """Rows with a known outcome, and what hangs on them.

    Attributes
    ----------
    rows
        as_of, customer_group, and for a team's list tier and csm; one row per account and date.
    came
        Whether the event came, shape (n,).
    mrr
        What each event loses or adds a month, shape (n,).
    """

    rows: pd.DataFrame
    came: Booleans
    mrr: Floats

    @cached_property
    def drawn(self) -> Resampled:
        """Its customer groups, drawn with replacement."""
        return Resampled.of(self.rows["customer_group"].to_numpy(dtype=object))


def first_share(rows: pd.DataFrame, order: Floats, share: float) -> Booleans:
    """Mark the highest of each date: so large a share of its accounts, and at least one of them."""
    by_date = pd.Series(-order).groupby(rows["as_of"].to_numpy())
    place = by_date.rank(method="first")
    size = by_date.transform("count")
    return np.asarray((place / size <= share) | (place == 1))


def team_list(rows: pd.DataFrame, order: Floats, team: Team) -> Booleans:
    """Mark on each date the accounts that each CSM gets to, highest first.

    An account takes one of 25 (high) or 150 (mid) parts of its CSM's capacity, so that a CSM of
    both tiers gets to a mix. Accounts without a CSM, or of a tier that the team leaves to itself,
    are on no list.
    """
    load = 1 / rows["tier"].map(dict(team.accounts_a_csm)).to_numpy(dtype=float)
    frame = pd.DataFrame(
        {
            "as_of": rows["as_of"].to_numpy(),
            "csm": rows["csm"].to_numpy(),
            "load": load,
            "order": order,
        }
    )
    served = frame[np.isfinite(load) & frame["csm"].notna()]
    served = served.sort_values("order", ascending=False, kind="stable")
    used = served.groupby(["as_of", "csm"])["load"].cumsum()
    listed = np.zeros(len(rows), dtype=bool)
    listed[served.index[used <= 1 + _ROUNDING]] = True
    return listed


def of_list(stake: AtStake, listed: Booleans, economics: Economics) -> dict[str, Any]:
    """Give what stands on a list, over all dates, each {value, low, high} but the sizes.

    Returns
    -------
    listed (a date), listed_share, precision, recall, lift (precision over the base rate),
    arr_caught (share of the ARR that the events lose or add), profit (a date: the chance to save
    times what is kept, less touches and offers). What cannot be computed is None.
    """
    dates = stake.rows["as_of"].nunique()
    drawn = stake.drawn
    on, came, one = listed.astype(float), stake.came.astype(float), np.ones(len(listed))
    kept = economics.kept_months * stake.mrr - economics.offer_cost
    won = economics.save_chance * kept * came - economics.offer_cost * (1 - came)
    won = won - economics.touch_cost
    return {
        "listed": float(listed.sum() / dates),
        "listed_share": float(listed.mean()),
        "precision": drawn.ratio(on * came, on),
        "recall": drawn.ratio(on * came, came),
        "lift": drawn.ratio_of_ratios((on * came, on), (came, one)),
        "arr_caught": drawn.ratio(on * came * stake.mrr, came * stake.mrr),
        "profit": drawn.ratio(on * won * len(listed) / dates, one),
    }


def at_capacity(stake: AtStake, probabilities: Floats, economics: Economics) -> list[Any]:
    """Give what stands on lists of 5, 10 and 20 % of each date's accounts, in two orders.

    Returns
    -------
    list
        One mapping for each share and order ("probability", or "expected_mrr": probability times
        MRR, as the work list has it), as `of_list` gives it.
    """
    return [
        {"share": share, "order": name, **of_list(stake, listed, economics)}
        for share in SHARES
        for name, order in orders(stake.rows, probabilities).items()
        for listed in [first_share(stake.rows, order, share)]
    ]


def at_team(stake: AtStake, probabilities: Floats, team: Team) -> dict[str, Any]:
    """Give what stands on the lists of a team's CSMs, by order; as `of_list` gives it."""
    return {
        name: of_list(stake, team_list(stake.rows, order, team), team.economics)
        for name, order in orders(stake.rows, probabilities).items()
    }


def orders(rows: pd.DataFrame, probabilities: Floats) -> dict[str, Floats]:
    """Give the two orders of a list: by probability, and by the MRR that is expected to go."""
    mrr = rows["mrr"].to_numpy(dtype=float)
    return {"probability": probabilities, "expected_mrr": probabilities * mrr}
