"""The leak audit: columns of a feature table that know, or look as if they knew, the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from training.ready import is_date, numbers_in

Kind = Literal["decides the outcome", "filled after the end", "names a row", "constant"]

DECIDING_AUC = 0.95
"""A single column at or above this is no forecast."""
SUSPICIOUS_AUC = 0.90
"""From here on a column is suspicious when it also towers over every other one."""
TOWERING = 1.6
"""Skill (AUC minus 0.5) of the best column over that of the next that makes it tower."""
PURE_SHARE = 0.99
"""Rows of a cell with one and the same outcome that make it pure."""
PURE_ROWS = 30
"""Fewer rows than this prove nothing about a cell."""
PURE_COVERAGE = 0.10
"""Share of the rarer outcome that pure cells must hold before they count."""
ID_SHARE = 0.90
"""Share of distinct values from which a text column names rows."""

_BINS = 20
_FOLDS = 5
_NULL = -1
_HALF = 0.5
_NAMES_OF_IDS = frozenset({"id", "number", "no", "key"})


@dataclass(frozen=True)
class Finding:
    """One column that the audit names.

    Attributes
    ----------
    kind
        What is wrong with it.
    column
        Its name in the table.
    message
        One sentence with the figures behind it.
    blocking
        Whether a model leaves the column out unless somebody takes it on themselves.
    """

    kind: Kind
    column: str
    message: str
    blocking: bool


def audit(
    frame: pd.DataFrame,
    outcome: np.ndarray,
    features: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
) -> tuple[Finding, ...]:
    """Hold the columns of a table against a known outcome.

    Parameters
    ----------
    frame
        One row per account, or per account and date; any column types.
    outcome
        0 or 1 per row of `frame`; NaN rows (unknown outcome) are left aside.
    features
        The columns to look at; all of them when not given.
    groups
        Whose row each is, where an account has several; by default each row stands alone.

    Returns
    -------
    tuple of Finding
        Blocking ones first, in the order of the columns; empty for a table that gives no ground
        for suspicion. A column has at most one finding.

    Notes
    -----
    A column is cut into cells (its levels, or 20 quantile bins, and its nulls), and a row is
    judged by the outcomes of its cell among four fifths of the groups, its own not among them: no
    column gains by having many values.
    """
    known = np.isfinite(outcome)
    rows = frame.loc[known].reset_index(drop=True)
    hit = outcome[known].astype(bool)
    group = np.arange(len(rows)) if groups is None else pd.factorize(groups[known])[0]
    names = list(frame.columns if features is None else features)
    found: dict[str, Finding] = {}
    cells: dict[str, np.ndarray] = {}
    for name in names:
        finding = _finding_by_itself(name, rows[name], group)
        if finding is not None:
            found[name] = finding
        else:
            cells[name] = _cells(rows[name])
    if 0 < hit.sum() < len(hit):
        found.update(_findings_against(cells, hit, group))
    ordered = [found[name] for name in names if name in found]
    return tuple(sorted(ordered, key=lambda finding: not finding.blocking))


def _finding_by_itself(name: str, column: pd.Series, group: np.ndarray) -> Finding | None:
    distinct = column.nunique(dropna=True)
    if distinct == 0 or (distinct == 1 and bool(column.notna().all())):
        message = f"{name} has one value in all {len(column)} rows and tells nothing apart."
        return Finding("constant", name, message, blocking=False)
    first_of_group = column[~pd.Series(group).duplicated().to_numpy()]
    for values, what in ((column.dropna(), "rows"), (first_of_group.dropna(), "accounts")):
        if _names_rows(name, values):
            message = (
                f"{name} has {values.nunique()} values in {len(values)} {what}: it names them."
            )
            return Finding("names a row", name, message, blocking=True)
    return None


def _names_rows(name: str, values: pd.Series) -> bool:
    if len(values) < PURE_ROWS or values.nunique() < ID_SHARE * len(values):
        return False
    numbers = numbers_in(values)
    if numbers is None:
        return True
    is_whole = not is_date(values) and bool((numbers % 1 == 0).all())
    is_dense = float(numbers.max() - numbers.min()) < 2 * len(numbers)
    is_called_so = name.lower().replace(" ", "_").split("_")[-1] in _NAMES_OF_IDS
    return is_whole and bool(numbers.is_unique) and (is_dense or is_called_so)


def _cells(column: pd.Series) -> np.ndarray:
    """Cell number per row: levels, or quantile bins of a number with many values; nulls apart."""
    numbers = numbers_in(column)
    if numbers is None:
        return pd.factorize(column)[0]
    values = numbers.to_numpy(float)
    filled = np.isfinite(values)
    levels = np.unique(values[filled])
    if len(levels) > _BINS:
        levels = np.unique(np.quantile(values[filled], np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.where(filled, np.searchsorted(levels, values, side="right"), _NULL)


def _findings_against(
    cells: dict[str, np.ndarray], hit: np.ndarray, group: np.ndarray
) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    skill: dict[str, float] = {}
    fold = np.random.default_rng(0).permutation(int(group.max()) + 1)[group] % _FOLDS
    for name, cell in cells.items():
        judged = _judged_by_other_folds(cell, hit, fold)
        skill[name] = max(float(roc_auc_score(hit, judged)) - 0.5, 0.0)
        finding = _emptiness(name, cell, hit) or _purity(name, judged, hit)
        if finding is not None:
            found[name] = finding
    found.update(_towering(skill, found))
    return found


def _judged_by_other_folds(cell: np.ndarray, hit: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Share of hits in the row's cell over the other folds, less the share in all their rows."""
    code = cell - cell.min()
    width = int(code.max()) + 1
    judged = np.empty(len(hit))
    for held in range(_FOLDS):
        learn = fold != held
        base = hit[learn].mean()
        hits = np.bincount(code[learn], weights=hit[learn], minlength=width)
        rows = np.bincount(code[learn], minlength=width)
        # One row's weight of the base rate: a cell never seen says nothing.
        judged[~learn] = ((hits + base) / (rows + 1))[code[~learn]]
        judged[~learn] -= base  # the folds' base rates differ, which alone would rank rows
    return judged


