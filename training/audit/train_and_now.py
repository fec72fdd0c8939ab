"""Adversarial validation: whether today's rows can be told from those that were learned from.

What tells them apart on dates and customers that the comparison did not learn from has drifted, or
tells the date. A forecast from it is a guess.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier

from models.audit_checks import TRAIN_AND_NOW
from training.audit.cells import cells_of, judged_by_other_folds
from training.audit.finding import Finding, not_computed
from training.chance import auc

Booleans = npt.NDArray[np.bool_]
Checked = tuple[str, tuple[Finding, ...]]

DECIDING_AUC = 0.97
"""A single column at or above this tells when a row was made, and little else."""
FAR_AUC = 0.80
"""From here on all columns together are said to have moved."""
ROWS = 2000
"""Most rows of either side."""
FEWEST_GROUPS = 5
"""Fewest customers of either side in a fold.

The ten on either side of both folds can stand in 184,756 orders, equally likely where nothing has
moved; in 14 of them a column reaches 0.97, from below or from above. So one of 300 columns does by
chance in fewer than 3 of 100 audits, even where all rows of a customer are alike. What tells all is
found among however few.
"""
_LEADING = 3


def train_and_now(
    frame: pd.DataFrame,
    features: Sequence[str],
    is_now: Booleans,
    as_of: npt.NDArray[np.datetime64],
    groups: npt.NDArray[np.object_],
) -> Checked:
    """Tell the rows of today from those learned from, on other dates and customers.

    Parameters
    ----------
    frame
        Both, one row for each account and date; any column types.
    features
        The columns to look at.
    is_now, as_of, groups
        Of each row: which side it is on, its date, and its customer.

    Returns
    -------
    What was looked at, and findings: a column that alone tells now from then blocks, as does a
    comparison for which there are too few customers; all columns together are a note.
    """
    picked = _sample(is_now, as_of, groups)
    side, fold = is_now[picked], _folds(as_of[picked], groups[picked], is_now[picked])
    fewest = _fewest(side, fold, groups[picked])
    if fewest < FEWEST_GROUPS or not features:
        why = f"expected {FEWEST_GROUPS} customers then and now in each half, got {fewest}."
        return f"Nothing was compared: {why}", (not_computed(TRAIN_AND_NOW, why),)
    kept = np.flatnonzero(fold >= 0)
    rows = frame.iloc[picked[kept]]
    side, fold = side[kept], fold[kept]
    cells = {name: cells_of(rows[name]) for name in features}
    alone = {
        name: max(
            auc(judged_by_other_folds(cell, side, fold), side),
            _in_order(cell, side),
        )
        for name, cell in cells.items()
    }
    together = _together(np.column_stack(list(cells.values())), side, fold)
    leading = sorted(alone, key=lambda name: -alone[name])[:_LEADING]
    said = (
        f"Rows of today are told from those learned from with an AUC of {together:.3f}, on dates "
        f"and customers not seen; {', '.join(f'{n} alone {alone[n]:.3f}' for n in leading)}."
    )
    findings = [_telling(name, alone[name]) for name in alone if alone[name] >= DECIDING_AUC]
    if together >= FAR_AUC:
        findings.append(Finding("tells now from then", TRAIN_AND_NOW, said, blocking=False))
    return said, tuple(findings)


def _in_order(cell: npt.NDArray[np.int64], side: Booleans) -> float:
    """Give the AUC of the cells' order: what grows with time shows cells that no fold has seen."""
    alone = auc(cell, side)
    return max(alone, 1 - alone)


def _telling(name: str, alone: float) -> Finding:
    message = (
        f"{name} alone tells the rows of today from those learned from, with an AUC of "
        f"{alone:.3f}: it tells the date, or is filled otherwise than it was."
    )
    return Finding("tells now from then", name, message, blocking=True)


def _sample(
    is_now: Booleans, as_of: npt.NDArray[np.datetime64], groups: npt.NDArray[np.object_]
) -> npt.NDArray[np.int64]:
    """Pick rows of both sides, the same ones in whatever order the table has them."""
    order = np.lexsort((groups.astype(str), as_of))
    dice = np.random.default_rng(0)
    sides = [order[is_now[order] == which] for which in (False, True)]
    picked = [dice.permutation(side)[:ROWS] for side in sides]
    return np.sort(np.concatenate(picked)).astype(np.int64)


def _folds(
    as_of: npt.NDArray[np.datetime64], groups: npt.NDArray[np.object_], is_now: Booleans
) -> npt.NDArray[np.int64]:
    """Give 0 and 1 to rows that share neither customer nor date across them; -1 to the rest.

    Of a side with a single date, that date is in both. Customers that are there now are dealt out
    first, so that a half has as many of them as the other, or one more.
    """
    names, number = np.unique(groups.astype(str), return_inverse=True)
    is_there = np.bincount(number, weights=is_now, minlength=len(names)) > 0
    dealt = np.lexsort((np.random.default_rng(1).permutation(len(names)), ~is_there))
    half = (np.argsort(dealt) % 2)[number]
    parity = np.full(len(as_of), -1)
    for side in (False, True):
        rows = is_now == side
        dates, at = np.unique(as_of[rows], return_inverse=True)
        parity[rows] = at % 2 if len(dates) > 1 else half[rows]
    return np.where(parity == half, half, -1)


def _fewest(side: Booleans, fold: npt.NDArray[np.int64], groups: npt.NDArray[np.object_]) -> int:
    return min(
        len(np.unique(groups[(fold == half) & (side == which)].astype(str)))
        for half in (0, 1)
        for which in (False, True)
    )


def _together(cells: npt.NDArray[np.int64], side: Booleans, fold: npt.NDArray[np.int64]) -> float:
    """Learn on one fold, judge the other, and give the mean AUC; cells are small numbers."""
    found = []
    for held in (0, 1):
        learn, judge = fold != held, fold == held
        model = ExtraTreesClassifier(60, max_depth=8, min_samples_leaf=5, random_state=0)
        model.fit(cells[learn], side[learn])
        found.append(auc(model.predict_proba(cells[judge])[:, 1], side[judge]))
    return float(np.mean(found))
