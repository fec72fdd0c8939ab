"""Parts of a table's rows with the same share of events, no customer in two of them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

Rows = NDArray[np.bool_]


def strata(
    hit: Rows, groups: NDArray[np.object_], among: Rows, parts: int, seed: int
) -> Iterator[tuple[Rows, Rows]]:
    """Part some rows, and give for each part the others and the part.

    Parameters
    ----------
    hit
        Whether the event came, shape (n,).
    groups
        Whose row each is: a group stands in one part.
    among
        Which rows are parted; the others stand in neither.
    parts, seed
        How many, and drawn how.
    """
    at = np.flatnonzero(among)
    outcome, whose = hit[at], groups[at]
    is_group_a_row = len(np.unique(whose.astype(str))) == len(whose)
    kind, by = (StratifiedKFold, None) if is_group_a_row else (StratifiedGroupKFold, whose)
    for others, part in kind(parts, shuffle=True, random_state=seed).split(at, outcome, by):
        yield _marked(at[others], len(hit)), _marked(at[part], len(hit))


def _marked(at: NDArray[np.int64], count: int) -> Rows:
    marked = np.zeros(count, dtype=bool)
    marked[at] = True
    return marked
