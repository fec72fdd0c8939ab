"""Say of a publication how many of its accounts were erased since."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table."""
    number = sa.ForeignKey("publications.number")
    op.create_table(
        "published_erasures",
        sa.Column("publication", sa.Integer, number, primary_key=True),
        sa.Column("accounts", sa.Integer, nullable=False),
    )
