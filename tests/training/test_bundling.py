"""A bundle is the same with one thread and two, and expects what came in all years it knows."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from models.bundle import Bundle
from models.question import Question
from training.bundling import FeatureList, fit_bundle
from training.fit import LinearParams
from training.splits import split_at

QUESTION = Question("expansion", "expansion", (30,), main_horizon_days=30)
NAMES = tuple(f"x{at}" for at in range(200))
FIRST = datetime(2023, 1, 1)  # noqa: DTZ001 - all times are naive UTC
DATES = [FIRST + timedelta(days=30 * month) for month in range(24)]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """60 accounts at each date, of which a third grows by what the first feature says."""
    rng = np.random.default_rng(0)
    count = 60 * len(DATES)
    cells = pd.DataFrame(rng.normal(size=(count, len(NAMES))), columns=list(NAMES))
    names = [f"a{at}" for at in range(60)] * len(DATES)
    return cells.assign(
        account_id=names,
        customer_group=names,
        as_of=pd.Series(np.repeat(DATES, 60)).astype("datetime64[us]"),
        mrr=100.0,
        event_days=np.where(rng.random(count) < 1 / 3, 5.0, np.nan),
        observed_days=2000.0,
        mrr_change__30d=0.2 * np.exp(0.5 * cells["x0"]),
    )


SPLIT = split_at(DATES, DATES[-2], QUESTION)


def fitted(rows: pd.DataFrame, threads: int) -> Bundle:
    with threadpool_limits(limits=threads):
        return fit_bundle(rows, QUESTION, FeatureList(NAMES, (), ""), SPLIT, LinearParams())


def test_one_thread_and_two_give_the_same_bundle(rows: pd.DataFrame) -> None:
    one, two = fitted(rows, 1), fitted(rows, 2)
    assert one.amount.shape is not None
    assert one.linear == two.linear
    assert one.amount == two.amount
    assert one.digest == two.digest


def test_years_that_only_the_second_fit_has_seen_are_not_counted_twice(rows: pd.DataFrame) -> None:
    is_bad = SPLIT.is_calibration(rows["as_of"])
    chance = np.where(is_bad, 0.6, 0.2)
    came = np.random.default_rng(1).random(len(rows)) < chance
    own = rows.assign(event_days=np.where(came, 5.0, np.nan))
    known = (own["as_of"] + timedelta(days=60) <= SPLIT.test_from).to_numpy()
    said = fitted(own, 1).probabilities(own[known])[:, 0]
    assert said.mean() == pytest.approx(came[known].mean(), rel=0.02)
