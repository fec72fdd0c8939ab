from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.errors import TooLittleDataError
from models.churn import CHURN
from training.splits import (
    Split,
    known_days,
    on_record,
    origins,
    outcome_known_by,
    record_start,
    split_at,
    time_split,
)

QUARTERS = ("2022-07", "2022-10", "2023-01", "2023-04", "2023-07", "2023-10")


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def months(count: int) -> list[datetime]:
    return [
        stamp.to_pydatetime() for stamp in pd.date_range("2021-01-01", periods=count, freq="MS")
    ]


def labels(*rows: tuple[str, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["as_of", "event_days", "observed_days"])
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]).astype("datetime64[us]"))


def test_a_window_is_known_once_it_and_the_grace_end_by_the_border() -> None:
    # 2024-01-01 + 30 days + 30 days of grace = 2024-03-01
    row = labels(("2024-01-01", 5.0, 500.0))
    assert known_days(row, day("2024-03-01"), CHURN) == 30.0
    assert outcome_known_by(row, 30, day("2024-03-01"), CHURN) == 1.0
    assert np.isnan(outcome_known_by(row, 30, day("2024-02-29"), CHURN))


def test_a_border_makes_nothing_known_that_the_extract_does_not_show() -> None:
    row = labels(("2024-01-01", 5.0, 20.0))
    assert np.isnan(outcome_known_by(row, 30, day("2030-01-01"), CHURN))


def test_the_slices_follow_each_other_and_do_not_overlap() -> None:
    dates = months(40)
    split = time_split(dates, day("2024-06-01"), CHURN)
    as_of = pd.Series(dates, dtype="datetime64[us]")
    calibration, tested = split.is_calibration(as_of), split.is_test(as_of)
    assert min(dates) < split.calibration_from < split.test_from < max(dates)
    assert not (calibration & tested).any()
    assert as_of[calibration].max() < as_of[tested].min() == split.test_from


def test_the_test_is_the_last_quarter_of_the_dates_with_a_label() -> None:
    # 2024-06-01 - 120 days = 2024-02-02: 38 of the 40 dates have a label; a quarter is 10
    assert time_split(months(40), day("2024-06-01"), CHURN).test_from == day("2023-05-01")


def test_the_calibration_slice_holds_at_least_one_whole_window() -> None:
    split = split_at(months(40), day("2021-10-01"), CHURN)
    assert split.test_from - split.calibration_from >= timedelta(days=120)


def test_a_short_history_is_not_calibrated() -> None:
    assert not split_at(months(40), day("2021-06-01"), CHURN).has_calibration
    assert split_at(months(40), day("2022-06-01"), CHURN).has_calibration


def test_it_refuses_a_history_of_three_labelled_dates() -> None:
    with pytest.raises(TooLittleDataError, match="got 3"):
        time_split(months(3), day("2025-01-01"), CHURN)


@pytest.mark.parametrize(("history", "found"), [(14, 5), (22, 6), (40, 6), (60, 6)])
def test_there_are_six_origins_as_soon_as_six_dates_can_be_tested_on(
    history: int, found: int
) -> None:
    dates = months(history)
    until = dates[-1] + timedelta(days=10)
    splits = origins(dates, until, CHURN)
    firsts = [split.test_from for split in splits]
    assert len(set(firsts)) == len(firsts) == found
    as_of = pd.Series(dates, dtype="datetime64[us]")
    known = (as_of + timedelta(days=120) <= until) & (as_of >= firsts[0])
    times_tested = np.sum([split.is_test(as_of[known]) for split in splits], axis=0)
    assert (times_tested == 1).all()
    assert as_of[known].size >= found


def test_origins_lie_evenly_over_the_dates_that_can_be_tested_on() -> None:
    # of 40 months, the 36 up to December 2023 are over at the extract; from July 2022 they test
    firsts = [split.test_from for split in origins(months(40), day("2024-05-01"), CHURN)]
    assert firsts == [day(f"{each}-01") for each in QUARTERS]


def test_there_are_no_more_origins_than_asked_for() -> None:
    assert len(origins(months(60), day("2026-06-01"), CHURN, limit=4)) <= 4


def test_no_labelled_date_gives_no_origin() -> None:
    assert origins(months(2), day("2021-02-01"), CHURN) == ()


def test_an_open_test_slice_has_no_end() -> None:
    split = Split(day("2024-01-01"), day("2024-02-01"))
    assert split.is_test(pd.Series([day("2024-02-01"), day("2034-02-01")])).all()


def test_the_record_begins_where_one_in_a_hundred_events_has_come() -> None:
    early = [(f"2020-01-{day:02d}", np.nan, 900.0) for day in range(1, 29)]
    events = [(f"2022-{1 + k % 12:02d}-01", k / 100, 900.0) for k in range(300)]
    frame = labels(*early, *events).assign(account_id=range(328))
    # the first three of 300 events come on 1 January 2022, after 0, 0.12, 0.24 and 0.36 days
    found = record_start(frame, day("2026-01-01"), CHURN)
    assert found == pd.Timestamp("2022-01-01") + pd.Timedelta(days=0.36)


def test_one_event_that_several_snapshots_see_counts_once() -> None:
    seen = [(f"2022-01-{1 + k:02d}", 30.0 - k, 900.0) for k in range(20)]
    later = [("2022-06-01", float(k), 900.0) for k in range(150)]
    frame = labels(*seen, *later).assign(account_id=["a"] * 20 + list(range(150)))
    assert record_start(frame, day("2026-01-01"), CHURN) == pd.Timestamp("2022-06-01")


def test_without_an_event_the_record_begins_with_the_first_date() -> None:
    frame = labels(("2022-02-01", np.nan, 9.0), ("2022-01-01", np.nan, 9.0))
    found = record_start(frame.assign(account_id="a"), day("2026-01-01"), CHURN)
    assert found == pd.Timestamp("2022-01-01")


def test_events_after_the_border_do_not_move_the_start_of_the_record() -> None:
    early = [("2022-01-01", float(k), 900.0) for k in range(10)]
    later = [("2023-01-01", 5.0, 900.0) for _ in range(5_000)]
    frame = labels(*early, *later).assign(account_id=range(5_010))
    assert record_start(frame, day("2023-01-01"), CHURN) == pd.Timestamp("2022-01-01")
    assert record_start(frame, day("2024-01-01"), CHURN) == pd.Timestamp("2023-01-06")
    assert len(on_record(frame, day("2023-01-01"), CHURN)) == 5_010
    assert on_record(frame, day("2024-01-01"), CHURN).empty
