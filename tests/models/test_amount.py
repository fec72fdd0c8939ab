"""What an expansion adds: shares by hand, and a file that refuses changed bytes."""

import hashlib
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import ModelError
from models.amount import Amount, Judged, Shape, amount_from_json
from models.bundle import Bundle, load, save
from models.calibration import identity
from models.intervals import COVARIATES
from models.linear import Linear
from models.question import Question
from models.trees import Trees

FEATURES = ("seats", "tickets")
WEIGHTS = Linear(
    intercept=0.0,
    centres=(float(np.log(3)), 0.0),
    spreads=(float(np.log(3)), 1.0),
    weights=(0.5, 0.0),
    absent=(-0.25, 0.0),
    absent_shares=(0.0, 0.0),
)
SHAPE = Shape(WEIGHTS, lowest=-0.5, highest=0.75, levels={30: 0.2, 90: 0.3})
JUDGED = Judged(expansions=40, mean_share=0.08, by_account=0.06, standard_error=0.005)
BY_ACCOUNT = Amount(mean_shares={30: 0.21, 90: 0.32}, shape=SHAPE, judged=JUDGED)
STUMP = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=gamma
feature_names=seats tickets
feature_infos=[0:9] [0:9]

Tree=0
num_leaves=2
num_cat=0
split_feature=0
split_gain=1
threshold=5
decision_type=2
left_child=-1
right_child=-2
leaf_value=-0.5 0.25
leaf_weight=1 1
leaf_count=1 1
internal_value=0
internal_weight=2
internal_count=2
is_linear=0
shrinkage=1


