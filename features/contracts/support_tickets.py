"""What customers asked for help with."""

from features.contracts.table import Table, account, number, text, time

SUPPORT_TICKETS = Table(
    "support_tickets",
    grain="a ticket",
    key=("ticket_id",),
    first_time="opened_at",
    usually_after="sign-up",
    columns=(
        text("ticket_id", required=True),
        account(),
        time("opened_at", required=True),
        time("first_responded_at", follows="opened_at"),
        time("resolved_at", ends="opened_at"),
        time("reopened_at", follows="opened_at"),
        time("escalated_at", follows="opened_at"),
        text("priority", allowed=("low", "normal", "high", "urgent"), overwritten=True),
        text("category", overwritten=True),
        text("channel"),
        number("csat", "points", minimum=1, maximum=5, known_at="csat_at"),
        time("csat_at", follows="opened_at"),
    ),
)
