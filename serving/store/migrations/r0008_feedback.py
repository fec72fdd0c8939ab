"""Let feedback be put off until a day and be withdrawn, and keep how a lead decided on it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("feedback", sa.Column("until", sa.DateTime))
    op.add_column("feedback", sa.Column("withdrawn_at", sa.DateTime))
    op.add_column("feedback", sa.Column("withdrawn_by", sa.String(40)))
    op.create_index("feedback_until", "feedback", ["until"])
    op.create_table(
        "decisions",
        sa.Column("feedback_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.String(400), nullable=False),
        sa.Column("sides_with", sa.String(20), nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("band", sa.String(20), nullable=False),
        sa.Column("probability", sa.Float(53), nullable=False),
        sa.Column("decided_by", sa.String(40), nullable=False),
        sa.Column("decided_at", sa.DateTime, nullable=False),
    )
    op.create_index("decisions_of_account", "decisions", ["account_id"])
