"""The expected maximum profit, against published numbers, integration and hand computation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from training.capacity import AtStake, Economics
from training.heldout import Resampled
from training.profit import maximum_profit

# A worth of 200, an offer of 10 and a contact of 1: what Verbraken et al. (2013) assume.
VERBRAKEN = Economics(touch_cost=1.0, save_chance=0.3, kept_months=1.0, offer_cost=10.0)


def stake(came: list[int], mrr: float | np.ndarray = 200.0, dates: int = 1) -> AtStake:
    rows = pd.DataFrame(
        {
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(np.arange(len(came)) % dates, unit="D"),
            "customer_group": [f"g{at}" for at in range(len(came))],
        }
    )
    return AtStake(rows, np.array(came) > 0, np.broadcast_to(np.asarray(mrr, float), len(came)))


def by_integration(found: AtStake, order: np.ndarray, economics: Economics) -> tuple[float, float]:
    """Try every list for each of many chances, and add up over the chances, all as defined."""
    edges = np.linspace(0, 1, 10_001)
    chances, density = (edges[1:] + edges[:-1]) / 2, np.diff(beta(*economics.chance).cdf(edges))
    worth = economics.kept_months * found.mrr - economics.offer_cost
    each = np.where(found.came[:, None], worth[:, None] * chances, -economics.offer_cost)
    lists = [order >= border for border in (np.inf, *np.unique(order)[::-1])]
    wins = np.array([(each[listed] - economics.touch_cost).sum(axis=0) for listed in lists])
    lengths = np.array([listed.sum() for listed in lists])
    return float(wins.max(axis=0) @ density), float(lengths[wins.argmax(axis=0)] @ density)


def test_the_chance_of_the_paper_is_beta_of_6_and_14() -> None:
    assert VERBRAKEN.chance == pytest.approx((6, 14))
    assert beta(*Economics(save_chance=0.15).chance).mean() == pytest.approx(0.15)


def test_it_is_the_number_that_empulse_documents() -> None:
    # empulse 0.13, `empulse.metrics.empc`: the example of its docstring, profit and share
    came = [0, 1, 0, 1, 0, 1, 0, 1]
    order = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9])
    found = maximum_profit(stake(came), order, VERBRAKEN)
    assert found is not None
    assert found["profit"]["value"] / 8 == pytest.approx(23.875593418348124, rel=1e-12)
    assert found["listed_share"]["value"] == pytest.approx(0.8743700763487141, rel=1e-12)


def test_a_chance_that_is_hardly_known_is_what_a_hand_integrates() -> None:
    # One leaver worth 10, called for 2: at a chance g the list wins max(10 g - 2, 0). With the
    # chance uniform that is the integral of 10 g - 2 from 0.2 to 1, and it is called from 0.2 on.
    class Uniform(Economics):
        chance = (1.0, 1.0)

    plain = Uniform(touch_cost=2.0, kept_months=1.0, offer_cost=0.0)
    found = maximum_profit(stake([1, 0], 10.0), np.array([0.9, 0.1]), plain)
    assert found is not None
    assert found["profit"]["value"] == pytest.approx(5 * (1 - 0.2**2) - 2 * (1 - 0.2))
    assert found["listed_share"]["value"] == pytest.approx(0.8 / 2)


@pytest.mark.parametrize("offer", [0.0, 25.0], ids=["no offer", "an offer"])
@pytest.mark.parametrize("seed", range(3))
def test_with_a_worth_of_its_own_for_each_it_is_what_integration_gives(
    seed: int, offer: float
) -> None:
    rng = np.random.default_rng(seed)
    came = (rng.random(30) < 0.3).astype(int)
    found = stake(came.tolist(), rng.lognormal(3, 1.5, 30))
    order = np.round(rng.random(30) + 0.3 * came, 1)  # many are equal
    economics = Economics(touch_cost=12.0, save_chance=0.2, kept_months=6.0, offer_cost=offer)
    told = maximum_profit(found, order, economics)
    assert told is not None
    profit, listed = by_integration(found, order, economics)
    assert told["profit"]["value"] == pytest.approx(profit, rel=1e-5)
    assert told["listed_share"]["value"] == pytest.approx(listed / 30, rel=1e-3)


def test_it_is_told_by_date() -> None:
    came, order = [1, 0, 1, 0, 1, 1], np.arange(6.0)
    one, two = (maximum_profit(stake(came, dates=dates), order, VERBRAKEN) for dates in (1, 2))
    assert one is not None
    assert two is not None
    assert two["profit"]["value"] == pytest.approx(one["profit"]["value"] / 2)
    assert two["listed_share"] == one["listed_share"]


def test_its_interval_is_that_of_customers_drawn_again() -> None:
    rng = np.random.default_rng(4)
    came = (rng.random(60) < 0.3).astype(int)
    found, order = stake(came.tolist()), rng.random(60)
    rows = found.rows.assign(customer_group=[f"g{at // 3}" for at in range(60)])
    told = maximum_profit(AtStake(rows, found.came, found.mrr), order, VERBRAKEN)
    assert told is not None
    drawn = Resampled.of(rows["customer_group"].to_numpy(dtype=object))
    by_hand = []
    for weights in drawn.draws[1:]:
        at = np.repeat(np.arange(60), weights[drawn.at].astype(int))
        again = AtStake(rows.iloc[at].reset_index(drop=True), found.came[at], found.mrr[at])
        profit = maximum_profit(again, order[at], VERBRAKEN)
        by_hand.append(0.0 if profit is None else profit["profit"]["value"] * 60 / len(at))
    low, high = np.quantile(by_hand, [0.025, 0.975])
    assert (told["profit"]["low"], told["profit"]["high"]) == pytest.approx((low, high))


def test_a_better_order_wins_more_and_no_order_loses() -> None:
    rng = np.random.default_rng(2)
    came = (rng.random(300) < 0.2).astype(int)
    profit = [
        maximum_profit(stake(came.tolist()), order, VERBRAKEN)["profit"]["value"]
        for order in (came + 0.0, came + rng.normal(size=300), rng.random(300), -came + 0.0)
    ]
    assert profit == sorted(profit, reverse=True)
    assert profit[-1] >= 0


def test_accounts_that_are_not_worth_their_offer_are_not_called() -> None:
    found = maximum_profit(stake([1, 1, 0], 5.0), np.array([3.0, 2.0, 1.0]), VERBRAKEN)
    assert found is not None
    assert found["profit"]["value"] == found["listed_share"]["value"] == 0


def test_calls_that_cost_nothing_go_to_everybody_who_may_leave() -> None:
    free = Economics(touch_cost=0.0, save_chance=0.3, kept_months=1.0)
    found = maximum_profit(stake([0, 1, 1, 0]), np.array([4.0, 3.0, 2.0, 1.0]), free)
    assert found is not None
    assert found["profit"]["value"] == pytest.approx(0.3 * 400)
    assert found["listed_share"]["value"] == pytest.approx(3 / 4)


def test_without_an_event_there_is_nothing_to_tell() -> None:
    assert maximum_profit(stake([0, 0]), np.array([1.0, 2.0]), VERBRAKEN) is None
