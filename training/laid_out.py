"""A ready table laid out: its roles, the rows to learn from and the later ones, its audit."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import SourceError, TooLittleDataError
from models.made_from import TableRoles
from models.question import Question
from training.audit.finding import Audited, demand_known
from training.audit.ready_table import audited
from training.ready import ACCOUNT, AS_OF, is_date, label_column, outcomes
from training.strata import strata

Booleans = NDArray[np.bool_]

FEWEST_EVENTS = 20
TEST_SHARE = 0.25
TEST_PARTS, SEED = 4, 0


@dataclass(frozen=True)
class Roles:
    """Which columns are no features: the label, the date, and whose row it is."""

    label: str
    time: str | None
    group: str | None


@dataclass(frozen=True)
class Laid:
    """Which rows are learned from and which are tested on, and what the audit found.

    Without dates all rows are both, by turns, or a part of them is set aside for the test.
    """

    dates: NDArray[np.datetime64] | None
    learn: Booleans
    test: Booleans
    apart: tuple[str, ...]
    groups: NDArray[np.object_]
    audited: Audited

    @property
    def sets_aside(self) -> bool:
        """Whether a part was drawn for the test, for want of dates."""
        return self.dates is None and not bool(self.learn.all())


def audit_table(
    frame: pd.DataFrame, question: Question, asked: TableRoles | None = None
) -> Audited:
    """Make the audit that `train_table` makes, of the same arguments, without a fit.

    A column that training would leave out stops here all the same: its maker should know.
    """
    asked = asked or TableRoles()
    demand_known(asked.accept, map(str, frame.columns))
    rows, hit, roles, _ = known_rows(frame, question, asked)
    return lay_out(rows, hit, roles, question).audited.accepting(asked.accept, rows.columns)


def known_rows(
    frame: pd.DataFrame, question: Question, asked: TableRoles
) -> tuple[pd.DataFrame, Booleans, Roles, NDArray[np.int64]]:
    """Give the rows with a known label, whether the event came, the roles, and their positions.

    Raises
    ------
    TooLittleDataError
        With fewer than 20 rows of either outcome.
    SourceError
        If a named column is missing, or named twice, or the label is not of two values.
    """
    roles = Roles(
        label_column(frame, question.name, asked.label),
        _present(frame, asked.time, AS_OF, "time"),
        _present(frame, asked.group, ACCOUNT, "group"),
    )
    _demand_apart(roles)
    outcome = outcomes(frame[roles.label])
    known = np.flatnonzero(np.isfinite(outcome))
    hit = outcome[known] == 1
    _enough(hit, "rows with a known label", "Bring more of them.")
    return frame.iloc[known].reset_index(drop=True), hit, roles, known


def lay_out(
    rows: pd.DataFrame,
    hit: Booleans,
    roles: Roles,
    question: Question,
    *,
    sets_aside: bool = False,
) -> Laid:
    """Part the rows in those to learn from and those to test on, and audit them.

    Parameters
    ----------
    sets_aside
        Whether a quarter of the rows, with its share of the events, is set aside where there are
        no dates to part them.

    Raises
    ------
    TooLittleDataError
        With fewer than 20 rows of either outcome on either side, or fewer than 20 groups.
    SourceError
        If a row has no date.
    """
    dates = None if roles.time is None else _dates(rows[roles.time])
    groups = _groups(rows, roles.group)
    _enough_groups(groups, roles)
    if dates is None and sets_aside:
        learn, test = next(strata(hit, groups, np.ones(len(rows), bool), TEST_PARTS, SEED))
        _enough(hit[test], "quarter that is set aside to test on", "Train without --tune.")
    else:
        learn, test = _slices(dates, question, len(rows))
        _enough(hit[learn], "rows whose window was over before the test period")
        _enough(hit[test], "rows of the test period")
    apart = tuple(n for n in (roles.label, roles.time, roles.group, ACCOUNT) if n is not None)
    looked_at = [name for name in rows.columns if name not in apart]
    found = audited(rows, hit, learn, test, looked_at, groups, dates, question)
    return Laid(dates, learn, test, apart, groups, found)


def _present(frame: pd.DataFrame, asked: str | None, usual: str, role: str) -> str | None:
    if asked is not None and asked not in frame.columns:
        raise SourceError(
            f"Expected the {role} column {asked!r} in the table, got none of that name. "
            "Name one that is there."
        )
    return asked if asked is not None else (usual if usual in frame.columns else None)


def _demand_apart(roles: Roles) -> None:
    named = [name for name in (roles.label, roles.time, roles.group) if name is not None]
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        raise SourceError(
            f"Expected one column each as label, time and group, got {twice[0]!r} for two of them. "
            "Name another column, or leave --time or --group out."
        )


def _enough_groups(groups: NDArray[np.object_], roles: Roles) -> None:
    count = len(pd.unique(groups))
    if count < FEWEST_EVENTS:
        raise TooLittleDataError(
            f"Expected at least {FEWEST_EVENTS} different values in the group column "
            f"{roles.group!r}, whose rows stand together, got {count}. Name the column that says "
            "whose row each is."
        )


def _enough(hit: Booleans, where: str, cure: str = "Bring a longer history.") -> None:
    events, others = int(hit.sum()), int((~hit).sum())
    if min(events, others) < FEWEST_EVENTS:
        raise TooLittleDataError(
            f"Expected at least {FEWEST_EVENTS} rows of either outcome among the {where}, got "
            f"{events} with and {others} without the event. {cure}"
        )


def _groups(rows: pd.DataFrame, group: str | None) -> NDArray[np.object_]:
    """Whose row each is; without a group column each stands alone."""
    return np.arange(len(rows)).astype(object) if group is None else rows[group].to_numpy(object)


def _dates(column: pd.Series) -> NDArray[np.datetime64]:
    filled = column.dropna()
    # 01.02.2023 is a day in January or in February by who wrote it: only what has one meaning.
    if not is_date(filled):
        raise SourceError(
            f"Expected dates such as 2024-12-31 in the column {column.name!r}, got "
            f"{str(filled.iloc[0]) if len(filled) else 'no value'!r}. Write them so."
        )
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    if times.isna().any():
        raise SourceError(
            f"Expected a date in each row of the column {column.name!r}, got "
            f"{int(times.isna().sum())} rows without. Fill it in, or leave those rows out."
        )
    later = times > pd.Timestamp.now("UTC")
    if later.any():
        raise SourceError(
            f"Expected dates up to today in the column {column.name!r}, got {times.max():%Y-%m-%d} "
            f"and {int(later.sum()) - 1} more later ones, whose outcome nobody knows. "
            "Leave those rows out."
        )
    return times.dt.tz_localize(None).to_numpy("datetime64[us]")


def _slices(
    dates: NDArray[np.datetime64] | None, question: Question, count: int
) -> tuple[Booleans, Booleans]:
    """Rows to learn from and rows to test on; all are both when folds take turns."""
    if dates is None:
        return np.ones(count, dtype=bool), np.ones(count, dtype=bool)
    distinct = np.unique(dates)
    test_from = distinct[-max(1, round(len(distinct) * TEST_SHARE))]
    window = timedelta(days=question.main_horizon_days + question.grace_days)
    return dates + np.timedelta64(window, "us") <= test_from, dates >= test_from
