"""Sums and contributions of boosted trees, beside LightGBM's own and beside their definition."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from types import MappingProxyType
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ModelError
from models.boosted import Boosted
from models.forest import read_forest
from models.tree_shap import add_up, share_out

ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1e-30, -0.5, -1.0, 3e9, -3e9, 3e38)


def learned(
    *,
    columns: int = 6,
    rows: int = 2000,
    trees: int = 20,
    seed: int = 0,
    categories: tuple[int, ...] = (),
    **params: Any,
) -> tuple[str, np.ndarray]:
    """Train on rows with missing values, zeros and categories; give the text and odd rows."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=(rows, columns)).astype(np.float32)
    cells[:, -1] = rng.integers(0, 90, rows)
    cells[rng.random(cells.shape) < 0.1] = np.nan
    cells[rng.random(cells.shape) < 0.1] = 0
    clean = np.nan_to_num(cells, nan=-1.5)
    pull = clean[:, 0] * clean[:, -2 % columns] + np.sin(clean).sum(axis=1) + rng.normal(size=rows)
    told = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "seed": seed,
        "min_data_in_leaf": 5,
        **params,
    }
    label = pull if told["objective"] == "regression" else pull > 0
    booster = lightgbm.train(
        told, lightgbm.Dataset(cells, label, categorical_feature=list(categories)), trees
    )
    # Without the sizes of trees LightGBM reads also what a test has changed.
    text = re.sub("tree_sizes=.*\n", "", booster.model_to_string())
    return text, np.vstack([cells[:200], odd_rows(text, columns, rng)])


