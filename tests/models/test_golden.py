import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.errors import ModelError
from models.bundle import Bundle
from models.golden import UNSEEN, Golden, golden_from_text, golden_set
from models.linear import Linear
from models.made_from import sha256_of

EVENTS, PLAN, DAYS = "usage__events__28d", "lifecycle__plan", "lifecycle__days_to_term_end"
PLANS = ("basic", "team")


@pytest.fixture
def model(stumps: Callable[..., Bundle]) -> Bundle:
    cuts = ((EVENTS, 40.0, 1.5, -1.5), (EVENTS, 7.0, 0.5, -0.5), (PLAN, 0.5, -1.0, 1.0))
    return stumps(*cuts, categories={PLAN: PLANS})


def back(golden: Golden) -> Golden:
    text = golden.to_text()
    return golden_from_text(text, sha256_of(text), "churn 1")


def test_its_rows_lie_on_both_sides_of_where_the_model_changes_its_mind(model: Bundle) -> None:
    events = golden_set(model).rows[EVENTS].dropna()
    assert (events < 7).any()
    assert events.between(7, 40).any()
    assert (events > 40).any()


def test_it_holds_missing_values_and_categories_that_were_never_seen(model: Bundle) -> None:
    rows = golden_set(model).rows
    assert set(rows.columns) == {EVENTS, PLAN, DAYS, "lifecycle__term_months"}
    assert rows.iloc[0].isna().all()
    assert rows[PLAN].iloc[1] == UNSEEN
    assert set(rows[PLAN].dropna()) == {*PLANS, UNSEEN}
    assert rows.isna().mean().between(0.01, 0.5).all()


def test_its_answers_differ_from_row_to_row_and_are_the_models(model: Bundle) -> None:
    golden = golden_set(model)
    assert (golden.probabilities == model.probabilities(golden.rows)).all()
    assert len(np.unique(golden.probabilities, axis=0)) > 4


def test_text_keeps_every_bit(model: Bundle) -> None:
    golden = golden_set(model)
    read = back(golden)
    pd.testing.assert_frame_equal(
        read.rows.drop(columns=PLAN), golden.rows.drop(columns=PLAN), check_exact=True
    )
    assert (read.probabilities == golden.probabilities).all()
    assert (model.probabilities(read.rows) == golden.probabilities).all()
    assert golden_set(model).to_text() == read.to_text()


def test_a_linear_model_has_one_too(stumps: Callable[..., Bundle]) -> None:
    numbers = {
        "centres": (3.0, *[0.0] * 3),
        "spreads": (0.5, *[1.0] * 3),
        "weights": (0.4, *[0.0] * 3),
        "absent": (0.8, *[0.0] * 3),
        "absent_shares": (0.25, *[0.0] * 3),
    }
    linear = Linear(intercept=-2.0, **numbers)
    bundle = stumps((EVENTS, 0.0, 0.0, 0.0), booster_text="", linear=linear)
    golden = golden_set(bundle)
    # e^3 - 1 is about 19, and two spreads of a half to either side make 6 and 54
    events = golden.rows[EVENTS]
    assert events.min() < 9
    assert events.max() > 40
    assert len(np.unique(golden.probabilities, axis=0)) > 4
    assert (back(golden).probabilities == golden.probabilities).all()


def test_a_column_that_the_model_never_splits_on_has_values_too(
    stumps: Callable[..., Bundle],
) -> None:
    bundle = stumps((EVENTS, 7.0, 1.0, -1.0), ("support__tickets__90d", 1.0, 0.0, 0.0))
    dumb = bundle.booster_text.replace("split_feature=1", "split_feature=0")
    assert golden_set(replace(bundle, booster_text=dumb)).rows["support__tickets__90d"].max() > 1


def test_a_model_that_asks_only_whether_a_value_is_missing_answers_its_text_alike(
    stumps: Callable[..., Bundle],
) -> None:
    largest = np.finfo(np.float64).max  # where LightGBM parts any value from a missing one
    bundle = stumps((EVENTS, largest, 1.0, -1.0), ("support__tickets__90d", 1.0, 0.5, -0.5))
    golden = golden_set(bundle)
    assert np.isfinite(golden.rows[EVENTS].dropna()).all()
    assert (bundle.probabilities(back(golden).rows) == golden.probabilities).all()


def test_a_changed_text_is_refused(model: Bundle) -> None:
    text = golden_set(model).to_text()
    kept = json.loads(text)
    kept["probabilities"][3][0] += 1e-6
    with pytest.raises(ModelError, match=r"golden set of churn 1 .* changed since"):
        golden_from_text(json.dumps(kept), sha256_of(text), "churn 1")
