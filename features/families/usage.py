"""How much, how broadly and by how many the product is used, and whether that fades."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
    Distinct,
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Text,
    Total,
    Unit,
    View,
    over,
    ratio,
    relative_change,
)
from features.windows import DAY, Rows, day_of
from features.wording import against_average, against_before, in_window, moved

MONTH = 28
YEAR = 365


def days_of_use(events: Rows) -> Rows:
    """Give one row for each account and day with any use, known with the day's first event."""
    days = events.with_columns(occurred_at=day_of("occurred_at") * DAY)
    return days.group_by("account_id", "occurred_at", "leaves").agg(nw.col("enters").min())


USE = Facts("usage_events", at="occurred_at")
EVENTS = Facts("usage_events", at="occurred_at", uses=("quantity",))
USERS = Facts("usage_events", at="occurred_at", uses=("user_id",))
KINDS = Facts("usage_events", at="occurred_at", uses=("event",))
DAYS = Facts(View("days_of_use", "usage_events", ("occurred_at",), days_of_use), at="occurred_at")
PRODUCTS = Facts("usage_events", at="occurred_at", uses=("product",))


def pace_of_week(week: nw.Expr, month: nw.Expr) -> nw.Expr:
    """Compare the last week with the mean of the three before it."""
    return relative_change(week * 3.0, month - week)


def own_past(month: nw.Expr, year: nw.Expr, first_day: nw.Expr) -> nw.Expr:
    """Compare the last 28 days with the account's mean of 28 days in the year before them."""
    days = nw.min_horizontal(first_day, nw.lit(float(YEAR))) - float(MONTH)
    past = nw.when(days >= float(MONTH)).then((year - month) * float(MONTH) / days)
    return relative_change(month, past)


def gone_quiet(month: nw.Expr, quarter: nw.Expr) -> nw.Expr:
    """Give the share of the quarter's users who did not come in the last 28 days."""
    return ratio(quarter - month, quarter)


EVENTS_BEFORE = against_before(
    "{usage__events__<days>d} [event|events]",
    "usage__events__<days>d",
    "usage__events_before__<days>d",
    missing="There were no events in the <days> days before the last <days>",
)
SOME_USERS = "{value} active [user|users]"
USERS_NOW = "{usage__active_users__<days>d} active [user|users] in the last <days> days"
USERS_BEFORE = replace(
    moved(
        "Active users",
        USERS_NOW,
        "usage__active_users__<days>d",
        "usage__active_users_before__<days>d",
        missing="There were no active users in the <days> days before the last <days>",
    ),
    equal=f"{USERS_NOW}, as in the <days> days before",
)
DAYS_BEFORE = against_before(
    "Used on {usage__active_days__<days>d}",
    "usage__active_days__<days>d",
    "usage__active_days_before__<days>d",
    of="of",
    missing="There was no day of use in the <days> days before the last <days>",
)
SOME_KINDS = "{value} [function|functions] used"

