"""Keep which triggers held of which accounts, since when, and when people were told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "published_triggers",
        sa.Column(
            "publication", sa.Integer, sa.ForeignKey("publications.number"), primary_key=True
        ),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("trigger_id", sa.String(60), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tell", sa.String(40), nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("told_at", sa.DateTime, nullable=False),
    )
