"""The end of the signed term, as it could be known at a snapshot, from a row that was rolled over.

Months are counted from March of the year 0, so that the leap day ends a year; a day that a month
lacks is its last one. The calendar is the one of H. Hinnant, "chrono-Compatible Low-Level Date
Algorithms" (2013), in whole numbers only, which every engine computes alike.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import timedelta

import narwhals as nw

from features.windows import EPOCH, Rows, day_of, is_ahead, is_before_snapshot_in_month, is_inside

SHORTEST_TERM_MONTHS = 1
_FEBRUARY = 2
_MARCH_0 = 719_468  # days from 1 March of the year 0 to 1970
_ERA = 146_097  # days in 400 years


@dataclass(frozen=True)
class SnapshotMonth:
    """Where a snapshot's day lies in its month, from 0, and the month's last day likewise."""

    month: int
    dom: int
    last_dom: int


def snapshot_month(day: int) -> SnapshotMonth:
    """Give the month of a day, counted as everywhere here."""
    date = EPOCH + timedelta(days=day)
    year, month = (
        (date.year, date.month - 3) if date.month > _FEBRUARY else (date.year - 1, date.month + 9)
    )
    return SnapshotMonth(year * 12 + month, date.day - 1, monthrange(date.year, date.month)[1] - 1)


def with_months(rows: Rows, time: str, prefix: str) -> Rows:
    """Add <prefix>_month and <prefix>_dom, the month's number and the day in it (from 0).

    Each step divides columns only: a dividend is written nine times in SQL, so that divisions
    inside of divisions would take an engine longer to plan than to compute.
    """
    rows = rows.with_columns(_day=day_of(time) + _MARCH_0)
    rows = rows.with_columns(_era=nw.col("_day") // _ERA, _doe=nw.col("_day") % _ERA)
    doe = nw.col("_doe")
    rows = rows.with_columns(_no_leap=doe - doe // 1460 + doe // 36_524 - doe // 146_096)
    rows = rows.with_columns(_yoe=nw.col("_no_leap") // 365)
    year = nw.col("_yoe")
    rows = rows.with_columns(_doy=doe - (365 * year + year // 4 - year // 100))
    rows = rows.with_columns(_month=(5 * nw.col("_doy") + 2) // 153)
    return rows.with_columns(
        (nw.col("_doy") - (153 * nw.col("_month") + 2) // 5).alias(f"{prefix}_dom"),
        ((year + nw.col("_era") * 400) * 12 + nw.col("_month")).alias(f"{prefix}_month"),
    ).drop("_day", "_era", "_doe", "_no_leap", "_yoe", "_doy", "_month")


def signed_terms(rows: Rows) -> Rows:
    """Prepare subscriptions for `term_end`: the months of the start, and the stored end's term.

    A stored `renews_at` counts from `stored_from_day` on: a term's length before it; without
    `term_months` from when that version of the row was recorded, or else for the month before it,
    the shortest term there is.
    """
    rows = with_months(with_months(rows, "started_at", "start"), "renews_at", "stored")
    months = nw.col("term_months").fill_null(SHORTEST_TERM_MONTHS)
    rows = _with_day(rows, nw.col("stored_month") - months, "stored_dom")
    recorded = nw.when(nw.col("term_months").is_null()).then(day_of("recorded_at"))
    return rows.with_columns(
        stored_day=day_of("renews_at"), stored_from_day=nw.min_horizontal("_in_month", recorded)
    ).drop("_in_month")


def _with_day(rows: Rows, month: nw.Expr, day_of_month: str) -> Rows:
    """Add _in_month, the day number of a day (from 0) in a month, or of the month's last day."""
    rows = rows.with_columns(_month=month, _next=month + 1)
    rows = rows.with_columns(_year=nw.col("_month") // 12, _next_year=nw.col("_next") // 12)
    day = _first_day("_month", "_year") + nw.col(day_of_month)
    last = _first_day("_next", "_next_year") - 1
    rows = rows.with_columns(_in_month=nw.min_horizontal(day, last))
    return rows.drop("_month", "_next", "_year", "_next_year")


def _first_day(month: str, of_year: str) -> nw.Expr:
    year = nw.col(of_year)
    days = 365 * year + year // 4 - year // 100 + year // 400
    return days + (153 * (nw.col(month) % 12) + 2) // 5 - _MARCH_0


def with_term_end(rows: Rows) -> Rows:
    """Add term_end_day to running rows that stand at a snapshot: when the signed term ends next.

    The first started_at + k x term_months that has not passed; the stored end inside its own term;
    null where neither is known. A term that ends on the snapshot's day has not passed: a snapshot
    sees the state just before it.
    """
    months = nw.col("term_months")
    rows = rows.with_columns(_elapsed=nw.col("as_of_month") - nw.col("start_month"))
    end_dom = nw.min_horizontal("start_dom", "as_of_month_last_dom")
    ends_later = (nw.col("_elapsed") % months > 0) | is_before_snapshot_in_month(end_dom)
    terms = nw.col("_elapsed") // months + nw.when(ends_later).then(1).otherwise(0)
    rows = rows.with_columns(_terms=nw.max_horizontal(terms, nw.lit(1, nw.Int64)))
    rows = _with_day(rows, nw.col("start_month") + nw.col("_terms") * months, "start_dom")
    day = nw.when(is_inside("stored_from_day", "stored_day")).then(nw.col("stored_day"))
    rows = rows.with_columns(term_end_day=day.otherwise(nw.col("_in_month")))
    return rows.drop("_elapsed", "_terms", "_in_month")


def with_notice(rows: Rows) -> Rows:
    """Add term_end_day and, where it has not passed, notice_day: the term's last day for notice."""
    rows = with_term_end(rows)
    rows = rows.with_columns(notice_day=nw.col("term_end_day") - nw.col("notice_days"))
    return rows.with_columns(notice_day=nw.when(is_ahead("notice_day")).then(nw.col("notice_day")))
