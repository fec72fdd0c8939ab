"""What customers answered when asked."""

from features.contracts.table import Table, account, number, text, time

SURVEYS = Table(
    "surveys",
    grain="an answer",
    key=(),
    first_time="responded_at",
    columns=(
        account(),
        time("responded_at", required=True),
        text("kind", required=True, allowed=("nps", "csat", "ces")),
        number("score", "points", required=True),
        text("respondent_role"),
    ),
    ranges_by=("kind", "score", (("nps", (0, 10)), ("csat", (1, 5)), ("ces", (1, 7)))),
)
