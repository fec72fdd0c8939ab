"""What customers asked for help with, how it was answered, and how they liked the answer."""

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
    difference,
    over,
    ratio,
)
from features.windows import HOUR, Rows
from features.wording import against_before, in_window, unless_none

LOW_CSAT = 2 * 10_000  # in ten-thousandths
UNRESOLVED = "No ticket was resolved in the last <days> days"
UNANSWERED = "No ticket was answered in the last <days> days"


def spells(tickets: Rows) -> Rows:
    """Give one row for each time a ticket was open: since it was opened, and since it was reopened.

    A ticket that was resolved again after it was reopened shows its last resolution only, so it
    counts as open all the while.
    """
    common = ("account_id", "enters", "leaves", "priority")
    first = tickets.select(*common, spell_from="opened_at", spell_to="resolved_at")
    again = tickets.filter(nw.col("reopened_at") >= nw.col("resolved_at"))
    never = nw.lit(None, nw.Int64)
    return nw.concat([first, again.select(*common, spell_from="reopened_at", spell_to=never)])


SPELLS = View(
    "spells",
    "support_tickets",
    uses=("opened_at", "resolved_at"),
    optional=("reopened_at", "priority"),
    make=spells,
)
OPENED = Facts("support_tickets", at="opened_at")
OPEN = Facts(SPELLS, at="spell_from", until="spell_to")
OPEN_URGENT = Facts(
    SPELLS, "spell_from", "spell_to", uses=("priority",), where=nw.col("priority") == "urgent"
)
URGENT = Facts(
    "support_tickets", at="opened_at", uses=("priority",), where=nw.col("priority") == "urgent"
)
OPEN_ESCALATED = Facts("support_tickets", at="escalated_at", until="resolved_at")
ESCALATED = Facts("support_tickets", at="escalated_at")
REOPENED = Facts("support_tickets", at="reopened_at")
RESOLVED = Facts("support_tickets", at="resolved_at", uses=("opened_at",))
ANSWERED = Facts("support_tickets", at="first_responded_at", uses=("opened_at",))
UNTOUCHED = Facts("support_tickets", at="opened_at", until="first_responded_at")
RATED = Facts("support_tickets", at="csat_at", uses=("csat",))
RATED_LOW = Facts("support_tickets", at="csat_at", uses=("csat",), where=nw.col("csat") <= LOW_CSAT)
CATEGORIES = Facts("support_tickets", at="opened_at", uses=("category",))

FIRST_TOOK = "A first response took {value} [hour|hours] on average"
RESOLUTION_TOOK = "A resolution took {value} [hour|hours] on average"
SOME_OPENED = "{value} [ticket|tickets] opened"
SOME_ESCALATED = "{value} [ticket|tickets] escalated"
SOME_REOPENED = "{value} [ticket|tickets] reopened"
WAITING = "{value} [ticket waits|tickets wait] for a first response"
OPEN_SINCE = (
    "{support__open_tickets} [ticket is|tickets are] open,"
    " [for|the oldest for] {support__oldest_open_ticket_days} [day|days]"
)
OPENED_BEFORE = against_before(
    "{support__tickets_opened__<days>d} [ticket|tickets] opened",
    "support__tickets_opened__<days>d",
    "support__tickets_opened_before__<days>d",
)
CSAT = "Support was rated {support__csat__90d} of 5 in the last 90 days"
CSAT_MOVED = Text(
    CSAT,
    CSAT + ", above the {support__csat__365d} of the last 365",
    CSAT + ", below the {support__csat__365d} of the last 365",
    missing="Support was not rated in the last 90 days",
    against="support__csat__365d",
    now="support__csat__90d",
    equal=CSAT + ", as in the last 365",
)

