"""Keep what an account's page tells of its past, and find the accounts of a group."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table, and an index."""
    op.create_table(
        "account_pages",
        sa.Column(
            "publication", sa.Integer, sa.ForeignKey("publications.number"), primary_key=True
        ),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("parent_account_id", sa.String(400)),
        sa.Column("told", sa.Text, nullable=False),
    )
    op.create_index("accounts_of_group", "published_accounts", ["publication", "customer_group"])
