"""Records that turned out to be one customer."""

from features.contracts.table import Table, account, text, time

ACCOUNT_MERGES = Table(
    "account_merges",
    grain="two records that turned out to be one customer",
    key=("from_account_id",),
    first_time="merged_at",
    columns=(
        text("from_account_id", required=True),
        account("into_account_id"),
        time("merged_at", required=True),
    ),
)
