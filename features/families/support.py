"""What customers asked for help with, how it was answered, and how they liked the answer."""

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

WINDOWS = (7, 28, 90, 365)
LOW_CSAT = 2 * 10_000  # in ten-thousandths
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

FEATURES = (
    *over(
        WINDOWS,
        Feature(
            "support",
            "tickets_opened",
            Total(OPENED),
            Unit.TICKETS,
            subject="tickets opened",
            description="Tickets opened in the last <days> days.",
            text=Text("{value} [ticket|tickets] opened in the last <days> days"),
        ),
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
            text=Text("{value} [ticket|tickets] opened in the <days> days before the last <days>"),
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
            text=Text(
                "As many tickets as before: {support__tickets_opened__<days>d} in <days> days",
                "Tickets rose from {support__tickets_opened_before__<days>d} to"
                " {support__tickets_opened__<days>d} in <days> days",
                "Tickets fell from {support__tickets_opened_before__<days>d} to"
                " {support__tickets_opened__<days>d} in <days> days",
                against=0.0,
            ),
        ),
    ),
    Feature(
        "support",
        "open_tickets",
        Total(OPEN),
        Unit.TICKETS,
        subject="open tickets",
        description="Tickets that are open.",
        text=Text("{value} [ticket is|tickets are] open"),
    ),
    Feature(
        "support",
        "open_urgent_tickets",
        Total(OPEN_URGENT),
        Unit.TICKETS,
        subject="urgent tickets",
        description="Urgent tickets that are open.",
        text=Text("{value} urgent [ticket is|tickets are] open"),
    ),
    Feature(
        "support",
        "open_escalated_tickets",
        Total(OPEN_ESCALATED),
        Unit.TICKETS,
        subject="escalations",
        description="Escalated tickets that are not resolved.",
        text=Text("{value} escalated [ticket is|tickets are] not resolved"),
    ),
    Feature(
        "support",
        "unanswered_tickets",
        Total(UNTOUCHED),
        Unit.TICKETS,
        subject="first response",
        description="Tickets that wait for their first response.",
        text=Text("{value} [ticket waits|tickets wait] for a first response"),
    ),
    Feature(
        "support",
        "oldest_open_ticket_days",
        Extreme(OPEN, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="open tickets",
        description="Days since the oldest open ticket was opened.",
        text=Text("The oldest open ticket is {value} [day|days] old", missing="No ticket is open"),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "support",
        "days_since_last_ticket",
        Extreme(OPENED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="last ticket",
        description="Days since the last ticket was opened.",
        text=Text("The last ticket was opened {value} [day|days] ago", missing="No ticket so far"),
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
            text=Text("{value} [ticket|tickets] escalated in the last <days> days"),
        ),
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
            text=Text("{value} urgent [ticket|tickets] opened in the last <days> days"),
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
            text=Text("{value} [ticket|tickets] had to be reopened in the last <days> days"),
        ),
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
            text=Text("{value} [ticket|tickets] resolved in the last <days> days"),
        ),
    ),
    *over(
        (28, 90),
        Feature(
            "support",
            "first_response_hours",
            Total(
                ANSWERED,
                nw.col("first_responded_at") - nw.col("opened_at"),
                per=HOUR,
                mean=True,
            ),
            Unit.HOURS,
            subject="first response",
            description="Mean hours to the first responses given in the last <days> days.",
            text=Text(
                "A first response took {value} [hour|hours] on average in the last <days> days",
                missing=UNANSWERED,
            ),
            missing=Missing.UNKNOWN,
        ),
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
            text=Text(
                "A resolution took {value} [hour|hours] on average in the last <days> days",
                missing="No ticket was resolved in the last <days> days",
            ),
            missing=Missing.UNKNOWN,
        ),
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
            text=Text(
                "Support was rated {value} of 5 in the last <days> days",
                missing="Support was not rated in the last <days> days",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "support",
        "csat_change",
        Formula(("support__csat__90d", "support__csat__365d"), difference),
        Unit.POINTS,
        subject="satisfaction with support",
        description="Mean satisfaction of the last 90 days less that of the last 365.",
        text=Text(
            "Support is rated {support__csat__90d} of 5, as in the whole year",
            "Support is rated {support__csat__90d} of 5, after {support__csat__365d} in the year",
            "Support is rated {support__csat__90d} of 5, after {support__csat__365d} in the year",
            missing="Support was not rated in the last 90 days",
            against=0.0,
        ),
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
            text=Text("{value} [rating|ratings] of 1 or 2 in the last <days> days"),
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
            text=Text("Tickets in {value} [category|categories] in the last <days> days"),
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
            "{support__tickets_escalated__365d} of the year's {support__tickets_opened__365d}"
            " tickets were escalated",
            missing="No ticket in the last year",
        ),
        missing=Missing.UNKNOWN,
    ),
)
