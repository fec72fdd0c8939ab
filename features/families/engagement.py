"""How much the customer takes part besides the product: community, webinars, email, events."""

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
    difference,
    over,
)
from features.named import BUYING, LEAVING, PRICE_CHANGES, speaks_of
from features.wording import against_before, in_window, unless_none

NAMED = ("community", "webinar", "email", "event")

ACTIVITY = Facts("engagement", at="occurred_at")
CHANNELS = Facts("engagement", at="occurred_at", uses=("channel",))
COMMUNITY = replace(CHANNELS, where=nw.col("channel") == "community")
WEBINARS = replace(CHANNELS, where=nw.col("channel") == "webinar")
EMAILS = replace(CHANNELS, where=nw.col("channel") == "email")
EVENTS = replace(CHANNELS, where=nw.col("channel") == "event")
ELSEWHERE = replace(CHANNELS, where=~nw.col("channel").is_in(NAMED))
IN_PERSON = replace(CHANNELS, where=nw.col("channel") != "email")
ACTIONS = Facts("engagement", at="occurred_at", uses=("action",))
LOOKED_AT_LEAVING = replace(ACTIONS, where=speaks_of("action", LEAVING))
LOOKED_AT_BUYING = replace(
    ACTIONS, where=speaks_of("action", BUYING) & ~speaks_of("action", LEAVING)
)
PRICE_NEWS = replace(ACTIONS, where=speaks_of("action", PRICE_CHANGES))

SOME_EMAILS = "{value} [activity|activities] on emails"
SOME = "{value} engagement [activity|activities]"
SOME_BUYING = "{value} [look|looks] at plans, prices or add-ons"
SOME_LEAVING = "{value} [look|looks] at cancelling or downgrading"
SOME_NEWS = "{value} [activity|activities] around a change of price"
BEFORE = against_before(
    "{engagement__activities__<days>d} engagement [activity|activities]",
    "engagement__activities__<days>d",
    "engagement__activities_before__<days>d",
)

FEATURES = (
    *over(
        (28, 90, 365),
        Feature(
            "engagement",
            "activities",
            Total(ACTIVITY),
            Unit.ITEMS,
            subject="engagement",
            description="Community, webinar, email and event activities in the last <days> days.",
            text=in_window(SOME, "engagement__activities__90d"),
        ),
        {90: BEFORE},
    ),
    *over(
        (90,),
        Feature(
            "engagement",
            "activities_before",
            Total(ACTIVITY, back=1),
            Unit.ITEMS,
            subject="engagement",
            description="Engagement activities in the <days> days before the last <days>.",
            text=BEFORE,
        ),
    ),
    *over(
        (90,),
        Feature(
            "engagement",
            "activities_change",
            Formula(
                ("engagement__activities__<days>d", "engagement__activities_before__<days>d"),
                difference,
            ),
            Unit.ITEMS,
            subject="engagement",
            description="Engagement activities in the last <days> days, less those in the <days>"
            " days before.",
            text=BEFORE,
        ),
    ),
    Feature(
        "engagement",
        "days_since_last_activity",
        Extreme(ACTIVITY, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="engagement",
        description="Days since the last activity in the community, a webinar, an email or an"
        " event.",
        text=Text(
            "The last engagement activity was {value} [day|days] ago",
            missing="No engagement activity so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "engagement",
        "days_since_taking_part",
        Extreme(IN_PERSON, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="taking part",
        description="Days since the last activity that was no email.",
        text=Text(
            "The last activity that was no email was {value} [day|days] ago",
            missing="No activity but emails so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (90,),
        Feature(
            "engagement",
            "channels",
            Distinct(CHANNELS, "channel"),
            Unit.ITEMS,
            subject="breadth of engagement",
            description="Different channels of the activities in the last <days> days.",
            text=unless_none(
                "No channel of engagement in the last <days> days",
                "{value} [channel|channels] of engagement in the last <days> days",
            ),
        ),
    ),
    *over(
        (90,),
        Feature(
            "engagement",
            "community",
            Total(COMMUNITY),
            Unit.ITEMS,
            subject="community",
            description="Activities in the community in the last <days> days.",
            text=Text("{value} [activity|activities] in the community in the last <days> days"),
        ),
    ),
    *over(
        (90,),
        Feature(
            "engagement",
            "webinars",
            Total(WEBINARS),
            Unit.ITEMS,
            subject="webinars",
            description="Activities around webinars in the last <days> days.",
            text=Text("{value} webinar [activity|activities] in the last <days> days"),
        ),
    ),
    *over(
        (28, 90),
        Feature(
            "engagement",
            "emails",
            Total(EMAILS),
            Unit.ITEMS,
            subject="emails",
            description="Activities on emails in the last <days> days.",
            text=in_window(SOME_EMAILS, "engagement__emails__90d"),
        ),
        {90: in_window(SOME_EMAILS, "engagement__emails__28d")},
    ),
    *over(
        (365,),
        Feature(
            "engagement",
            "events",
            Total(EVENTS),
            Unit.ITEMS,
            subject="events",
            description="Activities at events in the last <days> days.",
            text=Text("{value} [activity|activities] at events in the last <days> days"),
        ),
    ),
    *over(
        (90,),
        Feature(
            "engagement",
            "other_channels",
            Total(ELSEWHERE),
            Unit.ITEMS,
            subject="other channels",
            description="Activities in the last <days> days in channels other than community,"
            " webinar, email and event.",
            text=Text(
                "{value} [activity|activities] in the last <days> days in channels of the source's"
                " own"
            ),
        ),
    ),
    *over(
        (28, 90),
        Feature(
            "engagement",
            "looks_at_buying",
            Total(LOOKED_AT_BUYING),
            Unit.ITEMS,
            subject="interest in more",
            description="Activities in the last <days> days whose action speaks of plans, pricing,"
            " an upgrade, an add-on or a quote.",
            text=in_window(SOME_BUYING, "engagement__looks_at_buying__90d"),
        ),
        {90: in_window(SOME_BUYING, "engagement__looks_at_buying__28d")},
    ),
    *over(
        (28, 90),
        Feature(
            "engagement",
            "looks_at_leaving",
            Total(LOOKED_AT_LEAVING),
            Unit.ITEMS,
            subject="interest in leaving",
            description="Activities in the last <days> days whose action speaks of cancelling, of a"
            " downgrade or of closing the account.",
            text=in_window(SOME_LEAVING, "engagement__looks_at_leaving__90d"),
            risk="up",
        ),
        {90: in_window(SOME_LEAVING, "engagement__looks_at_leaving__28d")},
    ),
    *over(
        (90, 180),
        Feature(
            "engagement",
            "price_news",
            Total(PRICE_NEWS),
            Unit.ITEMS,
            subject="news of prices",
            description="Activities in the last <days> days whose action speaks of a change of"
            " price.",
            text=in_window(SOME_NEWS, "engagement__price_news__180d"),
        ),
        {180: in_window(SOME_NEWS, "engagement__price_news__90d")},
    ),
)
