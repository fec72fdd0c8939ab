"""What an account pays for, and until when."""

from features.contracts.table import Table, account, boolean, integer, money, text, time

SUBSCRIPTIONS = Table(
    "subscriptions",
    grain="a period in which one product's plan, seats and price did not change",
    key=("subscription_id", "product", "started_at"),
    first_time="started_at",
    required=True,
    columns=(
        text("subscription_id", required=True),
        account(),
        text("product", required=True),
        text("plan"),
        integer("seats", "seats"),
        money("mrr", "currency per month", minimum=0),
        text("billing", allowed=("fixed", "usage")),
        time("started_at", required=True, happened=False),
        time("ended_at", ends="started_at", happened=False),
        time("renews_at", ends="started_at", happened=False),
        integer("term_months", "months", minimum=1, maximum=1_200),
        integer("notice_days", "days", maximum=36_500),
        boolean("auto_renew", overwritten=True),
        time("cancel_requested_at"),
        text(
            "end_reason",
            allowed=("voluntary", "payment", "product", "other"),
            known_at="ended_at",
            outcome=True,
        ),
    ),
)
