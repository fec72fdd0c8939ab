"""Let tokens have a book and be rotated; keep keys of accounts and heads of audit chains."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the tables."""
    op.add_column("tokens", sa.Column("book", sa.Text))
    op.add_column("tokens", sa.Column("rotated_at", sa.DateTime))
    op.add_column("tokens", sa.Column("previous_hash", sa.String(64)))
    op.add_column("tokens", sa.Column("previous_until", sa.DateTime))
    op.create_table(
        "account_keys",
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.String(40), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
    )
