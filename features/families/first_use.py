"""How soon after the start the product was taken into use: by anybody, by several, and broadly."""

import narwhals as nw

from features.daily import BROAD_DAYS, EVENT_DAYS, SHARED_DAYS
from features.declare import Beside, Extreme, Facts, Feature, Formula, Missing, Text, Unit, View
from features.rows import known_together
from features.windows import NEVER, Rows, day_of


def starts_within_log(days: Rows, subscriptions: Rows) -> Rows:
    """Give the subscriptions that began when the log of use, as far as known, had begun.

    What was used before the log began is not known.
    """
    first = days.group_by("enters").agg(nw.col("used_at").min())
    first = first.with_columns(log=nw.lit(1, nw.Int64))
    so_far = nw.col("used_at").cum_min().over("log", order_by="enters")
    until = nw.col("enters").shift(-1).over("log", order_by="enters").fill_null(NEVER)
    begins = first.select("enters", "log", leaves=until, log_from=so_far)
    signed = subscriptions.with_columns(log=nw.lit(1, nw.Int64))
    both = known_together(signed, begins, on=("log",))
    return both.filter(day_of("started_at") >= day_of("log_from"))


def since_start(tenure: nw.Expr, recorded: nw.Expr, since: nw.Expr) -> nw.Expr:
    """Give the days from the first subscription to a day that lies so many days back.

    Null where the log of use begins after the first subscription.
    """
    after = nw.max_horizontal(tenure - since, nw.lit(0.0))
    return nw.when(~since.is_null(), tenure == recorded).then(after)


SHARED = Facts(SHARED_DAYS, at="used_at")
RECORDED = Facts(
    View(
        "starts_within_log",
        EVENT_DAYS,
        ("used_at",),
        starts_within_log,
        beside=(Beside("subscriptions", ("started_at",)),),
    ),
    at="started_at",
)
BROAD = Facts(BROAD_DAYS, at="used_at")


def first_after(what: str, not_yet: str) -> Text:
    """Say how many days after the start something first happened."""
    return Text(
        f"{what} {{value}} [day|days] after the first subscription began",
        equal=f"{what} by the day on which the first subscription began",
        against=0.0,
        missing=not_yet,
    )


def first_ago(what: str, not_yet: str) -> Text:
    """Say how many days ago something first happened."""
    return Text(f"{what} {{value}} [day|days] ago", missing=not_yet)


START = ("lifecycle__tenure_days", "adoption__days_since_recorded_start")
FIRST_USED = ("First used", "Not taken into use so far, or before use was recorded")
FIRST_SHARED = (
    "First used by several people on one day",
    "Not used by several people on one day so far, or before use was recorded",
)
FIRST_BROAD = (
    "First used three functions on one day",
    "Not used three functions on one day so far, or before use was recorded",
)

FEATURES = (
    Feature(
        "adoption",
        "days_since_recorded_start",
        Extreme(RECORDED, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="time to value",
        description="Days since the first subscription that began after the log of use did.",
        text=Text(
            "The first subscription since use is recorded began {value} [day|days] ago",
            missing="No subscription began since use is recorded",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "adoption",
        "days_to_first_use",
        Formula((*START, "usage__days_since_first_event"), since_start),
        Unit.DAYS,
        subject="time to value",
        description="Days from the first subscription to the first use; 0 where use came first,"
        " null where the log of use begins later.",
        text=first_after(*FIRST_USED),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "adoption",
        "days_since_first_shared_use",
        Extreme(SHARED, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="time to value",
        description="Days since the first day on which two users or more came.",
        text=first_ago(*FIRST_SHARED),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "adoption",
        "days_to_shared_use",
        Formula((*START, "adoption__days_since_first_shared_use"), since_start),
        Unit.DAYS,
        subject="time to value",
        description="Days from the first subscription to the first day on which two users or more"
        " came; 0 where that came first, null where the log of use begins later.",
        text=first_after(*FIRST_SHARED),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "adoption",
        "days_since_first_broad_use",
        Extreme(BROAD, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="time to value",
        description="Days since the first day on which three functions or more were used.",
        text=first_ago(*FIRST_BROAD),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "adoption",
        "days_to_broad_use",
        Formula((*START, "adoption__days_since_first_broad_use"), since_start),
        Unit.DAYS,
        subject="time to value",
        description="Days from the first subscription to the first day on which three functions or"
        " more were used; 0 where that came first, null where the log of use begins later.",
        text=first_after(*FIRST_BROAD),
        missing=Missing.UNKNOWN,
    ),
)
