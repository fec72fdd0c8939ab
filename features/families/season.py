"""Use against the same weeks a year ago: what is the season's, and what is not.

A year is 52 weeks here, so that each weekday stands against the same weekday.
"""

import narwhals as nw

from features.declare import (
    Distinct,
    Facts,
    Feature,
    Formula,
    Missing,
    Text,
    Total,
    Unit,
    over,
    relative_change,
)
from features.wording import against_average

YEAR = 52 * 7
MONTH = 28

EVENTS = Facts("usage_events", at="occurred_at", uses=("quantity",))
USERS = Facts("usage_events", at="occurred_at", uses=("user_id",))
FIRST = "usage__days_since_first_event"


def _if_past(value: nw.Expr, first_day: nw.Expr, days: int) -> nw.Expr:
    """Give a value where use began at least so many days ago."""
    return nw.when(first_day >= float(days)).then(value)


def against_year_ago(now: nw.Expr, then: nw.Expr, first_day: nw.Expr) -> nw.Expr:
    """Compare with the same weeks of last year, all of which there must have been."""
    return _if_past(relative_change(now, then), first_day, YEAR + MONTH)


def change_then(then: nw.Expr, before: nw.Expr, first_day: nw.Expr) -> nw.Expr:
    """Give last year's change between two neighbouring windows."""
    return _if_past(relative_change(then, before), first_day, YEAR + 2 * MONTH)


def change_to_come(after: nw.Expr, then: nw.Expr, first_day: nw.Expr) -> nw.Expr:
    """Give last year's change to the window that followed."""
    return _if_past(relative_change(after, then), first_day, YEAR + MONTH)


def beyond_season(change: nw.Expr, usual: nw.Expr) -> nw.Expr:
    """Give this year's change less last year's."""
    return change - usual


TOO_YOUNG = "No use is known of the same weeks a year ago"
NO_EVENTS_THEN = "There were no events a year ago to compare with"
NO_USERS_THEN = "There were no active users a year ago to compare with"
EVENTS_THEN = Text(
    "{season__events_year_ago__28d} [event|events] in the same 28 days a year ago,"
    " {usage__events__28d} in the last 28"
)
CHANGE_THEN = Text(
    "{season__events_year_ago__28d} [event|events] in the same 28 days a year ago",
    rising=(
        "A year ago events rose by {season__usual_change} in these weeks, from"
        " {season__events_before_year_ago__28d} to {season__events_year_ago__28d} in 28 days"
    ),
    falling=(
        "A year ago events fell by {season__usual_change} in these weeks, from"
        " {season__events_before_year_ago__28d} to {season__events_year_ago__28d} in 28 days"
    ),
    missing=TOO_YOUNG,
    now="season__usual_change",
    against=0.0,
)
TO_COME = Text(
    "A year ago events changed by {value} over the 28 days that now come",
    rising="A year ago events rose by {value} over the 28 days that now come",
    falling="A year ago events fell by {value} over the 28 days that now come",
    equal="A year ago events stayed the same over the 28 days that now come",
    missing=TOO_YOUNG,
    against=0.0,
)
BEYOND = Text(
    "Events changed by {usage__events_change__28d} in 28 days,"
    " a year ago by {season__usual_change}",
    rising=(
        "Events changed by {usage__events_change__28d} in 28 days, better than by"
        " {season__usual_change} in the same weeks a year ago"
    ),
    falling=(
        "Events changed by {usage__events_change__28d} in 28 days, worse than by"
        " {season__usual_change} in the same weeks a year ago"
    ),
    missing=NO_EVENTS_THEN,
    now="usage__events_change__28d",
    against="season__usual_change",
)
SAME_WEEKS = "the same weeks a year ago"

FEATURES = (
    *over(
        (MONTH,),
        Feature(
            "season",
            "events_year_ago",
            Total(EVENTS, nw.col("quantity"), lag_days=YEAR),
            Unit.EVENTS,
            subject="season",
            description="Events in the same <days> days a year (52 weeks) ago.",
            text=EVENTS_THEN,
        ),
    ),
    *over(
        (MONTH,),
        Feature(
            "season",
            "events_before_year_ago",
            Total(EVENTS, nw.col("quantity"), lag_days=YEAR, back=1),
            Unit.EVENTS,
            subject="season",
            description="Events in the <days> days before the same <days> days a year ago.",
            text=CHANGE_THEN,
        ),
    ),
    *over(
        (MONTH,),
        Feature(
            "season",
            "events_after_year_ago",
            Total(EVENTS, nw.col("quantity"), lag_days=YEAR - MONTH),
            Unit.EVENTS,
            subject="season",
            description="Events in the <days> days that followed a year ago: the same weeks as"
            " those that now come.",
            text=Text(
                "{value} [event|events] a year ago in the 28 days that now come,"
                " {season__events_year_ago__28d} in the 28 before"
            ),
        ),
    ),
    Feature(
        "season",
        "usual_change",
        Formula(
            ("season__events_year_ago__28d", "season__events_before_year_ago__28d", FIRST),
            change_then,
        ),
        Unit.SHARE,
        subject="season",
        description="Relative change of events in the same 28 days a year ago, against the 28 days"
        " before those.",
        text=CHANGE_THEN,
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "season",
        "change_to_come",
        Formula(
            ("season__events_after_year_ago__28d", "season__events_year_ago__28d", FIRST),
            change_to_come,
        ),
        Unit.SHARE,
        subject="season",
        description="Relative change of events a year ago over the 28 days that now come.",
        text=TO_COME,
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "season",
        "change_beyond_season",
        Formula(("usage__events_change__28d", "season__usual_change"), beyond_season),
        Unit.SHARE,
        subject="usage beyond the season",
        description="Relative change of events over 28 days, less that of the same weeks a year"
        " ago.",
        text=BEYOND,
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "season",
        "events_against_year_ago",
        Formula(("usage__events__28d", "season__events_year_ago__28d", FIRST), against_year_ago),
        Unit.SHARE,
        subject="usage beyond the season",
        description="Relative change of the last 28 days' events against the same weeks a year"
        " ago.",
        text=against_average(
            "{usage__events__28d} [event|events] in the last 28 days",
            SAME_WEEKS,
            missing=NO_EVENTS_THEN,
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (MONTH,),
        Feature(
            "season",
            "users_year_ago",
            Distinct(USERS, "user_id", lag_days=YEAR),
            Unit.USERS,
            subject="users beyond the season",
            description="Different users in the same <days> days a year (52 weeks) ago.",
            text=Text(
                "{value} active [user|users] in the same <days> days a year ago,"
                " {usage__active_users__28d} in the last 28"
            ),
        ),
    ),
    Feature(
        "season",
        "users_against_year_ago",
        Formula(
            ("usage__active_users__28d", "season__users_year_ago__28d", FIRST), against_year_ago
        ),
        Unit.SHARE,
        subject="users beyond the season",
        description="Relative change of the last 28 days' users against the same weeks a year ago.",
        text=against_average(
            "{usage__active_users__28d} active [user|users] in the last 28 days",
            SAME_WEEKS,
            missing=NO_USERS_THEN,
        ),
        missing=Missing.UNKNOWN,
    ),
)
