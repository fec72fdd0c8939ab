"""Courses that people at the customer completed."""

from features.contracts.table import Table, account, person, text, time

TRAININGS = Table(
    "trainings",
    grain="a course completed",
    key=(),
    first_time="completed_at",
    columns=(
        account(),
        person("user_id"),
        text("course"),
        time("completed_at", required=True),
    ),
)
