"""Use on working days, by day and by week, in the country in which the account is.

Weeks begin on Monday, and stand once they are over. What becomes known later makes another version
of a week: so a snapshot holds two weeks against each other as it knew both.
"""

import narwhals as nw

from features.calendars import CALENDAR
from features.daily import EVENT_DAYS
from features.declare import FIXED, Beside, View
from features.rows import known_together
from features.windows import DAY, NEVER, Rows, day_of

FEWEST_EVENTS = 10
"""Of fewer events a week, a fall to none is still chance."""

WEEK = 7
MONDAY_ON = 3  # 1970 began on a Thursday, three days after a Monday
OF_WEEK = ("account_id", "country", "week")


def _quotient(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """Divide whole numbers, not below zero, rounded down: exact on an engine that uses floats."""
    return (part - part % whole) // whole


def _share(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """Give part / whole in ten-thousandths, rounded down: divided by hand, no product is long."""
    tens, rest = 100, part
    share = nw.lit(0, nw.Int64)
    for worth in (tens * tens, tens, 1):
        share = share + _quotient(rest, whole) * worth
        rest = rest % whole * tens
    return share


def week_of(day: nw.Expr) -> nw.Expr:
    """Give the number of a day's week, from Monday to Sunday."""
    return _quotient(day + MONDAY_ON, nw.lit(WEEK, nw.Int64))


def first_day_after_week(week: nw.Expr) -> nw.Expr:
    """Give the Monday after a week."""
    return (week + 1) * WEEK - MONDAY_ON


def workday_events(days: Rows, accounts: Rows, calendar: Rows) -> Rows:
    """Give the days of use that are working days in the account's country."""
    working = calendar.filter(nw.col("is_working") == 1).select("country", day="day")
    placed = known_together(days, accounts).with_columns(day=day_of("used_at"))
    return placed.join(working, on=["country", "day"])


def workdays_used(days: Rows) -> Rows:
    """Give one row for each working day with any use, known with the first event of the day."""
    return days.group_by("account_id", "used_at", "leaves").agg(nw.col("enters").min())


def week_falls(days: Rows, calendar: Rows) -> Rows:
    """Give for each week how far use per working day fell below that of the week before.

    `fall` is a share in ten-thousandths, 0 where it did not fall; a week after one with few events,
    or without a working day, has none.
    """
    weeks = _versions(_weeks(days))
    lengths = calendar.with_columns(week=week_of(nw.col("day")))
    lengths = lengths.group_by("country", "week").agg(working=nw.col("is_working").sum())
    weeks = weeks.join(lengths, on=["country", "week"]).filter(nw.col("working") > 0)
    earlier = weeks.filter(nw.col("events") >= FEWEST_EVENTS * FIXED)
    earlier = earlier.with_columns(week=nw.col("week") + 1)
    both = known_together(weeks, earlier, on=OF_WEEK)
    now = nw.max_horizontal("events", nw.lit(0, nw.Int64)) * nw.col("working_right")
    before = nw.col("events_right") * nw.col("working")
    both = both.with_columns(now=now, before=before)
    kept = _share(nw.col("now"), nw.col("before"))
    fall = nw.max_horizontal(FIXED - kept, nw.lit(0, nw.Int64))
    fell_at = (first_day_after_week(nw.col("week")) - 1) * DAY
    return both.with_columns(fall=fall, fell_at=fell_at).select(
        "account_id", "enters", "leaves", "week", "fall", "fell_at"
    )


def _weeks(days: Rows) -> Rows:
    """Add up days by week, and let a week without use follow each week with use."""
    days = days.with_columns(week=week_of(nw.col("day")))
    days = days.with_columns(
        enters=nw.max_horizontal("enters", first_day_after_week(nw.col("week")))
    )
    span = (*OF_WEEK, "enters", "leaves")
    weeks: Rows = days.group_by(*span).agg(nw.col("events").sum().cast(nw.Int64))
    following = weeks.with_columns(week=nw.col("week") + 1)
    following = following.with_columns(
        enters=nw.max_horizontal("enters", first_day_after_week(nw.col("week"))),
        events=nw.lit(0, nw.Int64),
    )
    both = nw.concat([weeks.select(*span, "events"), following.select(*span, "events")])
    return both.filter(nw.col("enters") < nw.col("leaves"))


def _versions(weeks: Rows) -> Rows:
    """Give each week's events with the snapshots that know this number of them."""
    come = weeks.select(*OF_WEEK, "events", edge="enters")
    gone = weeks.select(*OF_WEEK, nw.col("events") * -1, edge="leaves")
    edges = nw.concat([come, gone.filter(nw.col("edge") < NEVER)])
    known = edges.group_by(*OF_WEEK, "edge").agg(nw.col("events").sum().cast(nw.Int64))
    return known.select(
        *OF_WEEK,
        nw.col("events").cum_sum().over(*OF_WEEK, order_by="edge").cast(nw.Int64),
        enters="edge",
        leaves=nw.col("edge").shift(-1).over(*OF_WEEK, order_by="edge").fill_null(NEVER),
    )


WORKDAY_EVENTS = View(
    "workday_events",
    EVENT_DAYS,
    ("used_at", "events"),
    workday_events,
    beside=(Beside("accounts", ("country",)), CALENDAR),
)
WORKDAYS_USED = View("workdays_used", WORKDAY_EVENTS, ("used_at",), workdays_used)
WEEK_FALLS = View(
    "week_falls", WORKDAY_EVENTS, ("country", "day", "events"), week_falls, beside=(CALENDAR,)
)
