"""Change points in use: a sudden drop, told apart from a holiday in the account's country."""

from dataclasses import replace

import narwhals as nw

from features.calendars import CALENDAR
from features.declare import (
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Ranked,
    Text,
    Total,
    Unit,
    View,
    over,
    ratio,
    relative_change,
)
from features.windows import Rows
from features.work_weeks import WEEK_FALLS, WORKDAY_EVENTS, WORKDAYS_USED

WEEK, FORTNIGHT, MONTH, TWO_MONTHS, QUARTER = 7, 14, 28, 56, 90
LAGS = (0, WEEK, FORTNIGHT, WEEK + MONTH, FORTNIGHT + TWO_MONTHS)


def places(accounts: Rows, calendar: Rows) -> Rows:
    """Give the accounts whose country's calendar is known; nothing ends their being there."""
    known = calendar.select("country").unique()
    return accounts.join(known, on="country").with_columns(left_at=nw.lit(None, nw.Int64))


def with_working_days(standing: Rows, calendar: Rows) -> Rows:
    """Add how many working days and public holidays there were before so many days ago."""
    for lag in LAGS:
        before = calendar.select(
            "country",
            as_of_day=nw.col("day") + lag,
            **{f"working_{lag}": "working_before", f"holidays_{lag}": "holidays_before"},
        )
        standing = standing.join(before, on=["country", "as_of_day"], how="left")
    return standing


def between(what: str, days: int, lag_days: int = 0) -> nw.Expr:
    """Count what lay in so many days before, up to the lag."""
    return nw.col(f"{what}_{lag_days}") - nw.col(f"{what}_{lag_days + days}")


def pace_change(now: nw.Expr, days: nw.Expr, before: nw.Expr, days_before: nw.Expr) -> nw.Expr:
    """Compare events per working day; without events now there are none."""
    return relative_change(ratio(now.fill_null(0.0), days), ratio(before, days_before))


PLACES = View("places", "accounts", ("created_at", "country"), places, beside=(CALENDAR,))
PLACED = Facts(PLACES, at="created_at", until="left_at", uses=("country",))
EVENTS = Facts(WORKDAY_EVENTS, at="used_at", uses=("events",))
USED = Facts(WORKDAYS_USED, at="used_at")
FALLS = Facts(WEEK_FALLS, at="fell_at", uses=("fall", "week"))


def working_days(days: int, lag_days: int = 0) -> Extreme:
    """Count the working days of a window."""
    value = between("working", days, lag_days)
    return Extreme(PLACED, value, "max", at_snapshot=with_working_days)


NO_COUNTRY = "The account's country, and so its holidays, are not known"
NO_USE = "No use on a working day in the last <days> days, or its country is not known"
NO_USE_BEFORE = "No use on a working day in the weeks before, or its country is not known"
PACE_OF_WEEK = Text(
    "{rhythm__workday_events__7d} [event|events] on {rhythm__working_days__7d} working"
    " [day|days] in the last 7 days",
    rising=(
        "With {rhythm__holidays__7d} public [holiday|holidays] in the last 7 days, use per working"
        " day was {rhythm__pace_change__7d} up on the 28 days before"
    ),
    falling=(
        "With {rhythm__holidays__7d} public [holiday|holidays] in the last 7 days, use per working"
        " day was {rhythm__pace_change__7d} down on the 28 days before"
    ),
    missing=NO_USE_BEFORE,
    now="rhythm__pace_change__7d",
    against=0.0,
)
PACE_OF_FORTNIGHT = Text(
    "{rhythm__workday_events__14d} [event|events] on {rhythm__working_days__14d} working"
    " [day|days] in the last 14 days",
    rising=(
        "Use on each of {rhythm__working_days__14d} working [day|days] in the last 14 was"
        " {rhythm__pace_change__14d} up on the 56 days before"
    ),
    falling=(
        "Use on each of {rhythm__working_days__14d} working [day|days] in the last 14 was"
        " {rhythm__pace_change__14d} down on the 56 days before"
    ),
    missing=NO_USE_BEFORE,
    now="rhythm__pace_change__14d",
    against=0.0,
)
FALL = Text(
    "The largest fall of use from one week to the next in the last <days> days was {value}",
    beside=(
        "Use per working day fell by {value} from one week to the next,"
        " {rhythm__days_since_largest_drop__<days>d} [day|days] ago"
    ),
    equal="Use per working day did not fall from one week to the next in the last <days> days",
    against=0.0,
    missing="No two weeks of use to compare in the last <days> days",
)
BEFORE = "{value} [event|events] on working days in the <days> days before the last "

