"""How much of what was bought is in use, how deep, and what was given up again."""

import narwhals as nw

from features.daily import PRODUCT_DAYS, USERS_BY_DAY
from features.declare import (
    Beside,
    Distinct,
    Facts,
    Feature,
    Formula,
    Missing,
    Text,
    Total,
    Unit,
    View,
    difference,
    over,
    ratio,
    relative_change,
)
from features.rows import known_together
from features.windows import NEVER, Rows, first_day_after
from features.wording import against_before, unless_none

WINDOWS = (28, 90)


def of_bought(days: Rows, subscriptions: Rows) -> Rows:
    """Give the days of use of a product that is bought, seen only while it is."""
    bought = subscriptions.with_columns(
        enters=nw.max_horizontal("enters", first_day_after("started_at")),
        leaves=nw.min_horizontal("leaves", first_day_after("ended_at").fill_null(NEVER)),
    )
    return known_together(days, bought, on=("account_id", "product"))


def weekly(users: nw.Expr, *weeks: nw.Expr) -> nw.Expr:
    """Give the mean of the weeks' users as a share of all users of the weeks."""
    together = weeks[0]
    for week in weeks[1:]:
        together = together + week
    return ratio(together, users * float(len(weeks)))


USERS = Facts("usage_events", at="occurred_at", uses=("user_id",))
FUNCTIONS = Facts("usage_events", at="occurred_at", uses=("event",))
BOUGHT = Facts(
    View(
        "days_of_use_of_bought",
        PRODUCT_DAYS,
        ("product", "used_at"),
        of_bought,
        beside=(Beside("subscriptions", ("product", "started_at"), optional=("ended_at",)),),
    ),
    at="used_at",
    uses=("product",),
)
BY_USER = Facts(USERS_BY_DAY, at="used_at", uses=("users",))

IN_USE = (
    "{adoption__products_in_use__<days>d} of {lifecycle__products_owned} bought [product|products]"
    " in use in the last <days> days"
)
EVER_USED = (
    "{adoption__products_ever_used} of {lifecycle__products_owned} bought [product|products] ever"
    " taken into use"
)
NONE_OWNED = "No product is owned"
USER_DAYS_SAID = "{value} [day|days] of use, added up over the users"
NO_USER = "No user in the last 28 days"
FUNCTIONS_BEFORE = against_before(
    "{usage__event_kinds__<days>d} [function|functions] used",
    "usage__event_kinds__<days>d",
    "adoption__functions_before__<days>d",
    missing="No function was used in the <days> days before the last <days>",
)
WEEKLY = (
    "{usage__active_users__28d} [user|users] in the last 28 days; week by week"
    " {adoption__users_three_weeks_before__7d}, {adoption__users_two_weeks_before__7d},"
    " {adoption__users_week_before__7d} and {usage__active_users__7d}"
)

