"""What is true of every account at the start of a month, seen or not."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from features.sources.sample.world import Floats, Ints

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
STEADY, WAVERING, GONE = 0, 1, 2


@dataclass(frozen=True)
class State:
    """What is true at the start of a month; arrays of shape (..., accounts).

    Parameters
    ----------
    active
        Whether anything is paid for.
    adoption, value
        Use of the product and what it brings, in standard deviations.
    champion
        0 steady, 1 wavering (about to leave), 2 gone and not replaced.
    in_stress, is_growing
        The customer's own budget cuts; its own growth.
    outage, price, care
        Pain from outages and from prices, and a CSM's lasting effect; they decay.
    seats, seat_price, analytics, automation
        What is paid: seats, money per seat and month, and money a month for two add-ons.
    quoted
        Price rise announced for the next renewal, as a share; 0 when none is.
    term_end
        Month in which the signed term ends, on the billing day.
    leaves_on
        Day number on which a requested end takes place; NEVER when none was requested.
    is_unpaid
        The last bill's payment failed and has not been made good.
    leaves_for
        Index into CAUSES of the pending end.
    """

    active: Bools
    adoption: Floats
    value: Floats
    champion: Codes
    in_stress: Bools
    is_growing: Bools
    outage: Floats
    price: Floats
    care: Floats
    seats: Floats
    seat_price: Floats
    analytics: Floats
    automation: Floats
    quoted: Floats
    term_end: Ints
    leaves_on: Ints
    is_unpaid: Bools
    leaves_for: Codes

    @property
    def mrr(self) -> Floats:
        """Money a month, shape (..., accounts)."""
        paid = np.round(self.seats * self.seat_price, 2) + self.analytics + self.automation
        return np.where(self.active, paid, 0)

    def take(self, rows: Ints) -> "State":
        """Keep some accounts, in the order given."""
        return State(**{f.name: getattr(self, f.name)[..., rows] for f in fields(self)})


def logistic(x: Floats) -> Floats:
    """Turn log odds into a probability."""
    odds: Floats = np.exp(x)
    return odds / (1 + odds)
