"""Keep what the work list filters, orders and shows of each account of a publication."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables."""
    _add_accounts()
    _add_details()
    _add_products()


def _of_publication() -> sa.Column[int]:
    return sa.Column(
        "publication", sa.Integer, sa.ForeignKey("publications.number"), primary_key=True
    )


def _add_accounts() -> None:
    op.create_table(
        "listed_accounts",
        _of_publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("csm", sa.Text),
        sa.Column("tier", sa.Text),
        sa.Column("segment", sa.Text),
        sa.Column("region", sa.Text),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("arr", sa.Float(53)),
        sa.Column("probability", sa.Float(53)),
        sa.Column("band", sa.String(20)),
        sa.Column("expected_loss", sa.Float(53)),
        sa.Column("change", sa.Float(53)),
        sa.Column("family", sa.String(200)),
        sa.Column("renewal_date", sa.DateTime),
        sa.Column("notice_deadline", sa.DateTime),
        sa.Column("renewal_probability", sa.Float(53)),
        sa.Column("expansion_probability", sa.Float(53)),
        sa.Column("expansion_band", sa.String(20)),
        sa.Column("expected_added_mrr", sa.Float(53)),
        sa.Column("signal", sa.String(40)),
        sa.Column("why_not", sa.String(20)),
        sa.Column("touched_at", sa.DateTime),
        sqlite_with_rowid=False,
    )
    op.create_index("listed_of_csm", "listed_accounts", ["publication", "csm"])


def _add_details() -> None:
    op.create_table(
        "listed_details",
        _of_publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("reason", sa.Text),
        sa.Column("play", sa.Text),
        sa.Column("change_text", sa.Text),
        sa.Column("signal_text", sa.Text),
        sa.Column("weekly_use", sa.Text),
        sa.Column("effects", sa.Text),
    )


def _add_products() -> None:
    op.create_table(
        "listed_products",
        _of_publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("product", sa.String(400), primary_key=True),
        sqlite_with_rowid=False,
    )
