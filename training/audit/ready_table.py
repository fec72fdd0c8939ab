"""The audit of a ready table: what can be asked of columns of which nobody tells the making."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.audit_checks import LABEL_WINDOWS, LATER_ROWS, SINGLE_COLUMNS, TRAIN_AND_NOW
from models.question import Question
from training.audit.columns import audit
from training.audit.finding import Audited
from training.audit.label_windows import Checked, Slice, label_windows, longer_than_said
from training.audit.train_and_now import train_and_now

Booleans = npt.NDArray[np.bool_]

NO_SOURCE = "Does not apply: a ready table has no source that could be cut at a date."
NO_DATES = "Does not apply: the table has no date column."


def audited(
    rows: pd.DataFrame,
    hit: Booleans,
    learn: Booleans,
    test: Booleans,
    columns: Sequence[str],
    groups: npt.NDArray[np.object_],
    dates: npt.NDArray[np.datetime64] | None,
    question: Question,
) -> Audited:
    """Hold a table with a known label against the checks that apply to it.

    Parameters
    ----------
    rows, hit
        The table, and whether the event came.
    learn, test
        Which rows are learned from, and which are the later period.
    columns
        Those that a model might use.
    groups, dates
        Whose row each is, and of when; None for a table without dates.
    question
        Its main horizon and grace are the label's window.
    """
    singles = audit(rows[learn], hit[learn].astype(float), columns, groups[learn])
    held = f"{len(columns)} columns were held, each alone, against the label of {learn.sum():,}"
    windows: Checked = (NO_DATES, ())
    now: Checked = (NO_DATES, ())
    if dates is not None:
        windows = _windows(hit, learn, test, groups, dates, question)
        either = learn | test
        looked_at = [c for c in columns if c not in {found.column for found in singles}]
        now = train_and_now(rows[either], looked_at, test[either], dates[either], groups[either])
    findings = (*singles, *windows[1], *now[1])
    return Audited(
        question.name,
        {
            SINGLE_COLUMNS: f"{held} rows.",
            LATER_ROWS: NO_SOURCE,
            LABEL_WINDOWS: windows[0],
            TRAIN_AND_NOW: now[0],
        },
        tuple(sorted(findings, key=lambda finding: not finding.blocking)),
    )


def _windows(
    hit: Booleans,
    learn: Booleans,
    test: Booleans,
    groups: npt.NDArray[np.object_],
    dates: npt.NDArray[np.datetime64],
    question: Question,
) -> Checked:
    days = question.main_horizon_days + question.grace_days
    border = dates[test].min()
    said, found = label_windows((Slice("fit", dates[learn], days, border),), border)
    if question.outcome == "churn":
        found = (*found, *longer_than_said(dates, hit, groups, days))
    return said, found