def _emptiness(name: str, cell: np.ndarray, hit: np.ndarray) -> Finding | None:
    """Whether being filled, or being empty, is as good as the rarer outcome."""
    rare = hit if hit.mean() <= _HALF else ~hit
    empty = cell == _NULL
    for word, there in (("filled", ~empty), ("empty", empty)):
        rows, hits = int(there.sum()), int(rare[there].sum())
        is_pure = rows >= PURE_ROWS and hits >= PURE_SHARE * rows
        if is_pure and rows < len(hit) and hits >= PURE_COVERAGE * rare.sum():
            message = (
                f"{name} is {word} in {rows} rows and {hits} of them have the rarer outcome: "
                "it looks written down after the end."
            )
            return Finding("filled after the end", name, message, blocking=True)
    return None


def _purity(name: str, judged: np.ndarray, hit: np.ndarray) -> Finding | None:
    """Whether whole cells hold nothing but the rarer outcome."""
    is_hit_rare = bool(hit.mean() <= _HALF)
    rare = hit if is_hit_rare else ~hit
    toward = (judged if is_hit_rare else -judged) + rare.mean()
    pure = toward >= PURE_SHARE - 2 / PURE_ROWS
    rows, hits = int(pure.sum()), int(rare[pure].sum())
    if rows < PURE_ROWS or hits < PURE_SHARE * rows or hits < PURE_COVERAGE * rare.sum():
        return None
    message = f"{name} alone picks {rows} rows of which {hits} have the rarer outcome."
    return Finding("decides the outcome", name, message, blocking=True)


def _towering(skill: dict[str, float], known: dict[str, Finding]) -> dict[str, Finding]:
    """Columns that alone nearly decide, absolutely or against every column that is not suspect."""
    suspects = dict(known)
    rest = sorted((name for name in skill if name not in known), key=lambda name: -skill[name])
    found: dict[str, Finding] = {}
    for place, name in enumerate(rest):
        following = skill[rest[place + 1]] if place + 1 < len(rest) else 0.0
        alone = skill[name] + 0.5
        is_towering = alone >= SUSPICIOUS_AUC and skill[name] >= TOWERING * following
        if alone < DECIDING_AUC and not is_towering:
            break
        message = (
            f"{name} alone reaches an AUC of {alone:.3f}, the next column {following + 0.5:.3f}."
        )
        found[name] = suspects[name] = Finding("decides the outcome", name, message, blocking=True)
    return found
