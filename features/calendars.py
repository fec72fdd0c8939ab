"""Working days by country, from PyPI's holidays: made before the engine runs, handed to it whole.

A working day is none of the country's weekend and no public holiday of the whole country; what a
holiday is in a part of it only is not known here. Such calendars are published ahead, so a day in
one is known before it comes.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import accumulate

import pyarrow as pa

from features.checked import CheckedSource
from features.declare import Beside
from features.windows import EPOCH, day_number

WORK_DAYS = pa.schema(
    [
        ("country", pa.string()),
        ("day", pa.int64()),
        ("is_working", pa.int64()),
        ("working_before", pa.int64()),
        ("holidays_before", pa.int64()),
    ]
)


def work_days(source: CheckedSource) -> pa.Table:
    """Give one row for each country and day, from the year before the first account on.

    Columns as WORK_DAYS says: the country as the source writes it, the day since 1970, whether it
    is a working one, and how many working days, and public holidays on other days than weekends,
    there were before it. A country that no calendar is known of has no rows.
    """
    accounts = source.read("accounts").reindex(columns=["country", "known_at"])
    first = date(accounts["known_at"].min().year - 1, 1, 1) if len(accounts) else date.max
    last = date(source.extracted_at.year + 1, 12, 31)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    tables = [_of_country(name, days) for name in sorted(accounts["country"].dropna().unique())]
    return pa.concat_tables([WORK_DAYS.empty_table(), *tables])


CALENDAR = Beside("accounts", ("country",), made=work_days)
"""Working days of the countries in which accounts are."""


def _of_country(name: str, days: Iterable[date]) -> pa.Table:
    import holidays  # noqa: PLC0415 - loaded where a calendar is made, and only there

    code = name.strip().upper()
    if code not in holidays.list_supported_countries():
        return WORK_DAYS.empty_table()
    calendar = holidays.country_holidays(code)
    days = tuple(days)
    working = [int(calendar.is_working_day(day)) for day in days]
    off = [int(day in calendar and not calendar.is_weekend(day)) for day in days]
    first = day_number(EPOCH.combine(days[0], EPOCH.time())) if days else 0
    columns = {
        "country": [name] * len(days),
        "day": range(first, first + len(days)),
        "is_working": working,
        "working_before": list(accumulate(working, initial=0))[:-1],
        "holidays_before": list(accumulate(off, initial=0))[:-1],
    }
    return pa.table(columns, schema=WORK_DAYS)