FEATURES = (
    *over(
        (7, 28, 90, 365),
        Feature(
            "usage",
            "events",
            Total(EVENTS, nw.col("quantity")),
            Unit.EVENTS,
            subject="usage volume",
            description="Events in the last <days> days.",
            text=in_window("{value} [event|events]", "usage__events__28d"),
        ),
        {28: EVENTS_BEFORE, 90: EVENTS_BEFORE},
    ),
    *over(
        (28, 90),
        Feature(
            "usage",
            "events_before",
            Total(EVENTS, nw.col("quantity"), back=1),
            Unit.EVENTS,
            subject="usage volume",
            description="Events in the <days> days before the last <days>.",
            text=EVENTS_BEFORE,
        ),
    ),
    *over(
        (28, 90),
        Feature(
            "usage",
            "events_change",
            Formula(("usage__events__<days>d", "usage__events_before__<days>d"), relative_change),
            Unit.SHARE,
            subject="usage volume",
            description="Relative change of events, the last <days> days against the ones before.",
            text=EVENTS_BEFORE,
            missing=Missing.UNKNOWN,
            risk="down",
        ),
    ),
    *over(
        (7, 28, 90, 365),
        Feature(
            "usage",
            "active_users",
            Distinct(USERS, "user_id"),
            Unit.USERS,
            subject="active users",
            description="Different users in the last <days> days.",
            text=in_window(SOME_USERS, "usage__active_users__28d"),
        ),
        {28: USERS_BEFORE},
    ),
    *over(
        (28,),
        Feature(
            "usage",
            "active_users_before",
            Distinct(USERS, "user_id", back=1),
            Unit.USERS,
            subject="active users",
            description="Different users in the <days> days before the last <days>.",
            text=USERS_BEFORE,
        ),
    ),
    *over(
        (28,),
        Feature(
            "usage",
            "active_users_change",
            Formula(
                ("usage__active_users__<days>d", "usage__active_users_before__<days>d"),
                relative_change,
            ),
            Unit.SHARE,
            subject="active users",
            description="Relative change of active users against the <days> days before the last.",
            text=USERS_BEFORE,
            missing=Missing.UNKNOWN,
            risk="down",
        ),
    ),
    *over(
        (7, 28, 90, 365),
        Feature(
            "usage",
            "active_days",
            Total(DAYS),
            Unit.DAYS,
            subject="days of use",
            description="Days with any use in the last <days> days.",
            text=in_window("Used on {value}", "usage__active_days__28d", of="of"),
            risk="down",
        ),
        {28: DAYS_BEFORE},
    ),
    *over(
        (28,),
        Feature(
            "usage",
            "active_days_before",
            Total(DAYS, back=1),
            Unit.DAYS,
            subject="days of use",
            description="Days with any use in the <days> days before the last <days>.",
            text=DAYS_BEFORE,
        ),
    ),
    *over(
        (28,),
        Feature(
            "usage",
            "active_days_change",
            Formula(
                ("usage__active_days__<days>d", "usage__active_days_before__<days>d"),
                relative_change,
            ),
            Unit.SHARE,
            subject="days of use",
            description="Relative change of days with use against the <days> days before the last.",
            text=DAYS_BEFORE,
            missing=Missing.UNKNOWN,
            risk="down",
        ),
    ),
    *over(
        (28, 90, 365),
        Feature(
            "usage",
            "event_kinds",
            Distinct(KINDS, "event"),
            Unit.ITEMS,
            subject="breadth of use",
            description="Different kinds of event in the last <days> days.",
            text=in_window(SOME_KINDS, "usage__event_kinds__90d"),
        ),
        {
            90: in_window(SOME_KINDS, "usage__event_kinds__365d"),
            365: in_window(SOME_KINDS, "usage__event_kinds__28d"),
        },
    ),
    Feature(
        "usage",
        "event_kinds_kept",
        Formula(("usage__event_kinds__28d", "usage__event_kinds__365d"), ratio),
        Unit.SHARE,
        subject="breadth of use",
        description="Share of the year's kinds of event that were used in the last 28 days.",
        text=Text(
            "Of {usage__event_kinds__365d} [function|functions] used in the last 365 days,"
            " {usage__event_kinds__28d} [was|were] used in the last 28",
            missing="No function was used in the last 365 days",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    *over(
        (90,),
        Feature(
            "usage",
            "products_used",
            Distinct(PRODUCTS, "product"),
            Unit.ITEMS,
            subject="products used",
            description="Different products used in the last <days> days.",
            text=Text(
                "{value} [product|products] used in the last <days> days,"
                " {lifecycle__products_owned} owned",
            ),
        ),
    ),
    Feature(
        "usage",
        "days_since_last_event",
        Extreme(USE, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="last use",
        description="Days since the last event.",
        text=Text(
            "Last used {value} [day|days] ago, on {usage__active_days__90d} of the last 90 days",
            missing="Never used so far",
        ),
        missing=Missing.UNKNOWN,
        risk="up",
    ),
    Feature(
        "usage",
        "days_since_first_event",
        Extreme(USE, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="first use",
        description="Days since the first event.",
        text=Text(
            "First used {value} [day|days] ago, last used"
            " {usage__days_since_last_event} [day|days] ago",
            missing="Not taken into use so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "week_against_month",
        Formula(("usage__events__7d", "usage__events__28d"), pace_of_week),
        Unit.SHARE,
        subject="sudden change of use",
        description="Relative change of the last week's events against the mean of three before.",
        text=against_average(
            "{usage__events__7d} [event|events] in the last 7 days",
            "the average of the 3 weeks before",
            missing="No use in the 3 weeks before the last",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    Feature(
        "usage",
        "events_against_own_past",
        Formula(
            ("usage__events__28d", "usage__events__365d", "usage__days_since_first_event"), own_past
        ),
        Unit.SHARE,
        subject="usage volume",
        description="Relative change of the last 28 days' events against the account's own mean of"
        " 28 days in the year before them.",
        text=against_average(
            "{usage__events__28d} [event|events] in the last 28 days",
            "this account's own average of the year before",
            missing="Too short a past to compare with",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    Feature(
        "usage",
        "users_gone_quiet",
        Formula(("usage__active_users__28d", "usage__active_users__90d"), gone_quiet),
        Unit.SHARE,
        subject="active users",
        description="Share of the last 90 days' users who were not active in the last 28.",
        text=Text(
            "Of {usage__active_users__90d} [user|users] of the last 90 days,"
            " {usage__active_users__28d} [was|were] active in the last 28",
            missing="No users in the last 90 days",
        ),
        missing=Missing.UNKNOWN,
        risk="up",
    ),
    Feature(
        "usage",
        "stickiness",
        Formula(("usage__active_users__7d", "usage__active_users__28d"), ratio),
        Unit.SHARE,
        subject="regularity of use",
        description="Share of the last 28 days' users who were active in the last 7.",
        text=Text(
            "Of {usage__active_users__28d} [user|users] of the last 28 days,"
            " {usage__active_users__7d} [was|were] active in the last 7",
            missing="No users in the last 28 days",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    Feature(
        "usage",
        "events_per_user",
        Formula(("usage__events__28d", "usage__active_users__28d"), ratio),
        Unit.EVENTS,
        subject="depth of use",
        description="Events for each active user in the last 28 days.",
        text=Text(
            "{usage__events__28d} [event|events] by {usage__active_users__28d} active"
            " [user|users] in the last 28 days, {value} each",
            missing="No events by a user in the last 28 days",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "seats_used",
        Formula(("usage__active_users__28d", "lifecycle__seats"), ratio),
        Unit.SHARE,
        subject="seats used",
        description="Active users of the last 28 days as a share of the seats paid for.",
        text=Text(
            "{usage__active_users__28d} active [user|users] in the last 28 days on"
            " {lifecycle__seats} [seat|seats]",
            falling=(
                "Of {lifecycle__seats} [seat|seats], {usage__active_users__28d} [was|were]"
                " in use in the last 28 days"
            ),
            against=1.0,
            missing="The share of seats in use is not known",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
)
