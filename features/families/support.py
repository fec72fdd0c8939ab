"""What customers asked for help with."""

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
from features.named import BILLING, DEFECTS, QUESTIONS, WISHES, speaks_of
from features.windows import Rows
from features.wording import against_before, in_window, unless_none


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
CATEGORIES = Facts("support_tickets", at="opened_at", uses=("category",))
ON_BILLING = replace(CATEGORIES, where=speaks_of("category", BILLING))
ON_DEFECTS = replace(CATEGORIES, where=speaks_of("category", DEFECTS))
QUESTIONS_ASKED = replace(CATEGORIES, where=speaks_of("category", QUESTIONS))
WISHED_FOR = replace(CATEGORIES, where=speaks_of("category", WISHES))

SOME_OPENED = "{value} [ticket|tickets] opened"
SOME_ESCALATED = "{value} [ticket|tickets] escalated"
SOME_REOPENED = "{value} [ticket|tickets] reopened"
OPEN_SINCE = (
    "{support__open_tickets} [ticket is|tickets are] open,"
    " [for|the oldest for] {support__oldest_open_ticket_days} [day|days]"
)
OPENED_BEFORE = against_before(
    "{support__tickets_opened__<days>d} [ticket|tickets] opened",
    "support__tickets_opened__<days>d",
    "support__tickets_opened_before__<days>d",
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
            risk="up",
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
    *over(
        (90,),
        Feature(
            "support",
            "billing_tickets",
            Total(ON_BILLING),
            Unit.TICKETS,
            subject="tickets on billing",
            description="Tickets opened in the last <days> days whose category speaks of"
            " billing, payment, price or contract.",
            text=Text(
                "{value} [ticket|tickets] on billing or contract,"
                " of {support__tickets_opened__90d} in the last <days> days"
            ),
        ),
    ),
    *over(
        (90,),
        Feature(
            "support",
            "defect_tickets",
            Total(ON_DEFECTS),
            Unit.TICKETS,
            subject="defects reported",
            description="Tickets opened in the last <days> days whose category speaks of"
            " a defect, an error or an outage.",
            text=Text(
                "{value} [ticket|tickets] on defects,"
                " of {support__tickets_opened__90d} in the last <days> days"
            ),
        ),
    ),
    *over(
        (90,),
        Feature(
            "support",
            "questions",
            Total(QUESTIONS_ASKED),
            Unit.TICKETS,
            subject="questions",
            description="Tickets opened in the last <days> days whose category speaks of"
            " a question or how to use something.",
            text=Text(
                "{value} [question|questions] how to use the product,"
                " of {support__tickets_opened__90d} in the last <days> days"
            ),
        ),
    ),
    *over(
        (90,),
        Feature(
            "support",
            "wishes",
            Total(WISHED_FOR),
            Unit.TICKETS,
            subject="wishes",
            description="Tickets opened in the last <days> days whose category speaks of"
            " a request or an idea.",
            text=Text(
                "{value} [ticket|tickets] with a wish,"
                " of {support__tickets_opened__90d} in the last <days> days"
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
