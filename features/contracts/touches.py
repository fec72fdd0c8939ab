"""What customer success did."""

from features.contracts.table import Table, account, text, time

TOUCHES = Table(
    "touches",
    grain="what a CSM did",
    key=("touch_id",),
    first_time="occurred_at",
    columns=(
        text("touch_id", required=True),
        account(),
        time("occurred_at", required=True),
        text("csm"),
        text("kind"),
        text("play"),
        text("experiment"),
        text("arm", allowed=("treatment", "control")),
    ),
)
