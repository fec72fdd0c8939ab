"""Customer companies."""

from features.contracts.table import Table, integer, text, time

ACCOUNTS = Table(
    "accounts",
    grain="a customer company, from the CRM",
    key=("account_id",),
    first_time="created_at",
    required=True,
    columns=(
        text("account_id", required=True),
        text("name"),
        text("parent_account_id", overwritten=True),
        text("tier", allowed=("high", "mid", "tech"), overwritten=True),
        text("segment", overwritten=True),
        text("industry"),
        text("region"),
        text("country"),
        text("time_zone"),
        integer("employees", "people", overwritten=True),
        text("csm", overwritten=True),
        time("created_at", required=True),
    ),
)
