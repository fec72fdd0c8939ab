"""Outages and defects as customers met them."""

from features.contracts.table import Table, account, text, time

INCIDENTS = Table(
    "incidents",
    grain="an outage or defect as one account met it",
    key=("incident_id", "account_id"),
    first_time="started_at",
    columns=(
        text("incident_id", required=True),
        account(),
        text("product"),
        text("severity", allowed=("minor", "major", "critical")),
        time("started_at", required=True),
        time("resolved_at", ends="started_at"),
    ),
)
