"""The people at the customer."""

from features.contracts.table import Table, account, person, text, time

CONTACTS = Table(
    "contacts",
    grain="a person at the customer, over the time they are there",
    key=("contact_id",),
    first_time="joined_at",
    columns=(
        person("contact_id", required=True),
        account(),
        text("role", allowed=("champion", "sponsor", "admin", "user"), overwritten=True),
        time("joined_at", required=True),
        time("left_at", ends="joined_at", happened=False),
    ),
)
