"""What a forest says of rows, and what each feature adds to it: the compiled loops.

Of a leaf with the value v, a feature j of the way to it has the Shapley value

    v * (o_j - z_j) * integral over t from 0 to 1 of the product over the way's other features k
                      of z_k + (o_k - z_k) * t,

where o is 1 if the row answers all that the way asks about the feature as the way does, else 0, and
z is the share of the training rows that do. A quadrature of Gauss and Legendre of n points is exact
up to 2n features on a way, and a walk down a tree, which multiplies, and one up, which adds up, do
all leaves at once (Yu, Xu, Bifet and Read: Linear TreeShap, NeurIPS 2022, arXiv:2209.08192;
Wettenstein, Mitchell and Yu: Quadrature-TreeSHAP, 2026, arXiv:2605.04497). The values are those of
TreeSHAP (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9).

What comes out of a row hangs on that row alone: threads, and stretches of rows, change no bit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.fold.compiled import compiled
from models.forest import CATEGORIES, LANES, ZERO_IS_MISSING, Forest
from models.lanes import read, spread, write

Floats = NDArray[np.float64]
Cells = NDArray[np.float32]

_ZERO = float(np.float32(1e-35))
"""LightGBM takes what is no larger for 0."""
_TOO_LARGE = 2.0**31
"""From there on LightGBM reads no category."""
_BEFORE = 2
"""`follows` begins with so many ones: what a row followed of a feature not yet asked for."""


@compiled
def add_up(forest: Forest, cells: Cells, out: Floats) -> None:
    """Add up, tree by tree, the values of the leaves that each row falls into.

    Parameters
    ----------
    cells
        Shape (n, features).
    out
        Shape (n,).
    """
    taken = np.empty(cells.shape[1])
    for row in range(cells.shape[0]):
        _take(cells, row, taken)
        total = 0.0
        for tree in range(forest.blocks.shape[0]):
            first = forest.firsts[tree]
            child = 0 if forest.firsts[tree + 1] > first else -1
            while child >= 0:
                node = first + child
                goes_left = _goes_left(forest, node, taken[forest.feature[node]])
                child = forest.children[node, 0 if goes_left else 1]
            total += forest.values[first + tree + ~child]
        out[row] = total


@compiled
def share_out(forest: Forest, cells: Cells, out: Floats) -> None:
    """Give what each feature adds to what the forest starts from; together it is `add_up`'s sum.

    Parameters
    ----------
    cells
        Shape (n, features).
    out
        Shape (n, features or more): columns beyond the features are left alone.
    """
    most = np.diff(forest.firsts).max()
    follows = np.ones(_BEFORE + 2 * most)
    down, up = np.empty((most, LANES)), np.empty((most, LANES))
    taken, effects = np.empty(cells.shape[1]), np.empty((cells.shape[1], LANES))
    for row in range(cells.shape[0]):
        _take(cells, row, taken)
        effects[:] = 0.0
        for tree in range(forest.blocks.shape[0]):
            _follow(forest, tree, taken, follows)
            blocks = forest.blocks[tree]
            for block in range(blocks * (blocks - 1) // 2, blocks * (blocks + 1) // 2):
                _walk_down(forest, tree, block, follows, down)
                _walk_up(forest, tree, block, follows, down, up, effects)
        for feature in range(cells.shape[1]):
            out[row, feature] = effects[feature].sum()


@compiled
def _take(cells: Cells, row: int, taken: Floats) -> None:
    """Read a row as LightGBM does."""
    for feature in range(taken.shape[0]):
        value = np.float64(cells[row, feature])
        taken[feature] = 0.0 if abs(value) <= _ZERO else value


@compiled
def _goes_left(forest: Forest, node: int, value: float) -> bool:
    kind, if_missing = forest.kind[node], forest.missing_goes_left[node]
    if kind == CATEGORIES:
        return _has_category(forest, node, value)
    if kind == ZERO_IS_MISSING and value == 0.0:
        return bool(if_missing)
    # No branch: which way a row goes cannot be guessed.
    return bool((value <= forest.threshold[node]) | (np.isnan(value) & if_missing))


@compiled
def _has_category(forest: Forest, node: int, value: float) -> bool:
    if not -1.0 < value < _TOO_LARGE:
        return False
    category = np.int64(value)
    word = forest.words_at[node, 0] + (category >> 5)
    if word >= forest.words_at[node, 1]:
        return False
    return bool((forest.words[word] >> np.uint32(category & 31)) & np.uint32(1))


@compiled
def _follow(forest: Forest, tree: int, taken: Floats, follows: Floats) -> None:
    """Tell by side of a node, as 1 or 0, if a row answers so, and did on the way to it."""
    first = forest.firsts[tree]
    for at in range(forest.firsts[tree + 1] - first):
        node = first + at
        left = 1.0 if _goes_left(forest, node, taken[forest.feature[node]]) else 0.0
        so_far = follows[_BEFORE + forest.before[node]]
        follows[_BEFORE + 2 * at] = so_far * left
        follows[_BEFORE + 2 * at + 1] = so_far * (1.0 - left)


@compiled
def _walk_down(forest: Forest, tree: int, block: int, follows: Floats, down: Floats) -> None:
    """Multiply for each node the factors of the features before it, but for its own."""
    first = forest.firsts[tree]
    points = read(forest.points, block)
    if forest.firsts[tree + 1] > first:
        write(down, 0, read(forest.weights, block))
    for at in range(forest.firsts[tree + 1] - first):
        here, before = read(down, at), forest.before[first + at]
        if before >= 0:
            share = forest.shares[first + (before >> 1), before & 1]
            here = here / _factor(share, follows[_BEFORE + before], points)
            write(down, at, here)
        for side in range(2):
            child = forest.children[first + at, side]
            if child >= 0:
                share = forest.shares[first + at, side]
                factor = _factor(share, follows[_BEFORE + 2 * at + side], points)
                write(down, child, here * factor)


@compiled
def _walk_up(
    forest: Forest,
    tree: int,
    block: int,
    follows: Floats,
    down: Floats,
    up: Floats,
    effects: Floats,
) -> None:
    """Add up for each node what its leaves say, times the factors below it, and give it out."""
    first = forest.firsts[tree]
    points = read(forest.points, block)
    for at in range(forest.firsts[tree + 1] - first - 1, -1, -1):
        node = first + at
        share, other_share = forest.shares[node, 0], forest.shares[node, 1]
        gain = follows[_BEFORE + 2 * at] - share
        other_gain = follows[_BEFORE + 2 * at + 1] - other_share
        child, other_child = forest.children[node, 0], forest.children[node, 1]
        left = read(up, child) if child >= 0 else spread(forest.values[first + tree + ~child])
        right = (
            read(up, other_child)
            if other_child >= 0
            else spread(forest.values[first + tree + ~other_child])
        )
        gained = gain * left + other_gain * right
        here = read(down, at)
        said = share * left + other_share * right + gained * points
        effect = read(effects, forest.feature[node]) + here * gained
        before = forest.before[node]
        if before >= 0:  # what the last node of this feature says is said anew from here on
            share = forest.shares[first + (before >> 1), before & 1]
            gain = follows[_BEFORE + before] - share
            said = said / _factor(share, share + gain, points)
            effect = effect - gain * (here * said)
        write(up, at, said)
        write(effects, forest.feature[node], effect)


@compiled
def _factor(share: float, follows: float, points: Any) -> Any:  # noqa: ANN401 - lanes are Numba's
    return share + (follows - share) * points