FEATURES = (
    *over(
        (7, 28, 90, 365),
        Feature(
            "support",
            "tickets_opened",
            Total(OPENED),
            Unit.TICKETS,
            subject="tickets opened",
            description="Tickets opened in the last <days> days.",
            text=in_window(SOME_OPENED, "support__tickets_opened__28d"),
        ),
        {
            28: OPENED_BEFORE,
            90: in_window(SOME_OPENED, "support__tickets_opened__365d"),
            365: in_window(SOME_OPENED, "support__tickets_opened__90d"),
        },
    ),
    *over(
        (28,),
        Feature(
            "support",
            "tickets_opened_before",
            Total(OPENED, back=1),
            Unit.TICKETS,
            subject="tickets opened",
            description="Tickets opened in the <days> days before the last <days>.",
            text=OPENED_BEFORE,
        ),
    ),
    *over(
        (28,),
        Feature(
            "support",
            "tickets_opened_change",
            Formula(
                ("support__tickets_opened__<days>d", "support__tickets_opened_before__<days>d"),
                difference,
            ),
            Unit.TICKETS,
            subject="tickets opened",
            description="Tickets opened in the last <days> days, less those in the days before.",
            text=OPENED_BEFORE,
        ),
    ),
    Feature(
        "support",
        "open_tickets",
        Total(OPEN),
        Unit.TICKETS,
        subject="open tickets",
        description="Tickets that are open.",
        text=Text("{value} [ticket is|tickets are] open", beside=OPEN_SINCE),
    ),
    Feature(
        "support",
        "open_urgent_tickets",
        Total(OPEN_URGENT),
        Unit.TICKETS,
        subject="urgent tickets",
        description="Urgent tickets that are open.",
        text=unless_none(
            "No urgent ticket is open",
            "{value} urgent [ticket is|tickets are] open, of {support__open_tickets} open in all",
        ),
    ),
    Feature(
        "support",
        "open_escalated_tickets",
        Total(OPEN_ESCALATED),
        Unit.TICKETS,
        subject="escalations",
        description="Escalated tickets that are not resolved.",
        text=Text(
            "{value} escalated [ticket is|tickets are] open,"
            " {support__tickets_escalated__90d} escalated in the last 90 days",
        ),
    ),
    Feature(
        "support",
        "unanswered_tickets",
        Total(UNTOUCHED),
        Unit.TICKETS,
        subject="first response",
        description="Tickets that wait for their first response.",
        text=Text(
            WAITING,
            beside=WAITING
            + "; responses took {support__first_response_hours__90d} hours on average"
            " in the last 90 days",
        ),
    ),
    Feature(
        "support",
        "oldest_open_ticket_days",
        Extreme(OPEN, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="open tickets",
        description="Days since the oldest open ticket was opened.",
        text=Text(
            "The oldest open ticket is {value} [day|days] old",
            beside=OPEN_SINCE,
            missing="No ticket is open",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "support",
        "days_since_last_ticket",
        Extreme(OPENED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="last ticket",
        description="Days since the last ticket was opened.",
        text=Text(
            "The last ticket was opened {value} [day|days] ago;"
            " {support__tickets_opened__365d} [was|were] opened in the last 365 days",
            missing="No ticket so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (28, 90, 365),
        Feature(
            "support",
            "tickets_escalated",
            Total(ESCALATED),
            Unit.TICKETS,
            subject="escalations",
            description="Tickets escalated in the last <days> days.",
            text=in_window(SOME_ESCALATED, "support__tickets_escalated__90d"),
        ),
        {90: in_window(SOME_ESCALATED, "support__tickets_escalated__365d")},
    ),
    *over(
        (90,),
        Feature(
            "support",
            "urgent_tickets_opened",
            Total(URGENT),
            Unit.TICKETS,
            subject="urgent tickets",
            description="Urgent tickets opened in the last <days> days.",
            text=unless_none(
                "No urgent ticket was opened in the last <days> days",
                "{value} urgent [ticket|tickets] opened in the last <days> days, of"
                " {support__tickets_opened__90d} in all",
            ),
        ),
    ),
    *over(
        (90, 365),
        Feature(
            "support",
            "tickets_reopened",
            Total(REOPENED),
            Unit.TICKETS,
            subject="reopened tickets",
            description="Tickets reopened in the last <days> days.",
            text=in_window(SOME_REOPENED, "support__tickets_reopened__365d"),
        ),
        {365: in_window(SOME_REOPENED, "support__tickets_reopened__90d")},
    ),
    *over(
        (90,),
        Feature(
            "support",
            "tickets_resolved",
            Total(RESOLVED),
            Unit.TICKETS,
            subject="tickets resolved",
            description="Tickets resolved in the last <days> days.",
            text=Text(
                "{value} [ticket|tickets] resolved in the last <days> days,"
                " {support__tickets_opened__90d} opened",
            ),
        ),
    ),
    *over(
        (28, 90),
        Feature(
            "support",
            "first_response_hours",
            Total(
                ANSWERED, nw.col("first_responded_at") - nw.col("opened_at"), per=HOUR, mean=True
            ),
            Unit.HOURS,
            subject="first response",
            description="Mean hours to the first responses given in the last <days> days.",
            text=in_window(
                FIRST_TOOK,
                "support__first_response_hours__90d",
                missing=UNANSWERED,
            ),
            missing=Missing.UNKNOWN,
        ),
        {
            90: in_window(
                FIRST_TOOK,
                "support__first_response_hours__28d",
                missing=UNANSWERED,
            )
        },
    ),
    *over(
        (90, 365),
        Feature(
            "support",
            "resolution_hours",
            Total(RESOLVED, nw.col("resolved_at") - nw.col("opened_at"), per=HOUR, mean=True),
            Unit.HOURS,
            subject="time to resolution",
            description="Mean hours from opening to the resolutions of the last <days> days.",
            text=in_window(
                RESOLUTION_TOOK,
                "support__resolution_hours__365d",
                missing=UNRESOLVED,
            ),
            missing=Missing.UNKNOWN,
        ),
        {
            365: in_window(
                RESOLUTION_TOOK,
                "support__resolution_hours__90d",
                missing=UNRESOLVED,
            )
        },
    ),
    *over(
        (90, 365),
        Feature(
            "support",
            "csat",
            Total(RATED, nw.col("csat"), mean=True),
            Unit.POINTS,
            subject="satisfaction with support",
            description="Mean satisfaction (1 to 5) of the answers in the last <days> days.",
            text=CSAT_MOVED,
            missing=Missing.UNKNOWN,
        ),
        {
            365: replace(
                CSAT_MOVED,
                level="Support was rated {value} of 5 in the last 365 days",
                missing="Support was not rated in the last 365 days",
            )
        },
    ),
    Feature(
        "support",
        "csat_change",
        Formula(("support__csat__90d", "support__csat__365d"), difference),
        Unit.POINTS,
        subject="satisfaction with support",
        description="Mean satisfaction of the last 90 days less that of the last 365.",
        text=CSAT_MOVED,
        missing=Missing.UNKNOWN,
    ),
    *over(
        (365,),
        Feature(
            "support",
            "low_ratings",
            Total(RATED_LOW),
            Unit.ITEMS,
            subject="satisfaction with support",
            description="Ratings of 1 or 2 in the last <days> days.",
            text=Text(
                "{value} [rating|ratings] of 1 or 2 out of 5 in the last <days> days",
                beside=(
                    "{value} [rating|ratings] of 1 or 2 out of 5 in the last <days> days;"
                    " the average was {support__csat__365d}"
                ),
            ),
        ),
    ),
    *over(
        (90,),
        Feature(
            "support",
            "ticket_categories",
            Distinct(CATEGORIES, "category"),
            Unit.ITEMS,
            subject="breadth of problems",
            description="Different categories of the tickets opened in the last <days> days.",
            text=unless_none(
                "No ticket of a known category in the last <days> days",
                "{support__tickets_opened__90d} [ticket|tickets] in {value}"
                " [category|categories] in the last <days> days",
            ),
        ),
    ),
    Feature(
        "support",
        "escalated_share",
        Formula(("support__tickets_escalated__365d", "support__tickets_opened__365d"), ratio),
        Unit.SHARE,
        subject="escalations",
        description="Tickets escalated in the last 365 days as a share of those opened.",
        text=Text(
            "{support__tickets_escalated__365d} [ticket|tickets] escalated in the last 365"
            " days, {support__tickets_opened__365d} opened",
            missing="No ticket was opened in the last 365 days",
        ),
        missing=Missing.UNKNOWN,
    ),
)
