"""Windows are half open, whole days, and never look ahead."""

from datetime import datetime, timedelta

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from features.windows import DAY, EPOCH, Window, day_number, day_numbers, first_day_after

MIDNIGHT = datetime(2024, 3, 1)  # noqa: DTZ001 - times in checked tables are naive UTC


def sees(
    window: Window, happened: datetime, as_of: datetime, known: datetime | None = None
) -> bool:
    facts = {"at": [happened], "known": [known or happened]}
    frame = nw.from_native(pl.LazyFrame(facts)).select(
        at_day=(nw.col("at") - nw.lit(EPOCH)).dt.total_microseconds() // DAY,
        known_us=(nw.col("known") - nw.lit(EPOCH)).dt.total_microseconds(),
    )
    frame = frame.with_columns(row_enters=first_day_after("known_us"), row_leaves=nw.lit(2_000_000))
    span = frame.select(
        enters=window.enters("row_enters", "at_day"), leaves=window.leaves("row_leaves", "at_day")
    ).collect()
    return span["enters"].item() <= day_number(as_of) < span["leaves"].item()


@pytest.mark.parametrize(
    ("offset", "seen"),
    [
        (timedelta(0), False),
        (timedelta(microseconds=-1), True),
        (timedelta(days=-7), True),
        (timedelta(days=-7, microseconds=-1), False),
    ],
)
def test_a_window_holds_its_start_and_not_its_end(offset: timedelta, seen: bool) -> None:  # noqa: FBT001 - a table's column
    assert sees(Window(7), MIDNIGHT + offset, MIDNIGHT) is seen


@pytest.mark.parametrize(
    ("days_ago", "seen"), [(27, False), (28, False), (29, True), (56, True), (57, False)]
)
def test_a_lagging_window_ends_where_the_last_one_starts(days_ago: int, seen: bool) -> None:  # noqa: FBT001 - a table's column
    assert sees(Window(28, 28), MIDNIGHT - timedelta(days=days_ago), MIDNIGHT) is seen


def test_a_fact_that_was_recorded_late_counts_from_then() -> None:
    happened, known = MIDNIGHT - timedelta(days=5), MIDNIGHT - timedelta(days=1)
    assert not sees(Window(7), happened, MIDNIGHT - timedelta(days=2), known)
    assert not sees(Window(7), happened, MIDNIGHT - timedelta(days=1), known)
    assert sees(Window(7), happened, MIDNIGHT, known)


@pytest.mark.parametrize(("days", "lag_days"), [(0, 0), (-7, 0), (7, -1)])
def test_a_window_that_looks_ahead_is_refused(days: int, lag_days: int) -> None:
    with pytest.raises(ValueError, match="Expected a window before the snapshot"):
        Window(days, lag_days)


def test_many_moments_have_the_days_that_each_has_alone() -> None:
    texts = ["1969-12-31T23:59:59.999999", "1970-01-01", "2024-02-29T12:00", "2024-03-01"]
    alone = [day_number(datetime.fromisoformat(text)) for text in texts]
    assert alone == [-1, 0, 19_782, 19_783]
    assert day_numbers(np.array(texts, "datetime64[us]")).tolist() == alone