FEATURES = (
    *over(
        WINDOWS,
        Feature(
            "adoption",
            "products_in_use",
            Distinct(BOUGHT, "product"),
            Unit.ITEMS,
            subject="products in use",
            description="Products that are bought and were used in the last <days> days.",
            text=Text(IN_USE),
        ),
    ),
    *over(
        WINDOWS,
        Feature(
            "adoption",
            "products_in_use_share",
            Formula(("adoption__products_in_use__<days>d", "lifecycle__products_owned"), ratio),
            Unit.SHARE,
            subject="products in use",
            description="Share of the bought products that were used in the last <days> days.",
            text=Text(IN_USE, missing=NONE_OWNED),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "adoption",
        "products_ever_used",
        Distinct(BOUGHT, "product"),
        Unit.ITEMS,
        subject="products never used",
        description="Products that are bought and were ever used.",
        text=Text(EVER_USED),
    ),
    Feature(
        "adoption",
        "products_never_used",
        Formula(("lifecycle__products_owned", "adoption__products_ever_used"), difference),
        Unit.ITEMS,
        subject="products never used",
        description="Products that are bought and were never used.",
        text=unless_none("Every bought product was taken into use", EVER_USED),
    ),
    *over(
        (90,),
        Feature(
            "adoption",
            "seats_used",
            Formula(("usage__active_users__<days>d", "lifecycle__seats"), ratio),
            Unit.SHARE,
            subject="seats used",
            description="Active users of the last <days> days as a share of the seats paid for.",
            text=Text(
                "{usage__active_users__<days>d} active [user|users] in the last <days> days on"
                " {lifecycle__seats} [seat|seats]",
                missing="The share of seats in use is not known",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (28,),
        Feature(
            "adoption",
            "user_days",
            Total(BY_USER, nw.col("users"), per=1),
            Unit.DAYS,
            subject="depth of use",
            description="Days of use in the last <days> days, added up over the users.",
            text=Text(
                f"{USER_DAYS_SAID} in the last <days> days",
                beside=f"{USER_DAYS_SAID} in the last <days> days,"
                " {usage__active_users__<days>d} in all",
            ),
        ),
    ),
    *over(
        (28,),
        Feature(
            "adoption",
            "days_per_user",
            Formula(("adoption__user_days__<days>d", "usage__active_users__<days>d"), ratio),
            Unit.RATIO,
            subject="depth of use",
            description="Days of use of each active user in the last <days> days.",
            text=Text(
                "{usage__active_users__<days>d} [user|users] came on {value} of the last <days>"
                " days each",
                missing=NO_USER,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (28,),
        Feature(
            "adoption",
            "events_per_user_day",
            Formula(("usage__events__<days>d", "adoption__user_days__<days>d"), ratio),
            Unit.EVENTS,
            subject="depth of use",
            description="Events for each user and day of use in the last <days> days.",
            text=Text(
                "{value} [event|events] for each user and day in the last <days> days",
                missing=NO_USER,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "adoption",
        "functions_dropped",
        Formula(("usage__event_kinds__365d", "usage__event_kinds__90d"), difference),
        Unit.ITEMS,
        subject="functions dropped",
        description="Functions that were used in the last 365 days, but not in the last 90.",
        text=unless_none(
            "No function of the last 365 days went unused in the last 90",
            "{value} of {usage__event_kinds__365d} [function|functions] used in the last 365 days"
            " [was|were] not used in the last 90",
        ),
    ),
    *over(
        (28,),
        Feature(
            "adoption",
            "functions_before",
            Distinct(FUNCTIONS, "event", back=1),
            Unit.ITEMS,
            subject="breadth of use",
            description="Different functions used in the <days> days before the last <days>.",
            text=FUNCTIONS_BEFORE,
        ),
    ),
    *over(
        (28,),
        Feature(
            "adoption",
            "functions_change",
            Formula(
                ("usage__event_kinds__<days>d", "adoption__functions_before__<days>d"),
                relative_change,
            ),
            Unit.SHARE,
            subject="breadth of use",
            description="Relative change of the functions used, the last <days> days against the"
            " ones before.",
            text=FUNCTIONS_BEFORE,
            missing=Missing.UNKNOWN,
        ),
    ),
    *(
        feature
        for back, weeks in enumerate(("week", "two_weeks", "three_weeks"), start=1)
        for feature in over(
            (7,),
            Feature(
                "adoption",
                f"users_{weeks}_before",
                Distinct(USERS, "user_id", back=back),
                Unit.USERS,
                subject="weekly users",
                description=f"Different users in the seven days that ended {7 * back} days ago.",
                text=Text("{value} active [user|users] in that week", beside=WEEKLY),
            ),
        )
    ),
    *over(
        (28,),
        Feature(
            "adoption",
            "weekly_share",
            Formula(
                (
                    "usage__active_users__<days>d",
                    "usage__active_users__7d",
                    "adoption__users_week_before__7d",
                    "adoption__users_two_weeks_before__7d",
                    "adoption__users_three_weeks_before__7d",
                ),
                weekly,
            ),
            Unit.SHARE,
            subject="weekly users",
            description="Share of the last <days> days' users who came in a week, on average over"
            " the four.",
            text=Text(WEEKLY, missing="No user in any of the last 4 weeks"),
            missing=Missing.UNKNOWN,
        ),
    ),
)
