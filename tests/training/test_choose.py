"""How a company with few events is fitted."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.built import Built
from models.churn import CHURN
from training.bundling import FeatureList
from training.choose import SIMPLEST_FIRST, Choice, choose, tuned
from training.fit import BoosterParams, LinearParams
from training.prepare import features_of, labelled_rows
from training.tune import Budget

QUESTION = replace(CHURN, horizons_days=(30, 90), fewest_event_accounts=5)
Company = tuple[pd.DataFrame, FeatureList]


@pytest.fixture(scope="module")
def few(world: Callable[..., Built]) -> Company:
    """A company of which some fifty leave; the log odds of leaving are a sum of two features."""
    built = world(accounts=60, months=24, seed=8)
    return labelled_rows(built, QUESTION), features_of(built, QUESTION)


def test_with_many_events_the_usual_booster_is_fitted_and_nothing_is_said(
    world: Callable[..., Built],
) -> None:
    built = world(accounts=250, months=30, seed=8)
    panel = labelled_rows(built, QUESTION)
    choice = choose(panel, QUESTION, features_of(built, QUESTION), built.source.extracted_at)
    assert choice.params == BoosterParams()
    assert choice.why == ()


def test_with_few_events_that_add_up_the_linear_model_is_fitted(few: Company) -> None:
    panel, features = few
    choice = choose(panel, QUESTION, features, panel["as_of"].max().to_pydatetime())
    assert isinstance(choice.params, LinearParams)
    assert "Only" in choice.why[0]
    assert "a linear model is fitted, by its log loss of" in choice.why[0]


def test_a_booster_is_fitted_where_it_does_better_on_later_dates_by_more_than_chance(
    few: Company,
) -> None:
    # Who leaves is told by a feature of which both ends are risky: no line can say so.
    panel, features = few
    bent = np.where(panel["event_days"] < 120, np.where(np.arange(len(panel)) % 2, 2.0, -2.0), 0.0)
    noise = np.random.default_rng(0).normal(0, 0.5, len(panel))
    changed = panel.assign(x__fixed=bent + noise)
    choice = choose(changed, QUESTION, features, panel["as_of"].max().to_pydatetime())
    assert isinstance(choice.params, BoosterParams)


def test_what_comes_known_after_the_border_does_not_change_the_choice(few: Company) -> None:
    panel, features = few
    border = panel["as_of"].quantile(0.7).to_pydatetime()
    changed = panel.assign(x__fixed=panel["x__fixed"].mask(panel["as_of"] >= border, 99.0))
    before, after = (choose(rows, QUESTION, features, border) for rows in (panel, changed))
    assert before == after


def test_without_a_past_border_to_compare_at_the_simplest_is_fitted(few: Company) -> None:
    panel, features = few
    early = panel["as_of"].min() + pd.Timedelta(days=130)
    choice = choose(panel, QUESTION, features, early.to_pydatetime())
    assert choice.params == next(iter(SIMPLEST_FIRST.values()))
    assert "too few to compare" in choice.why[0]


def tuned_in_three_trials(company: Company, folder: Path) -> Choice:
    panel, features = company
    ticks = count()
    budget = Budget(3, folder, lambda: 60.0 * next(ticks))
    border = panel["as_of"].max().to_pydatetime()
    return tuned(panel, QUESTION, features, border, budget, {}, lambda _: None)


def test_tuning_takes_nothing_that_a_plain_training_would_not_have_taken(
    few: Company, tmp_path: Path
) -> None:
    panel, features = few
    plain = choose(panel, QUESTION, features, panel["as_of"].max().to_pydatetime())
    found = tuned_in_three_trials(few, tmp_path)
    assert len(found.trials) == 3
    assert found.params == plain.params == LinearParams()
    tuning, choosing = found.why
    assert "Tuned in 3.0 minutes" in tuning
    assert choosing.startswith(plain.why[0].rstrip("."))
    assert "; that of what tuning found is 0." in choosing
