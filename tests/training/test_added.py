"""Expected added MRR against what was added: money by hand, and a company that grows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.built import Built
from features.checked import CheckedSource
from models.expansion import EXPANSION
from models.question import Question
from training.added import added_mrr
from training.backtest import Backtest, backtest
from training.backtest_page import sections
from training.fit import BoosterParams
from training.run import train

ONE = Question("expansion", "expansion", (90,))
FIRST = datetime(2022, 1, 1)  # noqa: DTZ001 - all times are naive UTC
MONTH = timedelta(days=30)
MONTHS, ACCOUNTS = 30, 120


def rows_of(text: str) -> pd.DataFrame:
    """Read lines of: account date mrr probability share came change; mean share 0.2."""
    names = ["account_id", "as_of", "mrr", "probability", "share", "outcome", "mrr_change"]
    frame = pd.DataFrame([line.split() for line in text.strip().splitlines()], columns=names)
    frame[names[2:]] = frame[names[2:]].replace("-", "nan").astype(float)
    frame["as_of"] = pd.to_datetime(frame["as_of"])
    told = frame.rename(columns={name: f"{name}__90d" for name in names[3:]})
    return told.assign(customer_group=frame["account_id"], mean_share__90d=0.2)


ROWS = rows_of("""
    a 2024-01-01 100 0.50 0.30 1 0.30
    b 2024-01-01 200 0.10 0.10 1 0.05
    c 2024-01-01 400 0.25 0.10 0 0.08
    d 2024-01-01 800 0.50 0.40 1 -1.00
    e 2024-01-01 900 0.90 0.90 - -
""")


def test_what_was_expected_and_what_came_add_up_in_money() -> None:
    found = added_mrr(ROWS, ONE)["90"]
    # a 15, b 2, c 10, d 160 expected; a 30 and b 10 came, c did not expand, d lost all again.
    assert found["share"]["expected"] == pytest.approx(187)
    assert found["mean_share"]["expected"] == pytest.approx(10 + 4 + 20 + 80)
    assert found["share"]["realised"] == found["mean_share"]["realised"] == pytest.approx(40)
    assert found["share"]["realised_over_expected"]["value"] == pytest.approx(40 / 187)
    assert (found["share"]["rows"], found["share"]["expansions"]) == (4, 3)


def test_amounts_are_judged_on_those_that_expanded() -> None:
    found = added_mrr(ROWS, ONE)["90"]
    # said 30, 20 and 320 where 30, 10 and 0 came; by the mean share 20, 40 and 160
    assert found["share"]["absolute_error"]["value"] == pytest.approx((0 + 10 + 320) / 3)
    assert found["mean_share"]["absolute_error"]["value"] == pytest.approx((10 + 30 + 160) / 3)
    above = found["above_mean_share"]["absolute_error"]
    assert above["value"] == pytest.approx((330 - 200) / 3)
    by_hand = (0 + 2 * (0.05 * np.log(0.5) + 0.05) + 2 * 0.4) / 3
    assert found["share"]["deviance"]["value"] == pytest.approx(by_hand)
    # the order said is b, a, d; that of what came d, b, a: 1 - 6 (1 + 1 + 4) / (3 x 8)
    assert found["share"]["rank_agreement"] == pytest.approx(-0.5)


def test_the_first_tenth_of_a_date_is_by_what_is_expected() -> None:
    rows = pd.concat([ROWS.iloc[[0]].assign(account_id=f"a{at}") for at in range(10)])
    rows["customer_group"] = rows["account_id"]
    rows["probability__90d"] = np.linspace(0.1, 0.2, 10)
    rows["mrr_change__90d"] = [0.1] * 9 + [0.9]
    found = added_mrr(rows, ONE)["90"]["share"]
    assert found["first_tenth"]["value"] == pytest.approx(90 / 180)


def test_a_horizon_at_which_no_expansion_had_been_seen_is_left_out() -> None:
    assert added_mrr(ROWS.assign(mean_share__90d=np.nan), ONE) == {}


@pytest.fixture(scope="module")
def growing(checked_rows: Callable[..., CheckedSource]) -> Built:
    """Let one in eight accounts a month grow, e times as much for a spread of its first feature."""
    rng = np.random.default_rng(5)
    lives: list[tuple[Any, ...]] = []
    cells = []
    for account in range(ACCOUNTS):
        name, mrr, since = f"{account:03d}", 1000.0, FIRST - MONTH
        for month in range(MONTHS):
            now = FIRST + month * MONTH
            large, ready = rng.normal(), rng.normal()
            cells.append((name, now, mrr, large, ready))
            if rng.random() < 1 / (1 + np.exp(2.5 - ready)):
                moment = now + 0.5 * MONTH
                lives.append((since, moment, round(mrr, 2), name))
                since, mrr = moment, mrr * (1 + 0.2 * np.exp(0.4 * large))
        lives.append((since, datetime(9999, 1, 1), round(mrr, 2), name))  # noqa: DTZ001 - naive UTC
    frame = pd.DataFrame(cells, columns=["account_id", "as_of", "mrr", "x__large", "x__ready"])
    frame["as_of"] = frame["as_of"].astype("datetime64[us]")
    states = frame[["account_id", "as_of", "mrr"]].assign(
        status="active",
        customer_group=frame["account_id"],
        term_ends_at=pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]"),
        term_months=np.nan,
    )
    return Built(
        source=checked_rows(lives, extracted_at=FIRST + MONTHS * MONTH),
        features=(),
        states=states,
        table=frame.drop(columns="mrr"),
    )


QUESTION = replace(EXPANSION, horizons_days=(30, 90), main_horizon_days=30)
FEW = BoosterParams(trees=40, learning_rate=0.1, feature_share=1.0)


@pytest.fixture(scope="module")
def rolled(growing: Built) -> Backtest:
    return backtest(growing, QUESTION, params=FEW, limit=2)


def test_a_back_test_of_expansion_shows_that_amounts_by_account_are_nearer(
    rolled: Backtest,
) -> None:
    found = rolled.metrics["added_mrr"]["30"]
    assert found["above_mean_share"]["deviance"]["high"] < 0
    assert found["share"]["rank_agreement"] > found["mean_share"]["rank_agreement"]
    total = found["share"]["realised_over_expected"]
    assert total["low"] < 1 < total["high"]


def test_the_report_lays_both_ways_out(rolled: Backtest) -> None:
    (section,) = [each for each in sections(rolled) if each.caption == "Expected added MRR"]
    assert [next(iter(row)) for row in section.rows] == [
        "30 days, as told",
        "30 days, by the mean share",
        "90 days, as told",
        "90 days, by the mean share",
    ]
    assert {len(list(row)) for row in section.rows} == {len(section.head)}


def test_a_training_keeps_the_amounts_says_so_and_never_sees_the_test_period(
    growing: Built,
) -> None:
    trained = train(growing, QUESTION, params=FEW)
    assert trained.bundle.amount.shape is not None
    assert any("told by account" in note for note in trained.notes)
    assert "added_mrr" in trained.metrics
    table = growing.table.copy()
    table.loc[table["as_of"] >= trained.split.test_from, "x__large"] = 0.0
    again = train(replace(growing, table=table), QUESTION, params=FEW)
    assert again.bundle.amount == trained.bundle.amount
    assert again.bundle.digest == trained.bundle.digest
