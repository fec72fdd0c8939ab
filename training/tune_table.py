"""Tuning on a ready table: judged at past borders where its rows have dates, else on folds."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.question import Question
from training.fit_table import FOLDS, TableRows, losses
from training.laid_out import FEWEST_EVENTS, Laid
from training.splits import origins
from training.strata import strata
from training.tune import LATER, Budget, Tuned, tune

Booleans = NDArray[np.bool_]
Dates = NDArray[np.datetime64]

HELD_OUT = "on rows held out"
BORDERS = 4
"""At how many past borders settings are judged."""


def tuned(
    table: TableRows, laid: Laid, budget: Budget, progress: Callable[[str], None] | None = None
) -> Tuned:
    """Search for a booster's parameters by the rows to learn from, and by no others.

    Parameters
    ----------
    table
        Its parameters are the first that are tried.
    laid
        Says which rows these are: those whose outcome was known before the test, or those left
        when the test was set aside.

    Raises
    ------
    TooLittleDataError
        With dates, where none of them has enough events before and some after it.
    """
    if laid.dates is None:
        parts = strata(table.outcome, table.groups, laid.learn, FOLDS, table.params.seed)
    else:
        parts = borders(table.question, laid.dates, laid.learn, laid.dates[laid.test].min())
    where = HELD_OUT if laid.dates is None else LATER
    looks = [partial(losses, table, *part) for part in parts if _can_judge(table.outcome, *part)]
    about = {"rows": _digest(table, laid), "question": asdict(table.question)}
    return tune(looks, budget, about=about, default=table.params, where=where, progress=progress)


def borders(
    question: Question, dates: Dates, learn: Booleans, test_from: np.datetime64
) -> Iterator[tuple[Booleans, Booleans]]:
    """Roll a border through the dates to learn from.

    Returns
    -------
    For each border the rows whose window and grace were over by it, and those from it to the next
    one; shape (n,) each.
    """
    stamps = pd.Series(dates)
    window = timedelta(days=question.main_horizon_days + question.grace_days)
    days = [day.to_pydatetime() for day in stamps[learn].drop_duplicates()]
    for split in origins(days, pd.Timestamp(test_from), question, BORDERS):
        known = (stamps + window <= split.test_from).to_numpy()
        yield learn & known, learn & split.is_test(stamps)


def _can_judge(hit: Booleans, learn: Booleans, held: Booleans) -> bool:
    """Tell whether there is enough of either outcome to fit on, and some to judge by."""
    events = int(hit[learn].sum())
    fewest = min(events, int(learn.sum()) - events)
    return fewest >= FEWEST_EVENTS and 0 < hit[held].sum() < held.sum()


def _digest(table: TableRows, laid: Laid) -> str:
    """Give the SHA-256 of what is learned from; what the test holds makes no other search."""
    cells = table.ready.frame.loc[laid.learn, list(table.features)]
    found = hashlib.sha256("\n".join(table.features).encode())
    found.update(pd.util.hash_pandas_object(cells, index=False).to_numpy("<u8").tobytes())
    found.update("\n".join(table.groups[laid.learn].astype(str)).encode())
    found.update(table.outcome[laid.learn].tobytes())
    if laid.dates is not None:
        found.update(laid.dates[laid.learn].astype("<i8").tobytes())
    return found.hexdigest()