FEATURES = (
    *over(
        (WEEK,),
        Feature(
            "rhythm",
            "holidays",
            Extreme(PLACED, between("holidays", WEEK), "max", at_snapshot=with_working_days),
            Unit.DAYS,
            subject="holidays",
            description="Public holidays of the account's country in the last <days> days, other"
            " than on a weekend.",
            text=Text(
                "{value} public [holiday|holidays] in the last <days> days",
                missing=NO_COUNTRY,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *(
        replace(feature, recipe=working_days(feature.window_days or 0))
        for feature in over(
            (WEEK, FORTNIGHT),
            Feature(
                "rhythm",
                "working_days",
                working_days(WEEK),
                Unit.DAYS,
                subject="holidays",
                description="Working days of the account's country in the last <days> days.",
                text=Text("{value} of the last <days> days were worked", missing=NO_COUNTRY),
                missing=Missing.UNKNOWN,
            ),
        )
    ),
    *(
        replace(feature, recipe=working_days(feature.window_days or 0, lag_days))
        for lag_days, days in ((WEEK, MONTH), (FORTNIGHT, TWO_MONTHS))
        for feature in over(
            (days,),
            Feature(
                "rhythm",
                "working_days_before",
                working_days(WEEK),
                Unit.DAYS,
                subject="holidays",
                description="Working days of the account's country in the <days> days before the"
                f" last {lag_days}.",
                text=Text(
                    f"{{value}} of the <days> days before the last {lag_days} were worked",
                    missing=NO_COUNTRY,
                ),
                missing=Missing.UNKNOWN,
            ),
        )
    ),
    *over(
        (WEEK, FORTNIGHT),
        Feature(
            "rhythm",
            "workday_events",
            Total(EVENTS, nw.col("events")),
            Unit.EVENTS,
            subject="pace of use",
            description="Events on working days in the last <days> days.",
            text=replace(PACE_OF_FORTNIGHT, missing=NO_USE),
            missing=Missing.UNKNOWN,
        ),
        {WEEK: replace(PACE_OF_WEEK, missing=NO_USE)},
    ),
    *(
        feature
        for lag_days, days in ((WEEK, MONTH), (FORTNIGHT, TWO_MONTHS))
        for feature in over(
            (days,),
            Feature(
                "rhythm",
                "workday_events_before",
                Total(EVENTS, nw.col("events"), lag_days=lag_days),
                Unit.EVENTS,
                subject="pace of use",
                description="Events on working days in the <days> days before the last"
                f" {lag_days}.",
                text=Text(f"{BEFORE}{lag_days}", missing=NO_USE_BEFORE),
                missing=Missing.UNKNOWN,
            ),
        )
    ),
    *(
        feature
        for days, days_before, text in (
            (WEEK, MONTH, PACE_OF_WEEK),
            (FORTNIGHT, TWO_MONTHS, PACE_OF_FORTNIGHT),
        )
        for feature in over(
            (days,),
            Feature(
                "rhythm",
                "pace_change",
                Formula(
                    (
                        "rhythm__workday_events__<days>d",
                        "rhythm__working_days__<days>d",
                        f"rhythm__workday_events_before__{days_before}d",
                        f"rhythm__working_days_before__{days_before}d",
                    ),
                    pace_change,
                ),
                Unit.SHARE,
                subject="pace of use",
                description="Relative change of events per working day, the last <days> days"
                f" against the {days_before} before them.",
                text=text,
                missing=Missing.UNKNOWN,
            ),
        )
    ),
    *over(
        (FORTNIGHT,),
        Feature(
            "rhythm",
            "working_days_used",
            Total(USED),
            Unit.DAYS,
            subject="regularity of use on working days",
            description="Working days with any use in the last <days> days.",
            text=Text(
                "Used on {value} of {rhythm__working_days__<days>d} working [day|days] in the last"
                " <days> days"
            ),
        ),
    ),
    *over(
        (FORTNIGHT,),
        Feature(
            "rhythm",
            "working_days_used_share",
            Formula(("rhythm__working_days_used__<days>d", "rhythm__working_days__<days>d"), ratio),
            Unit.SHARE,
            subject="regularity of use on working days",
            description="Share of the working days of the last <days> days with any use.",
            text=Text(
                "Used on {rhythm__working_days_used__<days>d} of {rhythm__working_days__<days>d}"
                " working [day|days] in the last <days> days",
                missing="Which days are worked in the account's country is not known",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (QUARTER,),
        Feature(
            "rhythm",
            "largest_drop",
            Extreme(FALLS, nw.col("fall"), "max", per=10_000),
            Unit.SHARE,
            subject="drops of use",
            description="The largest fall of events per working day from one week to the next that"
            " ended in the last <days> days, as a share of the first.",
            text=FALL,
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (QUARTER,),
        Feature(
            "rhythm",
            "days_since_largest_drop",
            Ranked(replace(FALLS, where=nw.col("fall") > 0), "week", nw.col("fall"), since=True),
            Unit.DAYS,
            subject="drops of use",
            description="Days since the end of the week with the largest fall of use per working"
            " day in the last <days> days.",
            text=replace(
                FALL,
                beside=None,
                equal=None,
                level="Use per working day fell most {value} [day|days] ago, by"
                " {rhythm__largest_drop__<days>d}",
                against=None,
                missing="Use did not fall from one week to the next in the last <days> days",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
)
