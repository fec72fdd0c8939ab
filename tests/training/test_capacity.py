"""Lists of a limited length, against numbers computed by hand."""

import numpy as np
import pandas as pd
import pytest

from training.capacity import (
    AtStake,
    Economics,
    Team,
    at_capacity,
    at_team,
    first_share,
    of_list,
    team_list,
)

FREE = Economics(touch_cost=0.0)


def accounts(text: str) -> pd.DataFrame:
    """Read lines of: as_of tier csm mrr came probability; - is unknown."""
    names = ["as_of", "tier", "csm", "mrr", "came", "probability"]
    lines = [line.split() for line in text.strip().splitlines()]
    frame = pd.DataFrame(lines, columns=names).replace("-", None)
    frame["as_of"] = pd.to_datetime(frame["as_of"])
    frame[names[3:]] = frame[names[3:]].astype(float)
    return frame.assign(customer_group=[f"g{at}" for at in range(len(frame))])


TWO_DATES = accounts("""
    2024-01-01 high ann 100 1 0.9
    2024-01-01 high ann 900 0 0.3
    2024-01-01 mid  ann 300 1 0.2
    2024-01-01 tech -   500 1 0.8
    2024-02-01 high bob 200 0 0.1
    2024-02-01 mid  bob 700 1 0.5
    2024-02-01 mid  bob 800 0 0.4
    2024-02-01 mid  -   600 0 0.7
""")


def stake(frame: pd.DataFrame) -> AtStake:
    return AtStake(frame, frame["came"].to_numpy() > 0, frame["mrr"].to_numpy())


def test_the_highest_of_each_date_are_listed() -> None:
    order = TWO_DATES["probability"].to_numpy()
    assert np.flatnonzero(first_share(TWO_DATES, order, 0.25)).tolist() == [0, 7]
    assert np.flatnonzero(first_share(TWO_DATES, order, 0.5)).tolist() == [0, 3, 5, 7]


def test_a_list_of_few_accounts_holds_at_least_one_of_each_date() -> None:
    order = TWO_DATES["probability"].to_numpy()
    assert np.flatnonzero(first_share(TWO_DATES, order, 0.05)).tolist() == [0, 7]
    assert at_capacity(stake(TWO_DATES), order, FREE)[0]["listed"] == 1.0


@pytest.mark.parametrize(
    ("a_csm", "listed"),
    [
        ({"high": 1, "mid": 1}, [0, 5]),  # one account each, of whatever tier
        ({"high": 2, "mid": 2}, [0, 1, 5, 6]),
        ({"high": 1, "mid": 2}, [0, 5, 6]),
        ({"high": 25, "mid": 150}, [0, 1, 2, 4, 5, 6]),  # all that have a CSM, but tech
        ({"mid": 1}, [2, 5]),
    ],
)
def test_each_csm_gets_to_as_many_accounts_as_the_tiers_allow(
    a_csm: dict[str, int], listed: list[int]
) -> None:
    found = team_list(TWO_DATES, TWO_DATES["probability"].to_numpy(), Team(a_csm))
    assert np.flatnonzero(found).tolist() == listed


def test_a_mixed_book_fills_a_csm_by_parts() -> None:
    book = accounts(
        "\n".join(["2024-01-01 high ann 1 0 0.9"] * 20 + ["2024-01-01 mid ann 1 0 0.5"] * 40)
    )
    listed = team_list(book, book["probability"].to_numpy(), Team())
    # 20 of 25 leave a fifth of the capacity: 30 of 150
    assert listed[:20].sum() == 20
    assert listed[20:].sum() == 30


def test_what_stands_on_a_list_is_what_a_hand_counts() -> None:
    listed = np.isin(np.arange(8), [0, 1, 5, 7])
    found = of_list(stake(TWO_DATES), listed, Economics(10.0, 0.5, 2.0))
    value = {
        name: each["value"] if isinstance(each, dict) else each for name, each in found.items()
    }
    assert value == pytest.approx(
        {
            "listed": 2.0,
            "listed_share": 0.5,
            "precision": 2 / 4,
            "recall": 2 / 4,
            "lift": (2 / 4) / (4 / 8),
            "arr_caught": (100 + 700) / (100 + 300 + 500 + 700),
            # half of 2 months of 100 and of 700, less four touches of 10, over two dates
            "profit": (0.5 * 2 * (100 + 700) - 4 * 10) / 2,
        }
    )


def test_an_interval_is_that_of_whole_groups_drawn_again() -> None:
    frame = TWO_DATES.assign(customer_group=["a", "a", "b", "b", "c", "c", "d", "d"])
    listed = np.isin(np.arange(8), [0, 1, 5, 7])
    found = of_list(stake(frame), listed, FREE)["precision"]
    names, at = np.unique(frame["customer_group"], return_inverse=True)
    draws = np.random.default_rng(0).multinomial(4, np.full(4, 1 / 4), size=200)[:, at]
    came = frame["came"].to_numpy()
    on = (draws * listed).sum(axis=1)
    by_hand = (draws * listed * came).sum(axis=1) / np.where(on, on, np.nan)
    assert len(names) == 4
    assert [found["low"], found["high"]] == pytest.approx(
        np.nanquantile(by_hand, [0.025, 0.975]).tolist()
    )


def test_a_list_of_nobody_has_no_precision_and_costs_nothing() -> None:
    found = of_list(stake(TWO_DATES), np.zeros(8, dtype=bool), Economics())
    assert found["precision"] is found["lift"] is None
    assert found["recall"]["value"] == found["profit"]["value"] == 0


def test_the_order_by_expected_mrr_catches_more_money_and_fewer_accounts() -> None:
    frame = accounts("""
        2024-01-01 high ann 10   1 0.9
        2024-01-01 high ann 9000 1 0.5
        2024-01-01 high ann 5    0 0.1
        2024-01-01 high ann 5    0 0.1
    """)
    found = at_team(stake(frame), frame["probability"].to_numpy(), Team({"high": 1}, FREE))
    assert found["probability"]["arr_caught"]["value"] == pytest.approx(10 / 9010)
    assert found["expected_mrr"]["arr_caught"]["value"] == pytest.approx(9000 / 9010)


def test_the_shares_are_given_in_both_orders() -> None:
    found = at_capacity(stake(TWO_DATES), TWO_DATES["probability"].to_numpy(), FREE)
    assert [(each["share"], each["order"]) for each in found] == [
        (share, order) for share in (0.05, 0.1, 0.2) for order in ("probability", "expected_mrr")
    ]
