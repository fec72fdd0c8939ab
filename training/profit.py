"""The expected maximum profit of an order: what its list wins, cut where it wins most.

Nobody knows the chance that a call saves an account, and how long the list should be depends on
it. So the chance is drawn from a beta distribution, the list is cut at its best length for each
chance, and the profit is averaged: Verbraken, Verbeke and Baesens (2013), "A novel profit
maximizing metric for measuring classification performance of customer churn prediction models",
IEEE Transactions on Knowledge and Data Engineering 25(5), doi:10.1109/TKDE.2012.50. Their accounts
are all worth the same; here each has a worth of its own, as accounts of businesses do.

A list wins chance * gains - costs, both summed over it, so that its best length for a chance is a
corner of the concave hull of costs and gains: the hull's slopes are those of an isotonic fit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.special import betainc

from training.capacity import AtStake, Economics
from training.heldout import interval

Floats = npt.NDArray[np.float64]

SMALLEST_COST = 1e-9
"""A call costs at least so much: without a cost everybody is called."""


def maximum_profit(stake: AtStake, order: Floats, economics: Economics) -> dict[str, Any] | None:
    """Give the expected maximum profit of an order, and how long its list is then.

    One border in the order holds for all dates.

    Parameters
    ----------
    order
        Whom to call first, highest first, shape (n,); equal ones are called together.

    Returns
    -------
    profit (a date, in the company's currency) and listed_share (of the accounts), each
    {value, low, high}; None without an event.
    """
    if not stake.came.any():
        return None
    gains, costs = gains_and_costs(stake, economics)
    blocks = _blocks(order, stake.came)
    won, spent, rows = (
        stake.drawn.sums_by(each, blocks, int(blocks.max()) + 1)
        for each in (gains, costs, np.ones(len(order)))
    )
    found = np.array(
        [_at_best(*sums, economics.chance) for sums in zip(won, spent, rows, strict=True)]
    )
    a_date = len(order) / stake.rows["as_of"].nunique()
    profit, listed = found.T / rows.sum(axis=1)
    return {"profit": interval(profit * a_date), "listed_share": interval(listed)}


def gains_and_costs(stake: AtStake, economics: Economics) -> tuple[Floats, Floats]:
    """Give what calling each account wins if it is saved, and what it costs in any case.

    Who would have stayed takes the offer; who would have left takes it only where that saves them.
    """
    worth = economics.kept_months * stake.mrr - economics.offer_cost
    costs = economics.touch_cost + np.where(stake.came, 0.0, economics.offer_cost)
    return np.where(stake.came, worth, 0.0), np.maximum(costs, SMALLEST_COST)


def _blocks(order: Floats, came: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Give each row the number of its stretch, between places where a list may end.

    A best list ends right after an event, and never between equal ones; what comes after the last
    event stands in a stretch of its own.
    """
    _, rank = np.unique(-order, return_inverse=True)
    has_event = np.bincount(rank, weights=came) > 0
    starts = np.concatenate([[False], has_event[:-1]])
    return np.asarray(np.cumsum(starts)[rank])


def _at_best(
    gains: Floats, costs: Floats, rows: Floats, chance: tuple[float, float]
) -> tuple[float, float]:
    """Average over the chance what the best list wins, and how many rows it holds.

    Parameters
    ----------
    gains, costs, rows
        Sums by stretch, in the order of the list.
    chance
        The two parameters of its beta distribution.
    """
    there = costs > 0  # a stretch of which nobody was drawn
    gains, costs, rows = gains[there], costs[there], rows[there]
    slopes = isotonic_regression(gains / costs, weights=costs, increasing=False).x
    needed = np.minimum(1 / np.maximum(slopes, SMALLEST_COST), 1.0)
    first, second = chance
    is_called = 1 - betainc(first, second, needed)
    saved = first / (first + second) * (1 - betainc(first + 1, second, needed))
    return float(costs @ (slopes * saved - is_called)), float(rows @ is_called)
