"""The back-test: what each origin may know, and what is reported of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.built import Built
from features.checked import CheckedSource
from models.churn import CHURN
from training.backtest import Backtest, backtest
from training.fit import BoosterParams

FEW = BoosterParams(trees=20)


@pytest.fixture(scope="module")
def known(world: Callable[..., Built]) -> Built:
    return world(accounts=300, months=36, seed=5)


@pytest.fixture(scope="module")
def rolled(known: Built) -> Backtest:
    return backtest(known, CHURN, params=FEW)


def without_losses_from(source: CheckedSource, moment: pd.Timestamp, folder: Path) -> CheckedSource:
    rows = pd.read_parquet(source.folder / "subscriptions.parquet")
    rows.loc[rows["ended_at"] >= moment, "ended_at"] = pd.Timestamp("9999-01-01")
    rows.to_parquet(folder / "subscriptions.parquet")
    return replace(source, folder=folder)


def of_origin(found: Backtest, origin: pd.Timestamp) -> pd.DataFrame:
    rows = found.test_rows[found.test_rows["origin"] == origin]
    names = ["probability__30d", "probability__90d"]
    return rows.set_index(["account_id", "as_of"])[names].sort_index()


def test_there_are_six_origins_and_each_tests_on_the_dates_up_to_the_next(rolled: Backtest) -> None:
    spans = rolled.test_rows.groupby("origin")["as_of"].agg(["min", "max"])
    assert len(spans) == 6
    assert (spans["min"] == spans.index).all()
    assert (spans["max"].to_numpy()[:-1] < spans["min"].to_numpy()[1:]).all()


def test_no_loss_that_an_origin_could_not_know_moves_its_probabilities(
    known: Built, rolled: Backtest, tmp_path: Path
) -> None:
    origin = sorted(rolled.test_rows["origin"].unique())[2]
    border = origin - timedelta(days=CHURN.grace_days)
    unknown = replace(known, source=without_losses_from(known.source, border, tmp_path))
    again = backtest(unknown, CHURN, params=FEW)
    pd.testing.assert_frame_equal(of_origin(again, origin), of_origin(rolled, origin))


def test_a_loss_that_an_origin_could_know_does_move_them(
    known: Built, rolled: Backtest, tmp_path: Path
) -> None:
    origin = sorted(rolled.test_rows["origin"].unique())[2]
    border = origin - timedelta(days=CHURN.grace_days + 40)
    unknown = replace(known, source=without_losses_from(known.source, border, tmp_path))
    again = backtest(unknown, CHURN, params=FEW)
    assert not of_origin(again, origin).equals(of_origin(rolled, origin))
