"""How much of what is paid today is expected to be paid at a horizon, and how sure that is. Pure.

What is kept is a sum over customers, whose draws are independent, of their accounts' ARR, each with
a chance of its own: of customers of one account a Poisson-binomial weighted by ARR (Hong 2013,
doi:10.1016/j.csda.2012.10.006). Its distribution is drawn and not computed, so that growth and
accounts of one customer are told by the same draws; a fixed seed gives the same interval each time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

DRAWS = 1_000
DRAWS_AT_ONCE = 100  # of 20,000 accounts they take 8 MB
SEED = 20_260_302
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Stakes:
    """What hangs on each account that was scored, shape (n,) each.

    Attributes
    ----------
    arr
        Money a year.
    leaves, expands
        Probabilities within the horizon; of `expands` 0 where it was not scored.
    added
        Expected added ARR: the probability to expand times what that adds.
    customers
        Whose each account is: the same number for accounts of one customer.
    """

    arr: Floats
    leaves: Floats
    expands: Floats
    added: Floats
    customers: Places


@dataclass(frozen=True)
class Expected:
    """A share of today's ARR: what is expected, and between which two 95 of 100 draws lie."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Retention:
    """What is kept of an ARR: `gross` without growth, `net` with it."""

    gross: Expected
    net: Expected


def retention(stakes: Stakes) -> Retention | None:
    """Give the expected retention of some accounts, None where they pay nothing.

    In each draw a customer has one number between 0 and 1: an account leaves where it is below its
    probability to leave, and grows where it is above one less its probability to expand. So nobody
    does both, unless the two add up to more than 1, and both come as often as the models say. One
    customer's accounts go together as far as their probabilities let them: how far they do is not
    known, and of all ways this one spreads the sum most.
    """
    total = float(stakes.arr.sum())
    if total <= 0:
        return None
    lost, grown = (drawn / total for drawn in _draws(stakes))
    gross = 1 - float(stakes.arr @ stakes.leaves) / total
    net = gross + float(stakes.added.sum()) / total
    return Retention(_expected(gross, 1 - lost), _expected(net, 1 - lost + grown))


def _draws(stakes: Stakes) -> tuple[Floats, Floats]:
    """Draw what is lost and what is added, `DRAWS` times."""
    random = np.random.default_rng(SEED)
    leaves, grows_above = stakes.leaves.astype("f4"), (1 - stakes.expands).astype("f4")
    added = np.divide(
        stakes.added, stakes.expands, out=np.zeros_like(stakes.added), where=stakes.expands > 0
    )
    arr, amount = stakes.arr.astype("f4"), added.astype("f4")
    own, of_customer = np.unique(stakes.customers, return_inverse=True)
    lost, grown = [], []
    for _ in range(DRAWS // DRAWS_AT_ONCE):
        drawn = random.random((DRAWS_AT_ONCE, len(own)), dtype="f4")[:, of_customer]
        lost.append((drawn < leaves).astype("f4") @ arr)
        grown.append((drawn >= grows_above).astype("f4") @ amount)
    return np.concatenate(lost).astype(float), np.concatenate(grown).astype(float)


def _expected(value: float, drawn: Floats) -> Expected:
    low, high = np.quantile(drawn, INTERVAL)
    return Expected(value, float(low), float(high))
