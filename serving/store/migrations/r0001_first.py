"""Make the tables; a store from before there were versions has all or some of them already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make each table that is not there yet."""
    _make_publications()
    _make_rows_of_publications()
    _make_rows_of_renewals_and_products()
    _make_what_people_did()


def _make(name: str, *columns: sa.Column[object], **options: bool) -> None:
    op.create_table(name, *columns, if_not_exists=True, **options)


def _publication() -> "sa.Column[object]":
    number = sa.ForeignKey("publications.number")
    return sa.Column("publication", sa.Integer, number, primary_key=True)


def _make_publications() -> None:
    _make(
        "publications",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("as_of", sa.DateTime, nullable=False),
        sa.Column("scored_at", sa.DateTime, nullable=False),
        sa.Column("published_at", sa.DateTime, nullable=False),
        sa.Column("list_horizon_days", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(8), nullable=False),
        sa.Column("accounts", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    _make(
        "published_models",
        _publication(),
        sa.Column("model", sa.String(40), primary_key=True),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("features_version", sa.String(200), nullable=False),
        sa.Column("horizons_days", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
    )
    _make(
        "published_origins",
        _publication(),
        sa.Column("source_fingerprint", sa.String(64), nullable=False),
        sa.Column("extracted_at", sa.DateTime, nullable=False),
        sa.Column("code", sa.String(80), nullable=False),
        sa.Column("scores_digest", sa.String(64), nullable=False),
        sa.Column("line_digest", sa.String(64), nullable=False),
    )


def _make_rows_of_publications() -> None:
    _make(
        "scores",
        _publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("model", sa.String(40), primary_key=True),
        sa.Column("horizon_days", sa.Integer, primary_key=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("features_version", sa.String(200), nullable=False),
        sa.Column("probability", sa.Float(53)),
        sa.Column("band", sa.String(20)),
        sa.Column("rank", sa.Integer),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("expected_added_mrr", sa.Float(53)),
    )
    _index("scores_of_account", "scores", "account_id", "publication")
    _make(
        "published_accounts",
        _publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("tier", sa.Text),
        sa.Column("csm", sa.Text),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("customer_group", sa.String(400)),
        sa.Column("arr", sa.Float(53)),
        sa.Column("renews_at", sa.DateTime),
        sa.Column("probability", sa.Float(53)),
        sa.Column("band", sa.String(20)),
        sa.Column("expected_loss", sa.Float(53)),
        sa.Column("position", sa.Integer),
        sa.Column("signals", sa.Text, nullable=False),
    )
    _index("work_list", "published_accounts", "publication", "position")


def _make_rows_of_renewals_and_products() -> None:
    _make(
        "published_renewals",
        _publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("renewal_date", sa.DateTime, nullable=False),
        sa.Column("notice_deadline", sa.DateTime),
        sa.Column("renewal_probability", sa.Float(53)),
    )
    _make(
        "published_next_products",
        _publication(),
        sa.Column("account_id", sa.String(400), primary_key=True),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("share", sa.Float(53), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )


def _make_what_people_did() -> None:
    _make(
        "feedback",
        sa.Column("feedback_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("idempotency_key", sa.String(200), nullable=False, unique=True),
        sa.Column("account_id", sa.String(400), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("token_id", sa.String(40), nullable=False),
        sa.Column("recorded_at", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    _index("ix_feedback_account_id", "feedback", "account_id")
    _make(
        "tokens",
        sa.Column("token_id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
    )
    _make(
        "audit",
        sa.Column("entry", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("happened_at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("object", sa.String(400), nullable=False),
        sqlite_autoincrement=True,
    )


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, columns, if_not_exists=True)
