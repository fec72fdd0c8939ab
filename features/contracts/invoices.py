"""What was billed."""

from features.contracts.table import Table, account, money, text, time

INVOICES = Table(
    "invoices",
    grain="an invoice or credit note",
    key=("invoice_id",),
    first_time="issued_at",
    columns=(
        text("invoice_id", required=True),
        account(),
        time("issued_at", required=True),
        time("due_at", required=True, follows="issued_at", happened=False),
        money("amount", "currency"),
        time("paid_at", follows="issued_at"),
    ),
)
