"""Folds before a border, and the losses on them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.built import Built
from models.churn import CHURN
from training.bundling import FeatureList
from training.fit import BoosterParams, LinearParams, Params
from training.heldout import standard_error
from training.later import folds, losses
from training.prepare import features_of, labelled_rows

QUESTION = replace(CHURN, horizons_days=(30, 90), fewest_event_accounts=5)
SMALL = BoosterParams(trees=10, rows_in_leaf=20)


@pytest.fixture(scope="module")
def company(world: Callable[..., Built]) -> tuple[pd.DataFrame, FeatureList]:
    built = world(accounts=150, months=30, seed=4)
    return labelled_rows(built, QUESTION), features_of(built, QUESTION)


@pytest.mark.parametrize("params", [SMALL, LinearParams()])
def test_nothing_that_came_known_after_the_border_changes_a_loss(
    company: tuple[pd.DataFrame, FeatureList], params: Params
) -> None:
    panel, features = company
    border = panel["as_of"].quantile(0.8).to_pydatetime()
    known = (border - panel["as_of"]) / timedelta(days=1) - QUESTION.grace_days
    is_later = panel["event_days"].fillna(np.inf) >= known.clip(0)
    changed = panel.assign(
        event_days=panel["event_days"].mask(is_later & (known > 0), known + 1).mask(known <= 0, 1),
        x__fixed=panel["x__fixed"].mask(known < 30, 99.0),
    )
    before, after = (
        [losses(fold, features, params) for fold in folds(rows, QUESTION, border, 2)]
        for rows in (panel, changed)
    )
    assert len(before) == 2
    for loss, again in zip(before, after, strict=True):
        assert (loss == again).all()


def test_every_tested_window_and_its_grace_ended_between_the_folds_border_and_the_outer_one(
    company: tuple[pd.DataFrame, FeatureList],
) -> None:
    panel, _ = company
    border = panel["as_of"].quantile(0.8).to_pydatetime()
    for fold in folds(panel, QUESTION, border, 3):
        assert (fold.tested["as_of"] >= fold.split.test_from).all()
        assert (fold.tested["as_of"] + timedelta(days=90 + 30) <= border).all()


def test_a_past_border_with_too_few_events_before_it_is_left_out(
    company: tuple[pd.DataFrame, FeatureList],
) -> None:
    panel, _ = company
    border = panel["as_of"].max().to_pydatetime()
    assert len(folds(panel, QUESTION, border, 3)) == 3
    assert folds(panel, replace(QUESTION, fewest_event_accounts=10_000), border, 3) == ()


def test_the_standard_error_counts_customers_and_not_their_months() -> None:
    # Customer a: +1 and +1, customer b: -1 and -1, mean 0: sums 2 and -2, over 4 rows.
    difference = np.array([1.0, 1.0, -1.0, -1.0])
    groups = np.array(["a", "a", "b", "b"], dtype=object)
    assert standard_error(difference, groups) == pytest.approx(np.sqrt(8) / 4)
    alone = np.array(["a", "b", "c", "d"], dtype=object)
    assert standard_error(difference, alone) == pytest.approx(np.sqrt(4) / 4)
