"""Label windows that touch what they may not: the border, the extract, or the account's own rows.

It takes no part in making labels and splits, and counts by the dates alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.audit_checks import LABEL_WINDOWS
from training.audit.finding import Finding

Dates = npt.NDArray[np.datetime64]
Booleans = npt.NDArray[np.bool_]
Checked = tuple[str, tuple[Finding, ...]]

STILL_THERE = 0.10
"""Share of the accounts with the event whose label says so for longer, from which it is."""
FEWEST_ACCOUNTS = 10


@dataclass(frozen=True)
class Slice:
    """Rows that were used together, and the moment by which their windows must have ended.

    Attributes
    ----------
    name
        For people: ``fit``, ``calibration``, ``test``.
    as_of
        Their dates.
    days
        Horizon and grace.
    border
        The first test date, or the extract.
    """

    name: str
    as_of: Dates
    days: int
    border: np.datetime64


def label_windows(slices: tuple[Slice, ...], test_from: np.datetime64 | None) -> Checked:
    """Hold the windows of each slice against its border, and the slices against the test period.

    Returns
    -------
    What was looked at, and a blocking finding for each slice with a row that crosses.
    """
    findings = [finding for one in slices for finding in _crossing(one, test_from)]
    rows = sum(len(one.as_of) for one in slices)
    names = ", ".join(f"{one.name} by {_day(one.border)}" for one in slices)
    return f"The windows of {rows:,} rows with their grace were held against {names}.", tuple(
        findings
    )


def _crossing(one: Slice, test_from: np.datetime64 | None) -> list[Finding]:
    late = one.as_of + np.timedelta64(one.days, "D") > one.border
    said = []
    if late.any():
        said.append(
            f"{int(late.sum()):,} of {len(late):,} rows of the {one.name} slice have a window that "
            f"ends, with its grace, after {_day(one.border)}: what came later was learned from, or "
            "is not known yet."
        )
    is_test = one.name == "test"
    if test_from is not None and bool(len(one.as_of)):
        inside = (one.as_of < test_from) if is_test else (one.as_of >= test_from)
        if inside.any():
            side = "before" if is_test else "at or after"
            said.append(
                f"{int(inside.sum()):,} rows of the {one.name} slice lie {side} the first test "
                f"date, {_day(test_from)}."
            )
    return [Finding("label window", LABEL_WINDOWS, each, blocking=True) for each in said]


def longer_than_said(
    as_of: Dates, outcome: Booleans, groups: npt.NDArray[np.object_], days: int
) -> tuple[Finding, ...]:
    """Find a label of loss that looks further than its window: it says so for longer on end.

    An account that is lost within the window is said to be for no longer than the window lasts,
    however often it comes back. Where many are, the label says "lost at some time", and the last
    windows before the border reach into the test period.
    """
    rows = pd.DataFrame({"group": groups, "as_of": as_of, "hit": outcome})
    rows = rows.sort_values(["group", "as_of"], ignore_index=True)
    run = ((rows["group"] != rows["group"].shift()) | (rows["hit"] != rows["hit"].shift())).cumsum()
    runs = rows[rows["hit"]].groupby(["group", run[rows["hit"]]])["as_of"].agg(["min", "max"])
    is_long = (runs["max"] - runs["min"]) > pd.Timedelta(days=days)
    by_account = is_long.groupby(level=0).any().to_numpy(bool)
    stays = int(by_account.sum())
    if stays < FEWEST_ACCOUNTS or stays < STILL_THERE * len(by_account):
        return ()
    message = (
        f"{stays:,} of {len(by_account):,} accounts with the event say for more than {days} "
        "days on end that it comes within them: the label's window is longer than the "
        "question's, and touches the test period."
    )
    return (Finding("label window", LABEL_WINDOWS, message, blocking=True),)


def _day(moment: np.datetime64) -> str:
    return f"{pd.Timestamp(moment):%Y-%m-%d}"
