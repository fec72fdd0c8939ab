"""A booster's trees, read once from LightGBM's text into arrays that compiled loops can walk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelError

LANES = 8
"""So many points of a quadrature are computed with at once; they are exact to twice as many."""

ZERO_IS_MISSING, CATEGORIES = 1, 2
"""Kinds of nodes: for one, zero is missing as well, the other asks for categories."""

_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12
_ZERO_IS_MISSING, _NAN_IS_MISSING = 4, 8
"""Bits of LightGBM's decision types, and what those of _MISSING say."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int32]


class Forest(NamedTuple):
    """Trees one after the other; a node comes before those below it.

    A side of a node is 0 (left) or 1 (right). A child is a node's number in its tree, or ~ that of
    a leaf. The leaves of tree t begin at ``firsts[t] + t``: a tree has one more than it has nodes.

    Attributes
    ----------
    firsts
        By tree the first of its nodes, and at the end the number of all nodes.
    feature, threshold
        By node: left goes a value that is not above the threshold.
    kind, missing_goes_left
        By node: 0, or what else it asks; and where a missing value goes.
    words_at, words
        Of a node over categories: left goes a category whose bit is set in the words from
        ``words_at[node, 0]`` up to ``words_at[node, 1]``.
    children, shares
        By node and side. The share of the training rows that go there, times those of the nodes
        before on the way that ask for the same feature.
    before
        By node: the last side on the way to it of a node that asks for the same feature, as twice
        that node's number in the tree and the side; -1 without one.
    values
        By leaf.
    blocks
        By tree: how many blocks of points its quadrature has, enough to be exact.
    points, weights
        On [0, 1], by block and lane: a quadrature of one block, then one of two, and so on.
    columns, start
        How many features a row has, and what the trees say before anything of a row is known.
    """

    firsts: Whole
    feature: Whole
    threshold: Floats
    kind: NDArray[np.uint8]
    missing_goes_left: NDArray[np.bool_]
    words_at: Whole
    words: NDArray[np.uint32]
    children: Whole
    shares: Floats
    before: Whole
    values: Floats
    blocks: Whole
    points: Floats
    weights: Floats
    columns: int
    start: float


@dataclass(frozen=True)
class _Tree:
    """One tree as it is written: a child is one of its nodes, or ~ one of its leaves."""

    feature: Whole
    threshold: Floats
    decision: Whole
    children: Whole
    values: Floats
    node_rows: Floats
    leaf_rows: Floats
    bounds: Whole
    words: NDArray[np.uint32]

    @property
    def start(self) -> float:
        """What its leaves say together, by their rows."""
        whole = self.node_rows[0] if len(self.node_rows) else 1.0
        return float(self.leaf_rows / whole @ self.values)


def read_forest(text: str) -> Forest | None:
    """Read the trees of a booster's text.

    Returns
    -------
    Forest or None
        None where leaves hold more than a number, where trees are not simply added up to one
        answer, and where rows are not counted at every node and leaf.

    Raises
    ------
    ModelError
        When the text is not what LightGBM writes: compiled loops trust its numbers.
    """
    head, *parts = text.split("\nTree=")
    said, told = _fields(head), [_fields(part.partition("\n\n")[0]) for part in parts]
    if said.get("num_tree_per_iteration") != "1" or "average_output" in said or not told:
        return None
    if any(_is_special(fields) for fields in told):
        return None
    try:
        trees = [_tree(fields, int(said["max_feature_idx"])) for fields in told]
    except (KeyError, ValueError, OverflowError) as error:
        raise ModelError(
            f"Expected trees as LightGBM writes them, got a text with {error}. "
            "Restore the folder or train the model again."
        ) from error
    if any((tree.node_rows <= 0).any() or (tree.leaf_rows <= 0).any() for tree in trees):
        return None
    return _joined(trees, int(said["max_feature_idx"]) + 1)


def _fields(text: str) -> dict[str, str]:
    return {name: told for name, _, told in (line.partition("=") for line in text.splitlines())}


def _is_special(fields: Mapping[str, str]) -> bool:
    is_counted = fields.get("num_leaves") == "1" or {"leaf_count", "internal_count"} <= {*fields}
    return fields.get("is_linear", "0") != "0" or not is_counted


def _tree(fields: Mapping[str, str], last_feature: int) -> _Tree:
    leaves, categories = int(fields["num_leaves"]), int(fields["num_cat"])
    nodes = leaves - 1

    def numbers(name: str, count: int, dtype: Any = np.int32) -> NDArray[Any]:  # noqa: ANN401 - NumPy's types of numbers
        words = fields[name].split() if count else []
        if len(words) != count:
            msg = f"{len(words)} of {count} numbers in {name}"
            raise ValueError(msg)
        number = float if dtype is np.float64 else int
        return np.array([number(word) for word in words], dtype=dtype)

    bounds = numbers("cat_boundaries", categories + 1) if categories else np.zeros(1, np.int32)
    tree = _Tree(
        feature=numbers("split_feature", nodes),
        threshold=numbers("threshold", nodes, np.float64),
        decision=numbers("decision_type", nodes),
        children=np.stack([numbers(f"{side}_child", nodes) for side in ("left", "right")], axis=1),
        values=numbers("leaf_value", leaves, np.float64),
        node_rows=numbers("internal_count", nodes, np.float64),
        leaf_rows=numbers("leaf_count", leaves, np.float64) if nodes else np.ones(1),
        bounds=bounds,
        words=numbers("cat_threshold", int(bounds[-1]), np.uint32),
    )
    _demand_sound(tree, last_feature)
    return tree


