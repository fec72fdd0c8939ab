"""Professional services."""

from features.contracts.table import Table, account, text, time

PROJECTS = Table(
    "projects",
    grain="a piece of professional services (onboarding, migration, …)",
    key=("project_id",),
    first_time="started_at",
    columns=(
        text("project_id", required=True),
        account(),
        text("kind"),
        time("started_at", required=True, happened=False),
        time("due_at", follows="started_at", happened=False),
        time("completed_at", ends="started_at"),
    ),
)
