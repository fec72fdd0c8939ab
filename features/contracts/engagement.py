"""Community, webinars, email and events."""

from features.contracts.table import Table, account, text, time

ENGAGEMENT = Table(
    "engagement",
    grain="community, webinar, email or event activity",
    key=(),
    first_time="occurred_at",
    columns=(
        account(),
        time("occurred_at", required=True),
        text("channel", required=True),
        text("action"),
    ),
)
