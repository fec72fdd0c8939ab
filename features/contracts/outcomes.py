"""Results that customer and vendor agreed on."""

from features.contracts.table import Table, account, text, time

OUTCOMES = Table(
    "outcomes",
    grain="a result that customer and vendor agreed on",
    key=("outcome_id",),
    first_time="agreed_at",
    columns=(
        text("outcome_id", required=True),
        account(),
        time("agreed_at", required=True),
        time("due_at", follows="agreed_at", happened=False),
        time("achieved_at", ends="agreed_at"),
        text("description"),
    ),
)
