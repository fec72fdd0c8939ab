"""Reviews of agreed outcomes with the customer."""

from features.contracts.table import Table, account, text, time

REVIEWS = Table(
    "reviews",
    grain="a review of the agreed outcomes with the customer",
    key=("review_id",),
    first_time="held_at",
    columns=(
        text("review_id", required=True),
        account(),
        time("held_at", required=True),
        text("verdict", allowed=("met", "partly", "missed")),
    ),
)
