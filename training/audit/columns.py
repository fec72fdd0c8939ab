"""Single columns of a feature table that know, or look as if they knew, the outcome."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom

from training.audit.cells import NULL, cells_of, judged_by_other_folds
from training.audit.finding import Finding
from training.audit.naming import names_rows
from training.chance import auc
from training.ready import numbers_in

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
CHANCE = 1e-6
"""How likely chance alone may be to fill a column for accounts that end, and for no others."""

_FOLDS = 5
_HALF = 0.5


def audit(
    frame: pd.DataFrame,
    outcome: np.ndarray,
    features: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
    ended: np.ndarray | None = None,
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
    ended
        Whether it ended at any time later, by all that is known today; by default whether any of
        the group's rows has the outcome. Only what is filled in for those that end is asked of it.

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
    gone = hit if ended is None else ended[known].astype(bool)
    names = list(frame.columns if features is None else features)
    found: dict[str, Finding] = {}
    cells: dict[str, np.ndarray] = {}
    for name in names:
        finding = _finding_by_itself(name, rows[name], group)
        if finding is not None:
            found[name] = finding
        else:
            cells[name] = cells_of(rows[name])
    if 0 < hit.sum() < len(hit):
        found.update(_findings_against(cells, hit, group))
    for name in cells.keys() - found.keys():
        late = next(_filled_for_the_ended(name, rows[name], cells[name], gone, group), None)
        found.update({name: late} if late else {})
    ordered = [found[name] for name in names if name in found]
    return tuple(sorted(ordered, key=lambda finding: not finding.blocking))


def _finding_by_itself(name: str, column: pd.Series, group: np.ndarray) -> Finding | None:
    distinct = column.nunique(dropna=True)
    if distinct == 0 or (distinct == 1 and bool(column.notna().all())):
        message = f"{name} has one value in all {len(column)} rows and tells nothing apart."
        return Finding("constant", name, message, blocking=False)
    said = names_rows(name, column, group)
    return Finding("names a row", name, said, blocking=True) if said else None


def _findings_against(
    cells: dict[str, np.ndarray], hit: np.ndarray, group: np.ndarray
) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    skill: dict[str, float] = {}
    fold = np.random.default_rng(0).permutation(int(group.max()) + 1)[group] % _FOLDS
    for name, cell in cells.items():
        judged = judged_by_other_folds(cell, hit, fold)
        skill[name] = max(auc(judged, hit) - 0.5, 0.0)
        finding = _emptiness(name, cell, hit) or _purity(name, judged, hit)
        if finding is not None:
            found[name] = finding
    found.update(_towering(skill, found))
    return found


def _emptiness(name: str, cell: np.ndarray, hit: np.ndarray) -> Finding | None:
    """Whether being filled, or being empty, is as good as the rarer outcome."""
    rare = hit if hit.mean() <= _HALF else ~hit
    empty = cell == NULL
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


def _filled_for_the_ended(
    name: str, column: pd.Series, cell: np.ndarray, ended: np.ndarray, group: np.ndarray
) -> Iterator[Finding]:
    """Find what is filled in, or emptied, or worded, only in rows of accounts that end some day.

    Counted by account: rows long before the end bear it too, so the outcome of the next days does
    not show it.
    """
    gone = _any_by(group, ended)
    words = np.unique(cell[cell >= 0]) if numbers_in(column) is None else np.array([], dtype=int)
    marks = [("filled", cell != NULL), ("empty", cell == NULL)]
    marks += [(f"{column[cell == each].iloc[0]!r}", cell == each) for each in words]
    for word, rows in marks:
        there = _any_by(group, rows)
        accounts, ends = int(there.sum()), int((there & gone).sum())
        is_pure = accounts < len(gone) and ends >= PURE_SHARE * accounts
        chance = binom.sf(ends - 1, accounts, gone.mean())  # that so many of them end, or more
        if is_pure and chance < CHANCE and ends >= PURE_COVERAGE * gone.sum():
            message = (
                f"{name} is {word} for {accounts} accounts and {ends} of them ended, sooner or "
                f"later, of {len(gone)} of which {int(gone.sum())} did: it looks written down "
                "after the end."
            )
            yield Finding("filled after the end", name, message, blocking=True)


def _any_by(group: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Give, for each group, whether any of its rows is one of these."""
    return np.bincount(group, weights=rows, minlength=int(group.max()) + 1) > 0


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
