"""A ready feature table made usable: its label as 0 and 1, its columns as numbers or categories."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SourceError

Floats = NDArray[np.float64]

ACCOUNT = "account_id"
AS_OF = "as_of"
MOST_CATEGORIES = 100
FEW_CATEGORIES = 20
FEWEST_ROWS_OF_A_CATEGORY = 5

_YES = frozenset({"1", "1.0", "true", "t", "yes", "y"})
_NO = frozenset({"0", "0.0", "false", "f", "no", "n"})
_MISSING = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
_ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]|$)"
_NO_NUMBERS = frozenset({"inf", "-inf", "infinity", "-infinity"})
_GROUPED = r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?"
MOSTLY = 0.8
"""Share of numbers from which the other words of a column are taken for slips."""
_LABELS = ("label", "target", "outcome", "event", "y")


@dataclass(frozen=True)
class Columns:
    """The columns a model is offered.

    Attributes
    ----------
    frame
        Numbers (float64, NaN is missing) and categories (text), one row per row of the table.
    categories
        The values of each category worth telling apart; their order is that of their codes.
    left_out
        Columns that are no features, and why.
    notes
        Sentences on what was read as something else.
    """

    frame: pd.DataFrame
    categories: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()


def label_column(frame: pd.DataFrame, model: str, label: str | None = None) -> str:
    """Give the name of the label: the one asked for, else `label`, the model's name, or the like.

    Raises
    ------
    SourceError
        If there is no such column, or none that is a label by its name.
    """
    if label is not None:
        if label in frame.columns:
            return label
        raise SourceError(
            f"Expected a label column {label!r} in the table, got the columns "
            f"{', '.join(map(str, frame.columns[:8]))} …. Name one of them with --label."
        )
    past = {"churn": "churned", "expansion": "expanded", "contraction": "contracted"}.get(model)
    known = (*_LABELS, model, past or model, f"{model}_label", f"is_{model}")
    by_name = {str(name).lower().replace(" ", "_"): str(name) for name in frame.columns}
    for name in known:
        if name in by_name:
            return by_name[name]
    raise SourceError(
        f"Expected a label column called {', '.join(known[:6])} …, got none. "
        "Name yours with --label."
    )


def outcomes(label: pd.Series) -> Floats:
    """Read a label as 1, 0, and NaN where it is empty: unknown.

    Raises
    ------
    SourceError
        If it holds anything but 0 and 1, yes and no, or true and false.
    """
    texts = _texts(label).str.lower()
    texts = texts.mask(texts.isin(_MISSING))
    strange = texts[texts.notna() & ~texts.isin(_YES | _NO)]
    if len(strange):
        raise SourceError(
            f"Expected 0 and 1, or yes and no, in the label {label.name!r}, got "
            f"{strange.iloc[0]!r} and {len(strange) - 1} more such rows. "
            "Name a label that is one or the other."
        )
    is_yes = texts.isin(_YES).to_numpy(float)
    return np.where(texts.notna().to_numpy(bool), is_yes, np.nan)


def offered(frame: pd.DataFrame, *, apart: Sequence[str], learn: NDArray[np.bool_]) -> Columns:
    """Turn the columns of a table into numbers and categories.

    Parameters
    ----------
    frame
        The table.
    apart
        Columns that are no features: label, account, date, group.
    learn
        The rows that categories are learned from; a value that they do not show is missing.
    """
    ready: dict[str, pd.Series] = {}
    categories: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    notes: list[str] = []
    for name in map(str, frame.columns):
        if name in apart:
            continue
        column = frame[name]
        numbers = numbers_in(column)
        if is_date(column):
            left_out[name] = "a date, which needs another date to count days from"
        elif numbers is not None:
            ready[name] = numbers
            notes += _slips(column, numbers)
        else:
            ready[name] = _texts(column).astype(object)
            categories[name] = _categories(ready[name][learn])
    return Columns(pd.DataFrame(ready, index=frame.index), categories, left_out, tuple(notes))


def numbers_in(column: pd.Series) -> pd.Series | None:
    """Give a column as numbers, NaN is missing; None if it holds words.

    Numbers may be written as text: with blanks or words such as NA for missing ones, all of them
    with a percent sign, or with commas between thousands. Where most are numbers, more different
    ones than there are grades, another word is a slip and missing. Dates become days.
    """
    if is_date(column):
        times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
        return (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return _finite(column.to_numpy(float), column.index)
    values = column if pd.api.types.is_numeric_dtype(column) else _written(column)
    numbers = pd.to_numeric(values, errors="coerce").astype("Float64")
    words = values.notna() & numbers.isna()
    if bool(words.any()) and not _are_slips(words, values, numbers):
        return None
    return _finite(numbers.to_numpy(float, na_value=np.nan), column.index)


def _written(column: pd.Series) -> pd.Series:
    """Give texts as a computer writes numbers, so far as they are numbers."""
    texts = _texts(column)
    texts = texts.mask(texts.str.lower().isin(_MISSING))
    filled = texts.dropna()
    if len(filled) and bool(filled.str.endswith("%").all()):
        return texts.str.removesuffix("%").str.strip()
    is_grouped = texts.str.fullmatch(_GROUPED).fillna(value=False)
    return texts.mask(is_grouped, texts.str.replace(",", ""))


def _are_slips(words: pd.Series, values: pd.Series, numbers: pd.Series) -> bool:
    is_mostly = int(words.sum()) <= (1 - MOSTLY) * int(values.notna().sum())
    return is_mostly and int(numbers.nunique()) > FEW_CATEGORIES


def _slips(column: pd.Series, numbers: pd.Series) -> list[str]:
    """Say what of a column of numbers was none."""
    if pd.api.types.is_numeric_dtype(column) or is_date(column):
        return []
    slips = _written(column)[numbers.isna()].dropna()
    slips = slips[~slips.str.lower().isin(_NO_NUMBERS)]
    if slips.empty:
        return []
    said = f"{column.name} holds numbers but for {len(slips)} of {len(column)} rows"
    return [f"{said}, such as {slips.iloc[0]!r}, which were read as missing."]


def _finite(numbers: NDArray[np.floating[Any]], index: pd.Index) -> pd.Series:
    return pd.Series(np.where(np.isfinite(numbers), numbers, np.nan), index=index)


def is_date(column: pd.Series) -> bool:
    """Tell whether a column holds dates, or text that starts with one as 2024-12-31 does."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    texts = _texts(column).dropna()
    return bool(len(texts)) and bool(texts.str.match(_ISO_DATE).all())


def _texts(column: pd.Series) -> pd.Series:
    texts = column.astype("string").str.strip()
    return texts.mask(texts == "")


def _categories(values: pd.Series) -> tuple[str, ...]:
    counts = values.value_counts()
    frequent = counts[counts >= FEWEST_ROWS_OF_A_CATEGORY]
    # Ties are broken by name, so that equal tables give equal models.
    kept = sorted(frequent.index, key=lambda value: (-int(frequent[value]), str(value)))
    # A tree cuts between neighbours: in a reader's order a few are grades, "10-50" before
    # "100-250"; many are best told apart as frequent and rare.
    return tuple(
        sorted(kept, key=_natural) if len(kept) <= FEW_CATEGORIES else kept[:MOST_CATEGORIES]
    )


def _natural(value: str) -> list[tuple[bool, float, str]]:
    parts = re.split(r"(\d+)", value.lower())
    return [(not part.isdigit(), float(part) if part.isdigit() else 0.0, part) for part in parts]
