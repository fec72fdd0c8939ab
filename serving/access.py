"""Who may do what: tokens of which only a hash is kept, each with its scopes."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.errors import AccessError
from serving import tables
from serving.store import Store

SCOPES = ("score", "read", "feedback", "predict", "admin")
SECRET_BYTES = 32
ID_BYTES = 6
NAME = re.compile(r"[\w][\w .@-]{0,99}")
TOKEN = re.compile(r"tenure_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Principal:
    """Who asks: a live token.

    Attributes
    ----------
    token_id:
        Names the token in logs and in the audit trail; no secret.
    scopes:
        Among `SCOPES`; ``admin`` includes the others.
    """

    token_id: str
    scopes: frozenset[str]

    def may(self, scope: str | None) -> bool:
        """Tell whether a scope is granted; None: any live token will do."""
        return scope is None or scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True)
class ListedToken:
    """What is shown of a token; its secret is not known any more."""

    token_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def add_token(
    store: Store,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Make a token and give it, for the only time.

    Parameters
    ----------
    name:
        Whose it is; unique among live tokens.
    now, expires_at:
        Naive UTC; without the latter it lives until it is revoked.

    Raises
    ------
    AccessError
        If a scope is unknown, none is given, or the name is taken or is no name.
    """
    _check(store, name, scopes)
    token_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    row = {
        "token_id": token_id,
        "name": name,
        "secret_hash": _hash(secret),
        "scopes": " ".join(sorted(set(scopes))),
        "created_at": now,
        "expires_at": expires_at,
    }
    with store.writing() as connection:
        connection.execute(sa.insert(tables.tokens).values(**row))
        tables.note(connection, now, "command line", "add token", token_id)
    return f"tenure_{token_id}_{secret}"


def list_tokens(store: Store) -> tuple[ListedToken, ...]:
    """List all tokens, revoked and expired ones too, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(tables.tokens).order_by(tables.tokens.c.created_at, tables.tokens.c.token_id)
        ).mappings()
        return tuple(
            ListedToken(
                token_id=row["token_id"],
                name=row["name"],
                scopes=tuple(row["scopes"].split()),
                created_at=row["created_at"],
                expires_at=row["expires_at"],
                revoked_at=row["revoked_at"],
            )
            for row in rows
        )


def revoke_token(store: Store, name: str, now: datetime) -> str:
    """Revoke the live token of that name or id, from the next request on, and give its id.

    Raises
    ------
    AccessError
        If there is no such live token.
    """
    tokens = tables.tokens
    named = sa.or_(tokens.c.name == name, tokens.c.token_id == name)
    with store.writing() as connection:
        token_id: str | None = connection.execute(
            sa.select(tokens.c.token_id).where(named, tokens.c.revoked_at.is_(None))
        ).scalar()
        if token_id is None:
            raise AccessError(
                f"Expected the name or id of a live token, got {name!r}. "
                "`tenure tokens list` shows them."
            )
        connection.execute(
            sa.update(tokens).where(tokens.c.token_id == token_id).values(revoked_at=now)
        )
        tables.note(connection, now, "command line", "revoke token", token_id)
    return token_id


def principal_of(store: Store, token: str, now: datetime) -> Principal | None:
    """Give who presents `token`; None when it is forged, unknown, revoked or expired."""
    parts = TOKEN.fullmatch(token)
    row = _live(store, parts.group(1), now) if parts else None
    kept = row["secret_hash"] if row else _hash("")
    same = hmac.compare_digest(_hash(parts.group(2) if parts else token), kept)
    return _principal(row) if row is not None and same else None


def principal_by_id(store: Store, token_id: str, now: datetime) -> Principal | None:
    """Give the principal of a session that was opened with a token, while that is live."""
    row = _live(store, token_id, now)
    return None if row is None else _principal(row)


def _check(store: Store, name: str, scopes: Sequence[str]) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise AccessError(
            f"Expected scopes among {', '.join(SCOPES)}, got {', '.join(unknown) or 'none'}. "
            "Name at least one of them."
        )
    if not NAME.fullmatch(name):
        raise AccessError(
            f"Expected a name of letters, digits, spaces and '.@_-', got {name!r}. Shorten it."
        )
    if any(token.name == name and token.revoked_at is None for token in list_tokens(store)):
        raise AccessError(
            f"Expected a new name, got {name!r}, which a live token has. Revoke that one first."
        )


def _hash(secret: str) -> str:
    """Hash a secret of 256 random bits: too many to guess, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _live(store: Store, token_id: str, now: datetime) -> dict[str, Any] | None:
    tokens = tables.tokens
    query = sa.select(tokens).where(
        tokens.c.token_id == token_id,
        tokens.c.revoked_at.is_(None),
        sa.or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
    )
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)


def _principal(row: dict[str, Any]) -> Principal:
    return Principal(row["token_id"], frozenset(row["scopes"].split()))