end of trees
"""
BY_TREES = Amount({30: 0.21}, Trees(STUMP, {30: 0.2, 90: 0.3}), JUDGED)
NUMBERS = len(FEATURES) + len(COVARIATES)


@pytest.fixture
def bundle() -> Bundle:
    zeros = (0.0,) * NUMBERS
    return Bundle(
        question=Question("expansion", "expansion", (30, 90)),
        features=FEATURES,
        catalogue=(),
        features_fingerprint="abc",
        booster_text="",
        calibration=identity(2),
        base_rates={30: 0.02, 90: 0.05},
        version="1",
        trained_at=datetime(2025, 1, 1),  # noqa: DTZ001 - naive UTC
        as_of_range=(date(2023, 1, 1), date(2024, 6, 1)),
        linear=Linear(0.0, zeros, (1.0,) * NUMBERS, zeros, zeros, zeros),
        amount=BY_ACCOUNT,
    )


def seats(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"seats": values, "tickets": 0.0})


def test_a_share_is_the_horizons_level_times_the_accounts_factor(bundle: Bundle) -> None:
    # ln(1 + 2) lies at the centre, ln(1 + 8) = 2 ln 3 one spread above it, a null counts -0.25.
    expected = np.exp([[0.0], [0.5], [-0.25]]) * [0.2, 0.3]
    np.testing.assert_allclose(bundle.added_shares(seats(2, 8, np.nan)), expected)


def test_an_account_unlike_any_that_expanded_counts_as_the_most_extreme_of_those(
    bundle: Bundle,
) -> None:
    # ln(1 + 80) = 4 ln 3 lies three spreads above the centre: 1.5, kept to 0.75.
    np.testing.assert_allclose(bundle.added_shares(seats(80)), np.exp([[0.75]]) * [0.2, 0.3])


def test_trees_tell_the_horizons_level_times_what_their_leaves_say(bundle: Bundle) -> None:
    grown = replace(bundle, amount=BY_TREES)
    expected = np.exp([[-0.5], [0.25], [-0.5]]) * [0.2, 0.3]
    np.testing.assert_allclose(grown.added_shares(seats(2, 8, 5)), expected)
    assert grown.added_shares(seats()).shape == (0, 2)


def test_without_a_shape_every_account_has_the_mean_share(bundle: Bundle) -> None:
    mean = replace(bundle, amount=Amount({90: 0.32}))
    np.testing.assert_array_equal(mean.added_shares(seats(2, 8)), [[np.nan, 0.32]] * 2)


def test_a_model_of_another_outcome_adds_nothing_that_is_known(bundle: Bundle) -> None:
    assert np.isnan(replace(bundle, amount=None).added_shares(seats(2, 8))).all()


@pytest.mark.parametrize("amount", [BY_ACCOUNT, BY_TREES])
def test_it_comes_back_from_its_folder_and_tells_the_same(
    bundle: Bundle, tmp_path: Path, amount: Amount
) -> None:
    kept = replace(bundle, amount=amount)
    save(kept, tmp_path)
    again = load(tmp_path)
    assert again == kept
    assert again.digest == kept.digest
    np.testing.assert_array_equal(again.added_shares(seats(2, 8)), kept.added_shares(seats(2, 8)))
    assert json.loads((tmp_path / "amount.json").read_text())["judged"]["expansions"] == 40


@pytest.mark.parametrize(
    "amount", [BY_ACCOUNT, BY_TREES, Amount({30: 0.5}), Amount({}, None, JUDGED)]
)
def test_its_text_says_all_of_it(amount: Amount) -> None:
    assert amount_from_json(json.loads(amount.to_text())) == amount


@pytest.mark.parametrize("broken", ["changed", "gone"])
def test_a_folder_whose_amounts_are_not_as_saved_is_refused(
    bundle: Bundle, tmp_path: Path, broken: str
) -> None:
    save(bundle, tmp_path)
    path = tmp_path / "amount.json"
    if broken == "gone":
        path.unlink()
    else:
        path.write_text(path.read_text().replace("0.21", "0.91"))
    with pytest.raises(ModelError, match=r"other bytes|Expected a model bundle"):
        load(tmp_path)


def test_the_text_of_what_an_older_release_kept_stays_as_it_was() -> None:
    fields = json.loads(BY_ACCOUNT.to_text())
    assert set(fields) == {"mean_shares", "shape", "judged"}
    assert set(fields["judged"]) == {"expansions", "mean_share", "by_account", "standard_error"}


@pytest.mark.parametrize(
    ("mean_share", "by_trees", "way"),
    [
        (0.08, 0.056, "by account"),  # 0.06 - 0.056 is within the standard error of 0.005
        (0.08, 0.054, "by trees"),
        (0.05, 0.046, "the mean share"),
        (0.05, 0.044, "by trees"),
    ],
)
def test_trees_are_the_way_only_where_they_beat_what_stands_by_more_than_chance(
    mean_share: float, by_trees: float, way: str
) -> None:
    found = replace(JUDGED, mean_share=mean_share, by_trees=by_trees, trees_error=0.005)
    assert found.way == way


def test_amounts_told_by_account_are_part_of_the_digest(bundle: Bundle) -> None:
    steeper = replace(SHAPE, highest=0.8)
    other = replace(bundle, amount=replace(BY_ACCOUNT, shape=steeper))
    assert other.digest != bundle.digest


def test_a_bundle_of_an_older_release_tells_the_mean_share_under_its_old_digest(
    bundle: Bundle, tmp_path: Path
) -> None:
    save(replace(bundle, amount=None), tmp_path)
    fields = json.loads((tmp_path / "bundle.json").read_text())
    text = json.dumps(fields | {"added_share": {"30": 0.2, "90": 0.25}})
    (tmp_path / "bundle.json").write_text(text)
    sums = json.loads((tmp_path / "manifest.json").read_text())
    sums["bundle.json"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(sums))
    older = load(tmp_path)
    assert older.amount == Amount({30: 0.2, 90: 0.25})
    assert older.digest == replace(bundle, amount=None).digest


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (BY_ACCOUNT, "told by account: on 40 later expansions the deviance was 0.0600 by account"),
        (Amount({}, None, JUDGED), "is the mean share: on 40 later expansions"),
        (
            replace(BY_TREES, judged=replace(JUDGED, by_trees=0.05, trees_error=0.004)),
            "0.0800 by the mean share, by trees 0.0500 (standard error of the difference 0.0040)",
        ),
        (Amount({}), "too few are known to compare"),
    ],
)
def test_it_says_how_amounts_are_told_and_why(amount: Amount, said: str) -> None:
    assert said in amount.sentence()
