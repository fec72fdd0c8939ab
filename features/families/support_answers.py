"""How calls for help were answered, and how the customers liked the answer."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
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
from features.windows import HOUR
from features.wording import in_window

LOW_CSAT = 2 * 10_000  # in ten-thousandths
UNRESOLVED = "No ticket was resolved in the last <days> days"
UNANSWERED = "No ticket was answered in the last <days> days"

RESOLVED = Facts("support_tickets", at="resolved_at", uses=("opened_at",))
ANSWERED = Facts("support_tickets", at="first_responded_at", uses=("opened_at",))
UNTOUCHED = Facts("support_tickets", at="opened_at", until="first_responded_at")
RATED = Facts("support_tickets", at="csat_at", uses=("csat",))
RATED_LOW = Facts("support_tickets", at="csat_at", uses=("csat",), where=nw.col("csat") <= LOW_CSAT)

FIRST_TOOK = "A first response took {value} [hour|hours] on average"
RESOLUTION_TOOK = "A resolution took {value} [hour|hours] on average"
WAITING = "{value} [ticket waits|tickets wait] for a first response"
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
            risk="down",
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
        risk="down",
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
            risk="up",
        ),
    ),
)
