"""Conditions over features, such as ``usage__events_change__28d <= -0.5``: read, then computed.

Python reads the text into a tree. Of that tree only comparisons, and/or/not, arithmetic, feature
names and numbers are let through; nothing of it is ever run.
"""

import ast
import difflib
import operator
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import PlaybookError

LONGEST = 1_000
DEEPEST = 20
LARGEST = 1e15
ALLOWED = (
    "A condition is made of feature names, numbers, + - * /, < <= > >= == !=, in [...], "
    "and, or, not, and parentheses."
)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Number = Callable[[pd.DataFrame], Floats]
Truth = Callable[[pd.DataFrame], tuple[Flags, Flags]]
"""Gives where it is true, and where it is false; where neither, it is not known."""

ARITHMETIC: Mapping[type[ast.operator], Callable[[Floats, Floats], Floats]] = MappingProxyType(
    {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
)
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Flags]] = MappingProxyType(
    {
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    }
)


@dataclass(frozen=True)
class Condition:
    """A condition that was read.

    Attributes
    ----------
    columns:
        The features that it names.
    """

    text: str
    columns: frozenset[str]
    truth: Truth = field(compare=False, repr=False)

    def holds(self, table: pd.DataFrame) -> Flags:
        """Tell for each row of a feature table whether the condition is known to hold.

        A null, a feature that the table lacks, and a division by zero are not known. ``and`` is
        false where one side is, ``or`` true where one side is; else nothing is known of what is
        made from something unknown.
        """
        with np.errstate(all="ignore"):
            return self.truth(table)[0]


def condition(text: str, known: Collection[str] | None, where: str) -> Condition:
    """Read a condition.

    Parameters
    ----------
    known:
        The columns that there are; None where they are not known here, and any is let through.
    where:
        The file and line, for errors.

    Raises
    ------
    PlaybookError
        If it is no condition, or names a feature that is not there.
    """
    if len(text) > LONGEST:
        raise PlaybookError(
            f"Expected a condition of at most {LONGEST:,} characters in {where}, got "
            f"{len(text):,}. Write two triggers."
        )
    try:
        tree = _parsed(text)
        truth = _truth(tree, DEEPEST)
        columns = frozenset(_columns(tree, known))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise PlaybookError(
            f"Expected a condition in {where}, got {text[:60]!r}: {why}. {ALLOWED}"
        ) from error
    if not columns:
        raise PlaybookError(
            f"Expected a condition that names a feature in {where}, got {text[:60]!r}, which is "
            "the same for every account. Name one; tenure features --list shows them."
        )
    return Condition(text, columns, truth)


def _parsed(text: str) -> ast.expr:
    if "#" in text:  # lines are joined, so that a comment would swallow what follows
        raise ValueError("a comment inside")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what Python only doubts, as `1and x`, is refused
        return ast.parse(" ".join(text.split()), mode="eval").body


def _columns(tree: ast.expr, known: Collection[str] | None) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if known is not None and node.id not in known:
                near = difflib.get_close_matches(node.id, known, n=3)
                cure = f"Did you mean {' or '.join(near)}?" if near else "None is like it."
                raise ValueError(
                    f"there is no feature {node.id[:80]}. {cure} tenure features --list shows all"
                )
            yield node.id


def _truth(node: ast.expr, depth: int) -> Truth:
    """Make what computes a condition; ValueError for what is none."""
    below = _deeper(depth)
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return _all([_truth(each, below) for each in values])
        case ast.BoolOp(op=ast.Or(), values=values):
            return _not(_all([_not(_truth(each, below)) for each in values]))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _not(_truth(operand, below))
        case ast.Compare(left=left, ops=ops, comparators=others):
            lefts = [left, *others[:-1]]
            return _all([_compared(*each, below) for each in zip(lefts, ops, others, strict=True)])
        case _:
            raise ValueError(f"{_named(node)} where a condition is expected")


def _number(node: ast.expr, depth: int) -> Number:
    """Make what computes a number of each row; ValueError for what is none."""
    below = _deeper(depth)
    match node:
        case ast.Name(id=column):
            return lambda table: _values(table, column)
        case ast.Constant():
            value = _constant(node)
            return lambda table: np.full(len(table), value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _number(operand, below)
            return lambda table: -positive(table)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            compute = ARITHMETIC[type(op)]
            one, other = _number(left, below), _number(right, below)
            return lambda table: _finite(compute(one(table), other(table)))
        case _:
            raise ValueError(f"{_named(node)} where a number is expected")


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Truth:
    one = _number(left, depth)
    if isinstance(op, ast.In | ast.NotIn):
        found = _among(one, _listed(right))
        return found if isinstance(op, ast.In) else _not(found)
    if type(op) not in COMPARISONS:
        raise ValueError(f"{type(op).__name__.lower()} where a comparison is expected")
    compare, other = COMPARISONS[type(op)], _number(right, depth)

    def truth(table: pd.DataFrame) -> tuple[Flags, Flags]:
        first, second = one(table), other(table)
        is_known = ~(np.isnan(first) | np.isnan(second))
        said = compare(first, second)
        return is_known & said, is_known & ~said

    return truth


def _among(one: Number, values: list[float]) -> Truth:
    def truth(table: pd.DataFrame) -> tuple[Flags, Flags]:
        first = one(table)
        said, is_known = np.isin(first, values), ~np.isnan(first)
        return is_known & said, is_known & ~said

    return truth


def _all(parts: list[Truth]) -> Truth:
    def truth(table: pd.DataFrame) -> tuple[Flags, Flags]:
        found = [part(table) for part in parts]
        return (
            np.logical_and.reduce([is_true for is_true, _ in found]),
            np.logical_or.reduce([is_false for _, is_false in found]),
        )

    return truth


def _not(part: Truth) -> Truth:
    def truth(table: pd.DataFrame) -> tuple[Flags, Flags]:
        is_true, is_false = part(table)
        return is_false, is_true

    return truth


def _listed(node: ast.expr) -> list[float]:
    if not isinstance(node, ast.List | ast.Tuple | ast.Set) or not node.elts:
        raise ValueError(f"{_named(node)} where a list of numbers is expected after in")
    return [_constant(each) for each in node.elts]


def _constant(node: ast.expr) -> float:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
            return -_constant(operand)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if abs(value) <= LARGEST:
                return float(value)
            raise ValueError(f"a number beyond {LARGEST:g}")
        case _:
            raise ValueError(f"{_named(node)} where a number is expected")


def _values(table: pd.DataFrame, column: str) -> Floats:
    if column not in table:
        return np.full(len(table), np.nan)
    return _finite(table[column].to_numpy(dtype=np.float64, na_value=np.nan))


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _deeper(depth: int) -> int:
    if depth == 0:
        raise ValueError(f"more than {DEEPEST} levels of nesting")
    return depth - 1


def _named(node: ast.expr) -> str:
    """Give a few words of a part that is not let through; such a tree may be any size."""
    match node:
        case ast.Name(id=name):
            return name[:80]
        case ast.Constant(value=value):
            return f"{value!r:.40}"
        case _:
            return f"{type(node).__name__} (at character {node.col_offset + 1})"
