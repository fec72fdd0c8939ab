"""The store's tables: publications of scores, feedback, tokens, users and the audit trail."""

from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
)

METADATA = MetaData()

publications = Table(
    "publications",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("as_of", DateTime, nullable=False),
    Column("scored_at", DateTime, nullable=False),
    Column("published_at", DateTime, nullable=False),
    Column("list_horizon_days", Integer, nullable=False),
    Column("currency", String(8), nullable=False),
    Column("accounts", Integer, nullable=False),
    sqlite_autoincrement=True,
)

published_models = Table(
    "published_models",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("model", String(40), primary_key=True),
    Column("model_version", String(200), nullable=False),
    Column("features_version", String(200), nullable=False),
    Column("horizons_days", Text, nullable=False),
    Column("about", Text, nullable=False),
)

published_origins = Table(
    "published_origins",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("source_fingerprint", String(64), nullable=False),
    Column("extracted_at", DateTime, nullable=False),
    Column("code", String(80), nullable=False),
    Column("scores_digest", String(64), nullable=False),
    Column("line_digest", String(64), nullable=False),
)

published_erasures = Table(
    "published_erasures",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("accounts", Integer, nullable=False),
)

scores = Table(
    "scores",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("model", String(40), primary_key=True),
    Column("horizon_days", Integer, primary_key=True),
    Column("status", String(20), nullable=False),
    Column("model_version", String(200), nullable=False),
    Column("features_version", String(200), nullable=False),
    Column("probability", Float(53)),
    Column("band", String(20)),
    Column("rank", Integer),
    Column("reasons", Text, nullable=False),
    Column("expected_added_mrr", Float(53)),
    Index("scores_of_account", "account_id", "publication"),
)

published_accounts = Table(
    "published_accounts",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("name", Text),
    Column("tier", Text),
    Column("csm", Text),
    Column("status", String(20), nullable=False),
    Column("customer_group", String(400)),
    Column("arr", Float(53)),
    Column("renews_at", DateTime),
    Column("probability", Float(53)),
    Column("band", String(20)),
    Column("expected_loss", Float(53)),
    Column("position", Integer),
    Column("signals", Text, nullable=False),
    Index("work_list", "publication", "position"),
    Index("accounts_of_group", "publication", "customer_group"),
)

published_renewals = Table(
    "published_renewals",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("renewal_date", DateTime, nullable=False),
    Column("notice_deadline", DateTime),
    Column("renewal_probability", Float(53)),
)

published_next_products = Table(
    "published_next_products",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("product", Text, nullable=False),
    Column("share", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)

listed_accounts = Table(
    "listed_accounts",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("searched", Text, nullable=False),
    Column("name", Text),
    Column("csm", Text),
    Column("tier", Text),
    Column("segment", Text),
    Column("region", Text),
    Column("status", String(20), nullable=False),
    Column("arr", Float(53)),
    Column("probability", Float(53)),
    Column("band", String(20)),
    Column("expected_loss", Float(53)),
    Column("change", Float(53)),
    Column("family", String(200)),
    Column("renewal_date", DateTime),
    Column("notice_deadline", DateTime),
    Column("renewal_probability", Float(53)),
    Column("expansion_probability", Float(53)),
    Column("expansion_band", String(20)),
    Column("expected_added_mrr", Float(53)),
    Column("signal", String(40)),
    Column("why_not", String(20)),
    Column("touched_at", DateTime),
    Index("listed_of_csm", "publication", "csm"),
    sqlite_with_rowid=False,  # the rows of a publication lie together: most are read at once
)

listed_details = Table(
    "listed_details",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("reason", Text),
    Column("play", Text),
    Column("change_text", Text),
    Column("signal_text", Text),
    Column("weekly_use", Text),
    Column("effects", Text),
)

listed_products = Table(
    "listed_products",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("product", String(400), primary_key=True),
    sqlite_with_rowid=False,
)

account_pages = Table(
    "account_pages",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("parent_account_id", String(400)),
    Column("told", Text, nullable=False),  # `serving.store.account_page.Told`
)

published_triggers = Table(
    "published_triggers",
    METADATA,
    Column("publication", ForeignKey("publications.number"), primary_key=True),
    Column("account_id", String(400), primary_key=True),
    Column("trigger_id", String(60), primary_key=True),
    Column("name", Text, nullable=False),
    Column("tell", String(40), nullable=False),
    Column("since", DateTime, nullable=False),
    Column("told_at", DateTime, nullable=False),
)

feedback = Table(
    "feedback",
    METADATA,
    Column("feedback_id", Integer, primary_key=True, autoincrement=True),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Column("account_id", String(400), nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("note", Text),
    Column("token_id", String(40), nullable=False),  # or a user's id
    Column("recorded_at", DateTime, nullable=False),
    Column("until", DateTime),
    Column("withdrawn_at", DateTime),
    Column("withdrawn_by", String(40)),
    Index("feedback_until", "until"),
    sqlite_autoincrement=True,
)

decisions = Table(
    "decisions",
    METADATA,
    Column("feedback_id", Integer, primary_key=True, autoincrement=False),
    Column("account_id", String(400), nullable=False),
    Column("sides_with", String(20), nullable=False),
    Column("note", Text),
    Column("band", String(20), nullable=False),
    Column("probability", Float(53), nullable=False),
    Column("decided_by", String(40), nullable=False),
    Column("decided_at", DateTime, nullable=False),
    Index("decisions_of_account", "account_id"),
)

tokens = Table(
    "tokens",
    METADATA,
    Column("token_id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime),
    Column("revoked_at", DateTime),
    Column("book", Text),
    Column("rotated_at", DateTime),
    Column("previous_hash", String(64)),
    Column("previous_until", DateTime),
)

users = Table(
    "users",
    METADATA,
    Column("user_id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("login", String(320), nullable=False, unique=True),  # in lower case
    Column("password_hash", Text),
    Column("role", String(20), nullable=False),
    Column("book", Text),
    Column("team", Text),
    Column("mark", String(40), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("password_changed_at", DateTime),
    Column("disabled_at", DateTime),
)

sessions = Table(
    "sessions",
    METADATA,
    Column("session", String(64), primary_key=True),
    Column("user_id", String(40), nullable=False, index=True),
    Column("mark", String(40), nullable=False),
    Column("ends_at", DateTime, nullable=False),
    Column("seen_at", DateTime, nullable=False),
)

# What is good once and was used: logins by a provider, which came back.
ended_sessions = Table(
    "ended_sessions",
    METADATA,
    Column("session", String(64), primary_key=True),
    Column("user_id", String(40), nullable=False, index=True),
    Column("ends_at", DateTime, nullable=False),
)

failed_logins = Table(
    "failed_logins",
    METADATA,
    Column("tried", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime, nullable=False),
)

account_keys = Table(
    "account_keys",
    METADATA,
    Column("account_id", String(400), primary_key=True),
    Column("key", String(64), nullable=False),
)

audit_heads = Table(
    "audit_heads",
    METADATA,
    Column("chain", String(40), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", DateTime, nullable=False),
)

audit = Table(
    "audit",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("happened_at", DateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("object", String(400), nullable=False),
    sqlite_autoincrement=True,
)


def note(connection: Connection, happened_at: datetime, actor: str, action: str, of: str) -> None:
    """Add an entry to the audit trail, in the transaction of what it tells of."""
    connection.execute(
        insert(audit).values(happened_at=happened_at, actor=actor, action=action, object=of)
    )
