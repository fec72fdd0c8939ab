"""The log of use by day, aggregated once for all features that look at one day's users or products.

A day of use is known with its first event.
"""

import narwhals as nw

from features.declare import View
from features.windows import DAY, Rows, day_of


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


def _days(events: Rows, *keys: str) -> Rows:
    named = events.filter(*(~nw.col(key).is_null() for key in keys))
    days = named.with_columns(used_at=day_of("occurred_at") * DAY)
    return days.group_by("account_id", *keys, "used_at", "leaves").agg(nw.col("enters").min())


EVENT_DAYS = View("event_days", "usage_events", ("occurred_at", "quantity"), event_days)
PRODUCT_DAYS = View("product_days", "usage_events", ("occurred_at", "product"), product_days)
USER_DAYS = View("user_days", "usage_events", ("occurred_at", "user_id"), user_days)
FUNCTION_DAYS = View("function_days", "usage_events", ("occurred_at", "event"), function_days)
