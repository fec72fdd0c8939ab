"""A company of which about twenty leave: it is trained, it says how sure it is, or it refuses."""

from collections.abc import Callable
from dataclasses import asdict, replace

import pytest

from features.built import Built
from features.errors import TooLittleDataError
from models.churn import CHURN
from training.choose import SIMPLEST_FIRST
from training.fit import BoosterParams
from training.prepare import demand_enough
from training.run import Trained, train


@pytest.fixture(scope="module")
def company(world: Callable[..., Built]) -> Built:
    return world(accounts=35, months=30, seed=2)


@pytest.fixture(scope="module")
def trained(company: Built) -> Trained:
    return train(company, CHURN)


def losses_of(rows: object) -> int:
    return int(rows.loc[rows["outcome__90d"] == 1, "customer_group"].nunique())  # type: ignore[attr-defined] # a frame


def test_it_is_trained_and_says_in_which_way_and_why(company: Built, trained: Trained) -> None:
    left = company.source.newest("subscriptions")["ended_at"] < company.source.extracted_at
    assert 15 <= left.sum() <= 30
    (way,) = [name for name in SIMPLEST_FIRST if f": {name} is fitted" in trained.notes[0]]
    assert "customers with churn are known to learn from" in trained.notes[0]
    assert trained.params == asdict(SIMPLEST_FIRST[way])
    assert (trained.bundle.linear is not None) == (way == "a linear model")


def test_it_says_on_how_many_losses_its_figures_rest_and_their_intervals_are_wide(
    trained: Trained,
) -> None:
    rested = f"The figures rest on {losses_of(trained.test_rows)} customers with churn"
    assert any(note.startswith(rested) for note in trained.notes)
    assert trained.metrics["auc"]["high"] - trained.metrics["auc"]["low"] > 0.15


def test_every_row_of_the_test_period_is_tested_once_and_none_is_drawn_anew(
    company: Built, trained: Trained
) -> None:
    rows = trained.test_rows
    assert not rows.duplicated(["account_id", "as_of"]).any()
    asked = company.states[company.states["as_of"].isin(rows["as_of"].unique())]
    assert len(rows) == trained.metrics["rows"] <= len(asked)


def test_its_rare_losses_are_not_overstated(trained: Trained) -> None:
    # A resampled fit that nobody calibrates back says several times too much.
    ratio = trained.metrics["observed_over_expected"]
    assert ratio["low"] < 1 < ratio["high"]


def test_it_says_the_same_again(company: Built, trained: Trained) -> None:
    assert train(company, CHURN).bundle.digest == trained.bundle.digest


def test_below_the_stated_minimum_it_refuses_in_a_clear_sentence(
    world: Callable[..., Built],
) -> None:
    tiny = world(accounts=8, months=30, seed=2)
    with pytest.raises(TooLittleDataError, match=r"at least 12 customers .* Bring a longer"):
        train(tiny, CHURN)
    with pytest.raises(TooLittleDataError, match="at least 12 customers"):
        demand_enough(tiny.source, tiny.states, CHURN)


def test_a_test_period_in_which_hardly_anybody_left_is_refused(company: Built) -> None:
    # All losses of the test period but two become known as never having been.
    shy = replace(CHURN, fewest_event_accounts=1)
    subscriptions = company.source.folder / "subscriptions.parquet"
    assert subscriptions.is_file()
    found = train(company, shy, params=BoosterParams(trees=2))
    first, last = found.test_rows["as_of"].min(), found.test_rows["as_of"].max()
    lost = found.test_rows.loc[found.test_rows["outcome__90d"] == 1, "account_id"].unique()
    few = set(lost[2:])
    kept = company.states[
        ~(company.states["account_id"].isin(few) & company.states["as_of"].between(first, last))
    ]
    with pytest.raises(TooLittleDataError, match=r"at least 3 customers .* test period, got 2"):
        train(replace(company, states=kept), shy, params=BoosterParams(trees=2))
