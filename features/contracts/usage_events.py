"""Use of the product."""

from features.contracts.table import Table, account, number, person, text, time

LARGEST_QUANTITY = 10**9
"""In ten-thousandths, 64 bits hold an account's sum of nine hundred thousand such rows."""

USAGE_EVENTS = Table(
    "usage_events",
    grain="use of the product, one event or a day's count",
    key=(),
    first_time="occurred_at",
    usually_after="first subscription",
    is_log=True,
    columns=(
        account(),
        person("user_id"),
        time("occurred_at", required=True),
        text("event", required=True),
        text("product"),
        number(
            "quantity",
            "events",
            minimum=-LARGEST_QUANTITY,
            maximum=LARGEST_QUANTITY,
            default=1,
        ),
    ),
)
