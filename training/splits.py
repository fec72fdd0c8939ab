"""Splits along time: a row enters by the end of its own window plus the grace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import TooLittleDataError
from models.question import Question

Floats = NDArray[np.float64]

TEST_SHARE = 0.25
CALIBRATION_SHARE = 1 / 3


@dataclass(frozen=True)
class Split:
    """Three slices of one panel, each later than the one before.

    Attributes
    ----------
    calibration_from
        Border of the fitting slice, and first date of the calibration slice.
    test_from
        Border of the calibration slice and of the final fit, and first date of the test slice.
    test_until
        The test slice ends before it; None for all that is labelled.
    """

    calibration_from: datetime
    test_from: datetime
    test_until: datetime | None = None

    @property
    def has_calibration(self) -> bool:
        """Whether there is a calibration slice."""
        return self.calibration_from < self.test_from

    def is_calibration(self, as_of: pd.Series) -> NDArray[np.bool_]:
        """Mark the dates of the calibration slice."""
        return _between(as_of, self.calibration_from, self.test_from)

    def is_test(self, as_of: pd.Series) -> NDArray[np.bool_]:
        """Mark the dates of the test slice."""
        return _between(as_of, self.test_from, self.test_until)


def _between(as_of: pd.Series, start: datetime, end: datetime | None) -> NDArray[np.bool_]:
    is_in = as_of >= start
    return np.asarray(is_in if end is None else is_in & (as_of < end), dtype=bool)


def on_record(rows: pd.DataFrame, border: datetime, question: Question) -> pd.DataFrame:
    """Keep the rows from `record_start` on; of one panel, not of what this has kept of it."""
    return rows[rows["as_of"] >= record_start(rows, border, question)]


def dates_on_record(rows: pd.DataFrame, border: datetime, question: Question) -> list[datetime]:
    """Give the dates of the rows that `on_record` keeps, in order."""
    start = record_start(rows, border, question)
    stamps = sorted(stamp for stamp in rows["as_of"].unique() if stamp >= start)
    return [stamp.to_pydatetime() for stamp in stamps]


def record_start(labels: pd.DataFrame, border: datetime, question: Question) -> pd.Timestamp:
    """Give the moment by which one in a hundred of the events known at a border had come.

    Before it the record is taken not to have begun: a system that was set up, or an extract that
    was cut, in 2022 shows of 2020 only who was still there, and "nobody left" would be learned.
    Without an event it is the first date.
    """
    came = labels[labels["event_days"] < known_days(labels, border, question)]
    moments = came["as_of"] + pd.to_timedelta(came["event_days"], unit="D")
    events = pd.DataFrame({"account_id": came["account_id"], "moment": moments.dt.round("s")})
    ordered = events.drop_duplicates()["moment"].sort_values()
    if ordered.empty:
        return pd.Timestamp(labels["as_of"].min())
    return pd.Timestamp(ordered.iloc[len(ordered) // 100])


def known_days(labels: pd.DataFrame, border: datetime, question: Question) -> Floats:
    """Give the days after each as_of whose outcome was known at a border.

    A window of h days, whatever happened early in it, is known where this is at least h: that is,
    as_of + h + grace lies at or before the border, and at or before the extract.
    """
    last_known = border - timedelta(days=question.grace_days)
    span = (last_known - labels["as_of"]).dt.total_seconds().to_numpy(dtype=float) / 86_400
    observed = labels["observed_days"].to_numpy(dtype=float)
    return np.asarray(np.minimum(observed, span), dtype=float)


def outcome_known_by(
    labels: pd.DataFrame, horizon_days: int, border: datetime, question: Question
) -> Floats:
    """Give 1 where the event came within the horizon, 0 where not, NaN where it is not known."""
    known = known_days(labels, border, question) >= horizon_days
    came = labels["event_days"].to_numpy(dtype=float) < horizon_days
    return np.where(known, came.astype(float), np.nan)


def time_split(dates: Sequence[datetime], extracted_at: datetime, question: Question) -> Split:
    """Give the last quarter of the labelled dates to the test, and a third before to calibration.

    Raises
    ------
    TooLittleDataError
        With fewer than four dates whose main horizon and grace are over at the extract.
    """
    labelled = _labelled(dates, extracted_at, question)
    if len(labelled) < 4:  # noqa: PLR2004 - a quarter of fewer is no date at all
        raise TooLittleDataError(
            f"Expected at least 4 dates whose {question.main_horizon_days} days and "
            f"{question.grace_days} days of grace are over at the extract, got {len(labelled)}. "
            "Bring a longer history."
        )
    return split_at(dates, labelled[-max(1, round(len(labelled) * TEST_SHARE))], question)


def split_at(
    dates: Sequence[datetime],
    test_from: datetime,
    question: Question,
    test_until: datetime | None = None,
) -> Split:
    """Split before a given first test date.

    The calibration slice is a third of the time before it, but long enough for the main horizon
    and the grace; where less than that would be left to fit on, there is none.
    """
    first = min(dates)
    needed = timedelta(days=question.main_horizon_days + question.grace_days)
    length = max((test_from - first) * CALIBRATION_SHARE, needed)
    calibration_from = max((date for date in dates if date <= test_from - length), default=first)
    if calibration_from - first < needed:
        calibration_from = test_from
    return Split(calibration_from, test_from, test_until)


def origins(
    dates: Sequence[datetime], extracted_at: datetime, question: Question, limit: int = 6
) -> tuple[Split, ...]:
    """Roll the first test date through the second half of the labelled dates.

    There are `limit` origins wherever that half has so many dates, as far apart as it allows; each
    tests on the dates up to the next one.
    """
    labelled = _labelled(dates, extracted_at, question)
    tested = labelled[len(labelled) // 2 :]
    count = min(limit, len(tested))
    firsts = [tested[at * len(tested) // count] for at in range(count)]
    return tuple(
        split_at(dates, first, question, end) for first, end in zip_longest(firsts, firsts[1:])
    )


def _labelled(
    dates: Sequence[datetime], extracted_at: datetime, question: Question
) -> list[datetime]:
    needed = timedelta(days=question.main_horizon_days + question.grace_days)
    return [date for date in sorted(set(dates)) if date + needed <= extracted_at]
