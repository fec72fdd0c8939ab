"""How much, how broadly and by how many the product is used, and whether that fades."""

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

WINDOWS = (7, 28, 90, 365)
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
NO_PAST = "There was no use in the period before to compare with"


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


FEATURES = (
    *over(
        WINDOWS,
        Feature(
            "usage",
            "events",
            Total(EVENTS, nw.col("quantity")),
            Unit.EVENTS,
            subject="usage volume",
            description="Events in the last <days> days.",
            text=Text("{value} [event|events] in the last <days> days"),
        ),
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
            text=Text("{value} [event|events] in the <days> days before the last <days>"),
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
            text=Text(
                "Usage is as it was: {usage__events__<days>d} events in <days> days",
                "Usage rose from {usage__events_before__<days>d} to {usage__events__<days>d} events"
                " in <days> days",
                "Usage fell from {usage__events_before__<days>d} to {usage__events__<days>d} events"
                " in <days> days",
                missing=NO_PAST,
                against=0.0,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        WINDOWS,
        Feature(
            "usage",
            "active_users",
            Distinct(USERS, "user_id"),
            Unit.USERS,
            subject="active users",
            description="Different users in the last <days> days.",
            text=Text("{value} active [user|users] in the last <days> days"),
        ),
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
            text=Text("{value} active [user|users] in the <days> days before the last <days>"),
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
            text=Text(
                "As many active users as <days> days ago: {usage__active_users__<days>d}",
                "Active users rose from {usage__active_users_before__<days>d} to"
                " {usage__active_users__<days>d} in <days> days",
                "Active users fell from {usage__active_users_before__<days>d} to"
                " {usage__active_users__<days>d} in <days> days",
                missing=NO_PAST,
                against=0.0,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        WINDOWS,
        Feature(
            "usage",
            "active_days",
            Total(DAYS),
            Unit.DAYS,
            subject="days of use",
            description="Days with any use in the last <days> days.",
            text=Text("Used on {value} of the last <days> days"),
        ),
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
            text=Text("Used on {value} of the <days> days before the last <days>"),
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
            text=Text(
                "Used on as many days as before: {usage__active_days__<days>d} of <days>",
                "Days of use rose from {usage__active_days_before__<days>d} to"
                " {usage__active_days__<days>d} of <days>",
                "Days of use fell from {usage__active_days_before__<days>d} to"
                " {usage__active_days__<days>d} of <days>",
                missing=NO_PAST,
                against=0.0,
            ),
            missing=Missing.UNKNOWN,
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
            text=Text("{value} different [function|functions] used in the last <days> days"),
        ),
    ),
    Feature(
        "usage",
        "event_kinds_kept",
        Formula(("usage__event_kinds__28d", "usage__event_kinds__365d"), ratio),
        Unit.SHARE,
        subject="breadth of use",
        description="Share of the year's kinds of event that were used in the last 28 days.",
        text=Text(
            "{usage__event_kinds__28d} of the year's {usage__event_kinds__365d} functions are still"
            " used",
            missing="No function was used in the last year",
        ),
        missing=Missing.UNKNOWN,
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
            text=Text("{value} [product|products] used in the last <days> days"),
        ),
    ),
    Feature(
        "usage",
        "days_since_last_event",
        Extreme(USE, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="last use",
        description="Days since the last event.",
        text=Text("Last used {value} [day|days] ago", missing="Never used so far"),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "days_since_first_event",
        Extreme(USE, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="first use",
        description="Days since the first event.",
        text=Text("In use for {value} [day|days]", missing="Never used so far"),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "week_against_month",
        Formula(("usage__events__7d", "usage__events__28d"), pace_of_week),
        Unit.SHARE,
        subject="sudden change of use",
        description="Relative change of the last week's events against the mean of three before.",
        text=Text(
            "{usage__events__7d} events last week, as in the three weeks before",
            "Usage jumped last week, to {usage__events__7d} of the four weeks'"
            " {usage__events__28d} events",
            "Usage dropped last week, to {usage__events__7d} of the four weeks'"
            " {usage__events__28d} events",
            missing="No use in the three weeks before the last",
            against=0.0,
        ),
        missing=Missing.UNKNOWN,
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
        text=Text(
            "{usage__events__28d} events in 28 days, as usual for this account",
            "{usage__events__28d} events in 28 days, {value} above this account's own past year",
            "{usage__events__28d} events in 28 days, {value} below this account's own past year",
            missing="Too short a past to compare with",
            against=0.0,
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "users_gone_quiet",
        Formula(("usage__active_users__28d", "usage__active_users__90d"), gone_quiet),
        Unit.SHARE,
        subject="active users",
        description="Share of the last 90 days' users who were not active in the last 28.",
        text=Text(
            "{value} of the quarter's {usage__active_users__90d} users did not come in the last"
            " four weeks",
            missing="No users in the last 90 days",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "stickiness",
        Formula(("usage__active_users__7d", "usage__active_users__28d"), ratio),
        Unit.SHARE,
        subject="regularity of use",
        description="Share of the last 28 days' users who were active in the last 7.",
        text=Text(
            "{usage__active_users__7d} of the month's {usage__active_users__28d} users came in the"
            " last week",
            missing="No users in the last 28 days",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "usage",
        "events_per_user",
        Formula(("usage__events__28d", "usage__active_users__28d"), ratio),
        Unit.EVENTS,
        subject="depth of use",
        description="Events for each active user in the last 28 days.",
        text=Text(
            "{value} [event|events] for each active user in four weeks",
            missing="No users in the last 28 days",
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
            "{usage__active_users__28d} of {lifecycle__seats} seats are in use",
            missing="The number of seats is not known",
        ),
        missing=Missing.UNKNOWN,
    ),
)