def _demand_sound(tree: _Tree, last_feature: int) -> None:
    """Refuse numbers that would lead a loop out of its arrays, or round in circles."""
    nodes = len(tree.feature)
    named = np.sort(tree.children, axis=None)
    is_whole = np.array_equal(named, [*range(-nodes - 1, 0), *range(1, nodes)])
    leads_down = ((tree.children < 0) | (tree.children > np.arange(nodes)[:, None])).all()
    if nodes and not (is_whole and leads_down):
        msg = "nodes that are not each below one other"
        raise ValueError(msg)
    if (tree.feature < 0).any() or (tree.feature > last_feature).any():
        msg = f"a split by none of the features 0 to {last_feature}"
        raise ValueError(msg)
    asked = tree.threshold[(tree.decision & _CATEGORICAL) > 0]
    if (np.diff(tree.bounds, prepend=0) < 0).any() or not np.isin(
        asked, np.arange(len(tree.bounds) - 1)
    ).all():
        msg = "a split by categories that are not there"
        raise ValueError(msg)


def _joined(trees: Sequence[_Tree], columns: int) -> Forest:
    words = accumulate((len(tree.words) for tree in trees), initial=0)
    parts = [_part(tree, word) for tree, word in zip(trees, words, strict=False)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    points, weights = _quadrature(joined["blocks"].max())
    firsts = [*accumulate((len(tree.feature) for tree in trees), initial=0)]
    return Forest(
        firsts=np.array(firsts, dtype=np.int32),
        points=points,
        weights=weights,
        columns=columns,
        start=sum(tree.start for tree in trees),
        **joined,
    )


def _part(tree: _Tree, word: int) -> dict[str, NDArray[Any]]:
    """Give a tree's part of the arrays; its bits of categories begin at `word`."""
    shares, before, most = _ways(tree)
    is_categorical = (tree.decision & _CATEGORICAL) > 0
    category = np.where(is_categorical, tree.threshold, 0).astype(np.int32)
    words_at = np.stack([tree.bounds[category], tree.bounds[category + is_categorical]], axis=1)
    missing = tree.decision & _MISSING
    is_zero = missing == _ZERO_IS_MISSING
    by_default = np.where(
        is_zero | (missing == _NAN_IS_MISSING),
        (tree.decision & _DEFAULT_LEFT) > 0,
        tree.threshold >= 0,  # no value is missing: LightGBM takes NaN for 0
    )
    return {
        "feature": tree.feature,
        "threshold": tree.threshold,
        "kind": np.where(is_categorical, CATEGORIES, is_zero * ZERO_IS_MISSING).astype(np.uint8),
        "missing_goes_left": by_default & ~is_categorical,
        "words_at": (words_at + word).astype(np.int32),
        "words": tree.words,
        "children": tree.children,
        "shares": shares,
        "before": before,
        "values": tree.values,
        "blocks": np.array([-(-most // (2 * LANES))], dtype=np.int32),
    }


def _ways(tree: _Tree) -> tuple[Floats, Whole, int]:
    """Follow the ways down a tree: `shares`, `before`, and most features that a way asks for."""
    nodes = len(tree.feature)
    shares, before, most = np.empty((nodes, 2)), np.full(nodes, -1, dtype=np.int32), 0
    asked: list[dict[int, int]] = [{} for _ in range(nodes)]
    for node, feature in enumerate(tree.feature.tolist()):
        before[node] = last = asked[node].get(feature, -1)
        so_far = shares[last // 2, last % 2] if last >= 0 else 1.0
        for side, child in enumerate(tree.children[node].tolist()):
            rows = tree.node_rows[child] if child >= 0 else tree.leaf_rows[~child]
            shares[node, side] = so_far * rows / tree.node_rows[node]
            way = {**asked[node], feature: 2 * node + side}
            most = max(most, len(way))
            if child >= 0:
                asked[child] = way
        asked[node] = {}
    return shares, before, most


def _quadrature(most: int) -> tuple[Floats, Floats]:
    rules = [np.polynomial.legendre.leggauss(LANES * blocks) for blocks in range(1, most + 1)]
    if not rules:
        return np.empty((0, LANES)), np.empty((0, LANES))
    points, weights = (np.concatenate(each).reshape(-1, LANES) for each in zip(*rules, strict=True))
    return (points + 1) / 2, weights / 2
