"""Who is there at the customer, who came and went, and on whom the use of the product hangs."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
    FIXED,
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Ranked,
    Text,
    Total,
    Unit,
    over,
    ratio,
)
from features.wording import in_window, unless_none

MONTH = 28

PRESENT = Facts("contacts", at="joined_at", until="left_at")
JOINED = Facts("contacts", at="joined_at")
LEFT = Facts("contacts", at="left_at")
USE = Facts("usage_events", at="occurred_at", uses=("quantity",))


def of_role(facts: Facts, role: str) -> Facts:
    """Keep the contacts of a role."""
    return replace(facts, uses=("role",), where=nw.col("role") == role)


def with_contacts(said: str) -> Text:
    """Say it beside the number of contacts who are there."""
    return Text(
        said,
        rising=f"{said}, {{people__contacts}} [is|are] there now",
        equal=f"{said}, and none is there now",
        now="people__contacts",
        against=0.0,
    )


def unless_there(champions: nw.Expr, since_left: nw.Expr) -> nw.Expr:
    """Give the days since the last champion left, where none is there."""
    return nw.when(champions == 0).then(since_left)


def of_known(top: nw.Expr, events: nw.Expr) -> nw.Expr:
    """Give the busiest user's share; null where no event names a user."""
    return nw.when(top > 0).then(ratio(top, events))


CHAMPION, SPONSOR = of_role(PRESENT, "champion"), of_role(PRESENT, "sponsor")
ADMIN = of_role(PRESENT, "admin")
CHAMPION_LEFT, SPONSOR_LEFT = of_role(LEFT, "champion"), of_role(LEFT, "sponsor")
CHAMPION_JOINED, ADMIN_JOINED = of_role(JOINED, "champion"), of_role(JOINED, "admin")

SOME_CHAMPIONS_LEFT = "{value} [champion|champions] left"
NO_CHAMPION = "No champion is known"
NO_BUSIEST = "No events by a known user in the last 28 days"
BUSIEST = (
    "The busiest user made {people__top_user_events__28d} of {usage__events__28d} [event|events]"
    " in the last 28 days"
)

FEATURES = (
    Feature(
        "people",
        "contacts",
        Total(PRESENT),
        Unit.ITEMS,
        subject="contacts",
        description="Known people at the customer.",
        text=Text("{value} [contact|contacts] at the customer"),
    ),
    Feature(
        "people",
        "champions",
        Total(CHAMPION),
        Unit.ITEMS,
        subject="champion",
        description="Champions at the customer.",
        text=unless_none(NO_CHAMPION, "{value} [champion|champions] at the customer"),
    ),
    Feature(
        "people",
        "sponsors",
        Total(SPONSOR),
        Unit.ITEMS,
        subject="sponsor",
        description="Sponsors at the customer.",
        text=unless_none("No sponsor is known", "{value} [sponsor|sponsors] at the customer"),
    ),
    Feature(
        "people",
        "admins",
        Total(ADMIN),
        Unit.ITEMS,
        subject="admins",
        description="Administrators at the customer.",
        text=unless_none("No admin is known", "{value} [admin|admins] at the customer"),
    ),
    *over(
        (28, 90, 365),
        Feature(
            "people",
            "champions_left",
            Total(CHAMPION_LEFT),
            Unit.ITEMS,
            subject="champion",
            description="Champions who left the customer in the last <days> days.",
            text=in_window(SOME_CHAMPIONS_LEFT, "people__champions_left__365d"),
            risk="up",
        ),
        {365: in_window(SOME_CHAMPIONS_LEFT, "people__champions_left__90d")},
    ),
    Feature(
        "people",
        "days_since_champion_left",
        Extreme(CHAMPION_LEFT, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="champion",
        description="Days since a champion last left the customer.",
        text=Text(
            "A champion left {value} [day|days] ago",
            rising=(
                "A champion left {value} [day|days] ago;"
                " {people__champions} [champion is|champions are] there now"
            ),
            equal="A champion left {value} [day|days] ago, and there is none now",
            now="people__champions",
            against=0.0,
            missing="No champion has left",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "people",
        "days_without_champion",
        Formula(("people__champions", "people__days_since_champion_left"), unless_there),
        Unit.DAYS,
        subject="champion",
        description="Days since the last champion left, where no champion is there.",
        text=Text(
            "No champion since one left {value} [day|days] ago",
            missing="A champion is there, or none has left",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "people",
        "champion_tenure_days",
        Extreme(CHAMPION, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="champion",
        description="Days since the champion joined, of several the one who joined first.",
        text=Text("The champion joined {value} [day|days] ago", missing=NO_CHAMPION),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (90,),
        Feature(
            "people",
            "champions_joined",
            Total(CHAMPION_JOINED),
            Unit.ITEMS,
            subject="champion",
            description="Champions who joined in the last <days> days.",
            text=Text("{value} [champion|champions] joined in the last <days> days"),
        ),
    ),
    *over(
        (365,),
        Feature(
            "people",
            "sponsors_left",
            Total(SPONSOR_LEFT),
            Unit.ITEMS,
            subject="sponsor",
            description="Sponsors who left the customer in the last <days> days.",
            text=Text("{value} [sponsor|sponsors] left in the last <days> days"),
            risk="up",
        ),
    ),
    *over(
        (90,),
        Feature(
            "people",
            "admins_joined",
            Total(ADMIN_JOINED),
            Unit.ITEMS,
            subject="admins",
            description="Administrators who joined in the last <days> days.",
            text=Text("{value} new [admin|admins] in the last <days> days"),
        ),
    ),
    *over(
        (90,),
        Feature(
            "people",
            "contacts_joined",
            Total(JOINED),
            Unit.ITEMS,
            subject="contacts",
            description="People who joined in the last <days> days.",
            text=with_contacts("{value} [contact|contacts] joined in the last <days> days"),
        ),
    ),
    *over(
        (90,),
        Feature(
            "people",
            "contacts_left",
            Total(LEFT),
            Unit.ITEMS,
            subject="contacts",
            description="People who left the customer in the last <days> days.",
            text=with_contacts("{value} [contact|contacts] left in the last <days> days"),
        ),
    ),
    *over(
        (MONTH,),
        Feature(
            "people",
            "top_user_events",
            Ranked(USE, "user_id", nw.col("quantity"), per=FIXED),
            Unit.EVENTS,
            subject="concentration of use",
            description="Events of the user with most of them in the last <days> days.",
            text=unless_none(NO_BUSIEST, BUSIEST),
        ),
    ),
    *over(
        (MONTH,),
        Feature(
            "people",
            "top_user_share",
            Formula(("people__top_user_events__<days>d", "usage__events__<days>d"), of_known),
            Unit.SHARE,
            subject="concentration of use",
            description="The busiest user's share of the events in the last <days> days.",
            text=Text(BUSIEST, missing=NO_BUSIEST),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (90,),
        Feature(
            "people",
            "main_user_quiet_days",
            Ranked(USE, "user_id", nw.col("quantity"), since=True, lag_days=MONTH),
            Unit.DAYS,
            subject="main user",
            description="Days since the main user's last event: the one with most events in the"
            " <days> days that ended 28 days ago.",
            text=Text(
                "The main user of the <days> days before the last 28 was last seen"
                " {value} [day|days] ago",
                missing="There was no main user in the <days> days before the last 28",
            ),
            missing=Missing.UNKNOWN,
            risk="up",
        ),
    ),
)
