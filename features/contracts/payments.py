"""Attempts to pay."""

from features.contracts.table import Table, account, boolean, money, text, time

PAYMENTS = Table(
    "payments",
    grain="an attempt to pay",
    key=("payment_id",),
    first_time="attempted_at",
    columns=(
        text("payment_id", required=True),
        account(),
        text("invoice_id"),
        time("attempted_at", required=True),
        money("amount", "currency"),
        boolean("succeeded", required=True),
    ),
)
