"""The log of use by day, aggregated once for all features that look at one day's users or products.

A day of use is known with its first event. What the views in `ROLLED_UP` say of an account and a
day hangs on the events of that account and day alone, so that the events of a week give its part of
them: they are written beside each week when the log is checked (`features.rollups`).
"""

import narwhals as nw

from features.declare import View
from features.windows import DAY, Rows, day_of

USERS_OF_A_TEAM = 2
FUNCTIONS_OF_BROAD_USE = 3
ONE_DAY = ("account_id", "used_at", "leaves")


def event_days(events: Rows) -> Rows:
    """Give one row for each account and day with use, and by when it was known: its events."""
    days = events.with_columns(used_at=day_of("occurred_at") * DAY)
    known = days.group_by("account_id", "used_at", "enters", "leaves")
    return known.agg(events=nw.col("quantity").sum().cast(nw.Int64))


def product_days(events: Rows) -> Rows:
    """Give one row for each account, product and day with use."""
    return _days(events, "product")


def user_days(events: Rows) -> Rows:
    """Give one row for each account, user and day with use."""
    return _days(events, "user_id")


def function_days(events: Rows) -> Rows:
    """Give one row for each account, function and day with use."""
    return _days(events, "event")


def _days(events: Rows, key: str) -> Rows:
    named = events.filter(~nw.col(key).is_null())
    days = named.with_columns(used_at=day_of("occurred_at") * DAY)
    return days.group_by("account_id", key, "used_at", "leaves").agg(nw.col("enters").min())


def users_by_day(days: Rows) -> Rows:
    """Give for each account and day, and by when it was known, how many users came."""
    return days.group_by(*ONE_DAY, "enters").agg(users=nw.len().cast(nw.Int64))


def shared_days(users: Rows) -> Rows:
    """Give the days on which several users came."""
    return _with_several(users, "users", USERS_OF_A_TEAM)


def functions_by_day(days: Rows) -> Rows:
    """Give for each account and day, and by when it was known, how many functions were used."""
    return days.group_by(*ONE_DAY, "enters").agg(functions=nw.len().cast(nw.Int64))


def broad_days(functions: Rows) -> Rows:
    """Give the days on which several functions were used."""
    return _with_several(functions, "functions", FUNCTIONS_OF_BROAD_USE)


def _with_several(known: Rows, count: str, several: int) -> Rows:
    """Give the days with so many of something, each known once so many of them are."""
    days = known.group_by(*ONE_DAY).agg(
        nw.col("enters").min(), last=nw.col("enters").max(), all=nw.col(count).sum()
    )
    enough = days.filter(nw.col("all") >= several)
    at_once = enough.filter(nw.col("enters") == nw.col("last")).select(*ONE_DAY, "enters")
    # few days become known bit by bit, and an engine takes long to put rows in order
    in_parts = enough.filter(nw.col("enters") < nw.col("last")).select(*ONE_DAY)
    bits = known.join(in_parts, on=list(ONE_DAY), how="inner")
    so_far = nw.col(count).cum_sum().over(*ONE_DAY, order_by="enters")
    reached = bits.with_columns(so_far=so_far).filter(nw.col("so_far") >= several)
    later = reached.group_by(*ONE_DAY).agg(nw.col("enters").min())
    return nw.concat([at_once, later.select(*ONE_DAY, "enters")], how="vertical")


EVENT_DAYS = View("event_days", "usage_events", ("occurred_at", "quantity"), event_days)
PRODUCT_DAYS = View("product_days", "usage_events", ("occurred_at", "product"), product_days)
USER_DAYS = View("user_days", "usage_events", ("occurred_at", "user_id"), user_days)
FUNCTION_DAYS = View("function_days", "usage_events", ("occurred_at", "event"), function_days)
USERS_BY_DAY = View("users_by_day", USER_DAYS, ("user_id", "used_at"), users_by_day)
SHARED_DAYS = View("shared_days", USERS_BY_DAY, ("used_at", "users"), shared_days)
FUNCTIONS_BY_DAY = View("functions_by_day", FUNCTION_DAYS, ("event", "used_at"), functions_by_day)
BROAD_DAYS = View("broad_days", FUNCTIONS_BY_DAY, ("used_at", "functions"), broad_days)

ROLLED_UP = (EVENT_DAYS, PRODUCT_DAYS, USERS_BY_DAY, SHARED_DAYS, BROAD_DAYS)
"""The views of a log that are small beside it, and hang day by day on its rows."""
