"""Working hours where the customer is: Monday to Friday, 9 to 17, in the account's time zone.

What a zone's clocks showed is read from the IANA database before the engine runs, as a small table
of offsets; the engine only adds and divides whole numbers.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import narwhals as nw
import pyarrow as pa

from features.checked import CheckedSource
from features.errors import TenureError
from features.windows import DAY, EPOCH, HOUR, SECOND, Rows

FIRST_YEAR = 2000
YEARS_AHEAD = 2
OPENS, CLOSES = 9 * HOUR, 17 * HOUR
WORKDAYS = 5
_MONDAY = 3  # days from the Monday before 1970 to 1970
_PROBED = timedelta(days=7)  # no zone changes its clocks twice in a week
OFFSETS = pa.schema(
    [
        ("time_zone", pa.string()),
        ("offset_from", pa.int64()),
        ("offset_until", pa.int64()),
        ("offset", pa.int64()),
    ]
)


def offsets_of_accounts(source: CheckedSource) -> pa.Table:
    """Give the offsets of the zones that accounts are in, from 2000 to two years after the extract.

    Returns
    -------
    pyarrow.Table
        For each known zone and time between two changes of its clocks: time_zone, offset_from and
        offset_until (null: no change before, or after), and offset, which is local time less UTC;
        all in microseconds.

    Raises
    ------
    TenureError
        When the machine has no time zone database.
    """
    known = available_timezones()
    if not known:
        raise TenureError(
            "Expected the IANA time zone database on this machine, found none. "
            "Install the package tzdata."
        )
    named = set(source.read("accounts")["time_zone"].dropna())
    last_year = source.extracted_at.year + YEARS_AHEAD
    rows = [row for zone in sorted(named & known) for row in offsets(zone, last_year)]
    return pa.Table.from_pylist(rows, schema=OFFSETS)


def offsets(zone: str, last_year: int) -> Iterator[dict[str, str | int | None]]:
    """Give a zone's offsets, one after the other, to the end of a year."""
    clocks = ZoneInfo(zone)
    begins, moment = None, datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    while moment.year <= last_year:
        following = moment + _PROBED
        if _offset(clocks, following) != _offset(clocks, moment):
            changed = _change(clocks, moment, following)
            yield _row(zone, begins, changed, _offset(clocks, moment))
            begins = changed
        moment = following
    yield _row(zone, begins, None, _offset(clocks, moment))


def _offset(clocks: ZoneInfo, moment: datetime) -> int:
    shift = moment.astimezone(clocks).utcoffset()
    return 0 if shift is None else round(shift.total_seconds()) * SECOND


def _change(clocks: ZoneInfo, before: datetime, after: datetime) -> int:
    """Find the second at which the offset changes, by halving."""
    seconds = round((after - before).total_seconds())
    offset = _offset(clocks, before)
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        is_same = _offset(clocks, before + timedelta(seconds=middle)) == offset
        low, high = (middle, high) if is_same else (low, middle)
    return round((before - EPOCH.replace(tzinfo=UTC)).total_seconds() + high) * SECOND


def _row(
    zone: str, begins: int | None, ends: int | None, offset: int
) -> dict[str, str | int | None]:
    return {"time_zone": zone, "offset_from": begins, "offset_until": ends, "offset": offset}


def in_offsets(states: Rows, offsets: Rows, at: str, until: str) -> Rows:
    """Cut states of a time_zone where its clocks change; each piece has its offset.

    Those of a zone that is not known are left out.
    """
    pieces = states.join(offsets, on="time_zone", how="inner").with_columns(
        nw.max_horizontal(at, "offset_from").alias(at),
        nw.min_horizontal(until, "offset_until").alias(until),
    )
    is_empty = (nw.col(until) <= nw.col(at)).fill_null(value=False)
    return pieces.filter(~is_empty).drop("offset_from", "offset_until")


def working_time(time: nw.Expr) -> nw.Expr:
    """Read a time, in microseconds, on a clock that runs in working hours only.

    It reads the column `offset`; without one the clock stands still.
    """
    local = time + nw.col("offset") + _MONDAY * DAY
    day = (local - local % DAY) // DAY
    weekday = day % 7
    week = (day - weekday) // 7
    whole_days = week * WORKDAYS + nw.min_horizontal(weekday, nw.lit(WORKDAYS, nw.Int64))
    of_day = nw.max_horizontal(local % DAY, nw.lit(OPENS, nw.Int64))
    of_day = nw.min_horizontal(of_day, nw.lit(CLOSES, nw.Int64)) - OPENS
    of_day = nw.when(weekday < WORKDAYS).then(of_day).otherwise(0)
    return (whole_days * (CLOSES - OPENS) + of_day).fill_null(0)