def odd_rows(text: str, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Give rows of odd values, of thresholds, and of the numbers just beside these."""
    lines = [line for line in text.splitlines() if line.startswith("threshold=")]
    cuts = np.array([float(word) for line in lines for word in line.partition("=")[2].split()])
    cuts = np.clip(cuts, -3e38, 3e38).astype(np.float32)
    beside = [np.nextafter(cuts, np.float32(way)) for way in (-np.inf, np.inf)]
    values = np.concatenate([np.array(ODD, np.float32), cuts, *beside])
    return rng.choice(values, (200, columns))


def contributions(text: str, cells: np.ndarray) -> np.ndarray:
    return lightgbm.Booster(model_str=text).predict(cells, pred_contrib=True)


KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "numbers": {},
        "no value counts as missing": {"use_missing": False},
        "zero counts as missing": {"zero_as_missing": True},
        "categories": {"categories": (5,), "max_cat_to_onehot": 1, "cat_l2": 0},
        "one category against the others": {"categories": (5,), "max_cat_to_onehot": 99},
        "categories, and zero counts as missing": {
            "categories": (0, 5),
            "zero_as_missing": True,
        },
        "stumps": {"num_leaves": 2},
        "the product's": {"num_leaves": 7, "bagging_fraction": 0.8, "bagging_freq": 1},
        "two features, asked again and again": {"columns": 2, "num_leaves": 200},
        "more features on a way than one block of points is exact for": {
            "columns": 60,
            "num_leaves": 400,
            "min_data_in_leaf": 1,
            "feature_fraction_bynode": 0.1,
            "trees": 5,
        },
        "amounts": {"objective": "regression", "num_leaves": 63},
        "dropped trees": {"boosting": "dart", "drop_rate": 0.5},
        "directions": {"monotone_constraints": [1, -1, 0, 0, 0, 0]},
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_are_lightgbms_to_the_bit_and_contributions_to_a_billionth(kind: str) -> None:
    text, cells = learned(**KINDS[kind])
    trees = Boosted(text)
    assert trees.forest is not None
    np.testing.assert_array_equal(trees.sums(cells), trees.booster.predict(cells, raw_score=True))
    found = trees.contributions(cells)
    np.testing.assert_allclose(found, contributions(text, cells), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), trees.sums(cells), rtol=0, atol=1e-9)


def test_the_kinds_are_what_they_are_called() -> None:
    forests = {kind: read_forest(learned(**told)[0]) for kind, told in KINDS.items()}
    assert forests["numbers"].kind.max() == 0
    assert set(forests["categories, and zero counts as missing"].kind) == {1, 2}
    assert np.diff(forests["categories"].words_at).max() > 1
    assert (forests["two features, asked again and again"].before >= 0).mean() > 0.9
    assert max(blocks.max() for _, blocks in _blocks(forests)) > 1


def _blocks(forests: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
    return [(kind, forest.blocks) for kind, forest in forests.items()]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 20),
    leaves=st.integers(2, 60),
    rows=st.integers(30, 400),
    how=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    has_categories=st.booleans(),
)
def test_drawn_models_agree_with_lightgbm(
    seed: int,
    columns: int,
    leaves: int,
    rows: int,
    how: Mapping[str, bool],
    *,
    has_categories: bool,
) -> None:
    text, cells = learned(
        columns=columns,
        rows=rows,
        trees=4,
        seed=seed,
        num_leaves=leaves,
        min_data_in_leaf=1,
        categories=(columns - 1,) if has_categories else (),
        **how,
    )
    trees = Boosted(text)
    np.testing.assert_array_equal(trees.sums(cells), trees.booster.predict(cells, raw_score=True))
    np.testing.assert_allclose(
        trees.contributions(cells), contributions(text, cells), rtol=0, atol=1e-9
    )


def expected(node: Mapping[str, Any], row: np.ndarray, known: frozenset[int]) -> float:
    """Give what a dumped tree of numbers expects of a row of which some features are known."""
    if "leaf_value" in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        value = row[node["split_feature"]]
        goes_left = node["default_left"] if math.isnan(value) else value <= node["threshold"]
        return expected(left if goes_left else right, row, known)
    sides = [
        (side.get("leaf_count", side.get("internal_count")), expected(side, row, known))
        for side in (left, right)
    ]
    return sum(count * said for count, said in sides) / node["internal_count"]


def shapley(root: Mapping[str, Any], row: np.ndarray, feature: int) -> float:
    """Average what a feature adds over all sets of the others, as Shapley defined it."""
    others = [other for other in range(len(row)) if other != feature]
    weights = [
        math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(row))
        for size in range(len(row))
    ]
    return sum(
        weights[size]
        * (
            expected(root, row, frozenset({*known, feature}))
            - expected(root, row, frozenset(known))
        )
        for size in range(len(row))
        for known in combinations(others, size)
    )


def test_contributions_are_shapleys_of_every_set_of_features() -> None:
    text, cells = learned(columns=5, trees=1, num_leaves=12, seed=3)
    tree = lightgbm.Booster(model_str=text).dump_model()["tree_info"][0]["tree_structure"]
    rows = cells[:12].astype(float)
    by_hand = [[shapley(tree, row, feature) for feature in range(5)] for row in rows]
    found = Boosted(text).contributions(cells[:12])
    np.testing.assert_allclose(found[:, :-1], by_hand, rtol=0, atol=1e-12)
    nothing = [expected(tree, row, frozenset()) for row in rows]
    np.testing.assert_allclose(found[:, -1], nothing, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "fault",
    [
        lambda forest: forest._replace(shares=forest.shares * [1.001, 1]),
        lambda forest: forest._replace(before=np.full_like(forest.before, -1)),
        lambda forest: forest._replace(points=forest.points[::-1] * 0.999),
    ],
    ids=["a wrong share of rows", "a feature taken for two", "a wrong point"],
)
def test_a_fault_in_what_was_read_breaks_the_sum(fault: Callable[[Any], Any]) -> None:
    text, cells = learned()
    forest = read_forest(text)
    for planted, is_sound in ((forest, True), (fault(forest), False)):
        out, sums = np.empty((len(cells), 6)), np.empty(len(cells))
        share_out(planted, cells, out)
        add_up(planted, cells, sums)
        assert np.allclose(out.sum(axis=1) + forest.start, sums, atol=1e-9) == is_sound


def test_a_tree_of_one_leaf_is_a_start_and_no_contribution() -> None:
    data = lightgbm.Dataset(np.zeros((50, 2)), np.full(50, 3.0))
    text = lightgbm.train({"objective": "regression", "verbosity": -1}, data, 1).model_to_string()
    trees = Boosted(text)
    assert trees.forest is not None
    assert trees.sums(np.zeros((1, 2), np.float32)).tolist() == [3.0]
    assert trees.contributions(np.zeros((1, 2), np.float32)).tolist() == [[0.0, 0.0, 3.0]]


def test_trees_of_one_leaf_stand_among_others() -> None:
    text, cells = learned(trees=3, num_leaves=5)
    leaf = "\nTree=1\nnum_leaves=1\nnum_cat=0\nsplit_feature=\nleaf_value=0.25\nis_linear=0\n\n"
    plain, mixed = Boosted(text), Boosted(text.replace("\nTree=1", f"{leaf}\nTree=2", 1))
    np.testing.assert_allclose(mixed.sums(cells), plain.sums(cells) + 0.25)
    added = mixed.contributions(cells) - plain.contributions(cells)
    np.testing.assert_allclose(added, np.tile([0.0] * 6 + [0.25], (len(cells), 1)), atol=1e-12)


def special(kind: str) -> tuple[str, np.ndarray]:
    if kind == "a forest's mean":
        return learned(boosting="rf", bagging_fraction=0.5, bagging_freq=1)
    text, cells = learned(num_leaves=3, trees=2)
    counts = next(line for line in text.splitlines() if line.startswith("leaf_count="))
    if kind == "a leaf of no rows":
        return text.replace(counts, "leaf_count=0 1 1", 1), cells
    return text.replace(counts + "\n", "", 1), cells


@pytest.mark.parametrize("kind", ["a forest's mean", "a leaf of no rows"])
def test_what_the_loops_do_not_know_lightgbm_is_asked(kind: str) -> None:
    text, cells = special(kind)
    trees = Boosted(text)
    assert trees.forest is None
    np.testing.assert_array_equal(trees.contributions(cells), contributions(text, cells))
    np.testing.assert_array_equal(trees.sums(cells), trees.booster.predict(cells, raw_score=True))


def test_linear_trees_are_added_up_and_not_explained() -> None:
    text, cells = learned(linear_tree=True, objective="regression")
    trees = Boosted(text)
    np.testing.assert_array_equal(trees.sums(cells), trees.booster.predict(cells, raw_score=True))
    with pytest.raises(ModelError, match="Expected trees that can be explained, got"):
        trees.contributions(cells)


def test_trees_without_counts_or_of_several_answers_are_not_for_the_loops() -> None:
    text, _ = special("uncounted")
    assert read_forest(text) is None
    assert read_forest(text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=3")) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("left_child=", "left_child=1 0 -2"),
        ("left_child=", "left_child=9 -1 -2"),
        ("right_child=", "right_child=-1 -1 -1"),
        ("split_feature=", "split_feature=0 0 6"),
        ("split_feature=", "split_feature=0 -1 0"),
        ("split_feature=", "split_feature=0 x 0"),
        ("decision_type=", "decision_type=1 1 1"),
        ("threshold=", "threshold=0.5"),
        ("leaf_value=", "leaf_value=1 2 3 4 5"),
        ("leaf_count=", "leaf_count=1 1 1 99999999999999999999x"),
        ("num_cat=", "num_cat=2"),
        ("max_feature_idx=", "max_feature_idx=0"),
    ],
)
def test_numbers_that_would_lead_a_loop_astray_are_refused(line: str, told: str) -> None:
    text, _ = learned(trees=2, num_leaves=4)
    kept = next(each for each in text.splitlines() if each.startswith(line))
    with pytest.raises(ModelError, match="Expected trees as LightGBM writes them"):
        read_forest(text.replace(kept, told, 1))


def test_rows_of_other_columns_are_refused() -> None:
    text, cells = learned(trees=2)
    for ask in (Boosted(text).sums, Boosted(text).contributions):
        with pytest.raises(ModelError, match="Expected rows of 6 columns"):
            ask(cells[:, :5])


def test_neither_threads_nor_stretches_of_rows_change_a_bit() -> None:
    text, cells = learned(trees=50, num_leaves=31)
    trees = Boosted(text)
    whole, sums = trees.contributions(cells), trees.sums(cells)
    halves = [cells[:157], cells[157:]]
    with ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(np.vstack([*pool.map(trees.contributions, halves)]), whole)
        np.testing.assert_array_equal(np.concatenate([*pool.map(trees.sums, halves)]), sums)
    alone = [trees.contributions(cells[at : at + 1])[0] for at in range(len(cells))]
    np.testing.assert_array_equal(alone, whole)
    assert np.array_equal(trees.contributions(np.asfortranarray(cells)), whole)


def test_thousands_of_rows_agree() -> None:
    text, cells = learned(rows=20_000, trees=100, num_leaves=31)
    many = np.random.default_rng(1).choice(cells.ravel(), (5_000, 6))
    found = Boosted(text).contributions(many)
    np.testing.assert_allclose(found, contributions(text, many), rtol=0, atol=1e-9)


def test_what_is_read_of_a_text_is_what_lightgbm_dumps() -> None:
    text, _ = learned(trees=1, num_leaves=4)
    forest = read_forest(text)
    dumped = json.dumps(lightgbm.Booster(model_str=text).dump_model()["tree_info"])
    assert all(json.dumps(value) in dumped for value in forest.values.tolist())


QUIET = """
import sys
import models.reasons, models.registry, models.amount
print("numba" in sys.modules)
from models.tree_shap import add_up, share_out
print(add_up.signatures, share_out.signatures)
"""


def test_importing_compiles_nothing_and_loads_numba_only_with_the_loops() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", QUIET], check=False, capture_output=True, text=True
    )
    assert ended.stdout.split() == ["False", "[]", "[]"], ended.stderr
