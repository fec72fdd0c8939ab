"""Columns that name rows or accounts: ids, names, and numbers that stand for them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.ready import is_date, numbers_in

ID_SHARE = 0.90
"""Share of distinct values from which a text column names rows."""
FEWEST = 30
"""Fewer rows, or accounts, than this prove nothing."""
MANY = 100
"""Different values from which a column called a name is one."""
LARGE = 1e6
"""From here on a whole number that no two accounts share, and that stays, is a code."""

PAST_COUNTING = 2.0**53
"""Beyond this a float cannot tell whole numbers apart, and nobody has counted so far."""

_ROWS_OF_ONE = 2
_NAMES_OF_IDS = frozenset({"id", "number", "no", "key"})
_NAMES_OF_PEOPLE = frozenset({"id", "name", "email", "mail", "uuid", "guid", "domain", "phone"})


def names_rows(name: str, column: pd.Series, group: NDArray[np.int64]) -> str | None:
    """Tell in a sentence how a column names rows, or the accounts of `group`; None: it does not."""
    first_of_group = column[~pd.Series(group).duplicated().to_numpy()]
    for values, what in ((column.dropna(), "rows"), (first_of_group.dropna(), "accounts")):
        if _are_names(name, values):
            said = f"{name} has {values.nunique()} values in {len(values)} {what}: it names them."
            return said + _is_perhaps_the_group(name, values)
    if _is_a_code(column, group):
        return f"{name} has one large whole number for each account, which none shares: a code."
    return None


def _is_perhaps_the_group(name: str, values: pd.Series) -> str:
    if values.is_unique:
        return ""
    return f" If it says whose row each is, name it with --group: {name} stands in several rows."


def _are_names(name: str, values: pd.Series) -> bool:
    distinct = values.nunique()
    if len(values) < FEWEST:
        return False
    last_word = name.lower().replace(" ", "_").split("_")[-1]
    numbers = numbers_in(values)
    if numbers is None:
        is_called_so = last_word in _NAMES_OF_PEOPLE and distinct >= MANY
        return distinct >= ID_SHARE * len(values) or is_called_so
    if distinct < ID_SHARE * len(values):
        return False
    is_whole = not is_date(values) and bool((numbers % 1 == 0).all())
    is_dense = float(numbers.max() - numbers.min()) < 2 * len(numbers)
    is_past_counting = float(numbers.abs().max()) > PAST_COUNTING
    is_one_each = distinct == len(values)  # as they are written: as floats large ones fall together
    return is_whole and is_one_each and (is_dense or is_past_counting or last_word in _NAMES_OF_IDS)


def _is_a_code(column: pd.Series, group: NDArray[np.int64]) -> bool:
    """Tell whether accounts with several rows keep large whole numbers that no other shares."""
    numbers = numbers_in(column)
    if numbers is None or is_date(column) or not bool((numbers.abs() >= LARGE).any()):
        return False
    filled = numbers.notna().to_numpy(bool)
    values, whose = numbers[filled], pd.Series(group[filled], index=numbers[filled].index)
    is_whole = bool((values % 1 == 0).all())
    distinct = values.nunique()
    is_repeated = distinct >= FEWEST and _ROWS_OF_ONE * distinct <= len(values)
    return is_whole and is_repeated and int(whose.groupby(values).nunique().max()) == 1
