"""The bounds beyond which an account stands out, against counting by hand."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.peers import Peers
from training.peers import FEWEST_ROWS, peers_of

BORDER = datetime(2025, 1, 1)  # noqa: DTZ001 - naive UTC
MONTH = timedelta(days=30)


def peers(values: list[float | None], as_of: datetime = BORDER - MONTH) -> Peers:
    rows = pd.DataFrame({"as_of": as_of, "x": values}).astype({"x": "float64"})
    return peers_of(rows, ("x",), BORDER)


@given(st.lists(st.none() | st.integers(-3, 30), min_size=50, max_size=90), st.integers(-5, 32))
def test_so_many_of_ten_lie_beyond_where_it_is_said(values: list[int | None], value: int) -> None:
    found = peers(values).standing("x", value)
    there = [each for each in values if each is not None]
    beyond = {
        True: sum(each < value for each in there) / len(values),
        False: sum(each > value for each in there) / len(values),
    }
    if found is not None:
        is_high, tenths = found
        assert beyond[is_high] >= tenths / 10
    elif len(set(there)) > 1:
        assert max(beyond.values()) < 0.8 + 1 / len(values)


def test_a_hundred_accounts_with_one_to_a_hundred() -> None:
    assert peers([*range(1, 101)]).tails == {"x": (11.0, 21.0, 80.0, 90.0)}


@pytest.mark.parametrize("same", [3.0, None])
def test_of_one_value_or_none_nothing_is_kept(same: float | None) -> None:
    assert peers([same] * 60).tails == {}


def test_a_number_that_few_have_stands_out_and_its_absence_does_not() -> None:
    found = peers([None] * 45 + [*range(15)])
    assert found.tails == {}
    few = peers([0.0] * 95 + [7.0] * 5)
    assert few.standing("x", 3.0) == (True, 9)
    assert few.standing("x", 0.0) is None


def test_only_the_last_three_dates_before_the_border_count() -> None:
    parts = [
        pd.DataFrame({"as_of": BORDER + months * MONTH, "x": np.arange(50.0) + 1000 * months})
        for months in (-4, -3, -2, -1, 0, 1)
    ]
    found = peers_of(pd.concat(parts), ("x",), BORDER)
    assert found == peers_of(pd.concat(parts[1:4]), ("x",), BORDER)
    assert found.tails["x"] == (-2985.0, -2970.0, -981.0, -966.0)


def test_texts_are_no_numbers_and_few_accounts_no_company() -> None:
    rows = pd.DataFrame({"as_of": BORDER - MONTH, "x": range(60), "plan": ["a", "b"] * 30})
    assert peers_of(rows, ("x", "plan"), BORDER).tails.keys() == {"x"}
    assert peers_of(rows.head(FEWEST_ROWS - 1), ("x", "plan"), BORDER) == Peers({})
