"""Who may do what: tokens of which only hashes are kept, each with its scopes and its book."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from features.errors import AccessError
from serving.store import tables
from serving.store.database import Store

SCOPES = ("score", "read", "feedback", "predict", "admin")
SECRET_BYTES = 32
ID_BYTES = 6
NAME = re.compile(r"[\w][\w .@-]{0,99}")
TOKEN = re.compile(r"tenure_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
NO_HASH = "0" * 64  # no text that is known hashes to it


@dataclass(frozen=True)
class Principal:
    """Who asks: a live token, or a user who has logged in.

    Attributes
    ----------
    who:
        Id of the token or the user, which names it in logs and in the audit log; no secret.
    scopes:
        Among `SCOPES`; ``admin`` includes the others.
    books:
        The CSMs whose accounts it sees, and no others; None: all accounts.
    name, role:
        Of a user: what the pages call them, and their role; a token has none.
    """

    who: str
    scopes: frozenset[str]
    books: frozenset[str] | None = None
    name: str = ""
    role: str | None = None

    def may(self, scope: str | None) -> bool:
        """Tell whether a scope is granted; None: any live token will do."""
        return scope is None or scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True)
class ListedToken:
    """What is shown of a token; its secret is not known any more."""

    token_id: str
    name: str
    scopes: tuple[str, ...]
    book: str | None
    created_at: datetime
    expires_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """Give ``live``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "live"


@dataclass(frozen=True)
class KeptToken(ListedToken):
    """A token as the store keeps it; after a rotation the secret before may live on for a while."""

    secret_hash: str = field(default=NO_HASH, repr=False)
    previous_hash: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None

    def live_hashes(self, now: datetime) -> tuple[str, str]:
        """Give the hashes of the secrets that open it, always two of them."""
        if self.state(now) != "live":
            return NO_HASH, NO_HASH
        lives_on = self.previous_until is not None and self.previous_until > now
        return self.secret_hash, (lives_on and self.previous_hash) or NO_HASH

    @cached_property
    def principal(self) -> Principal:
        """The token as who asks."""
        books = None if self.book is None else frozenset({self.book})
        return Principal(self.token_id, frozenset(self.scopes), books)


def add_token(
    store: Store,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    book: str | None = None,
) -> str:
    """Make a token and give it, for the only time.

    Parameters
    ----------
    name:
        Whose it is; unique among live tokens.
    now, expires_at:
        Naive UTC; without the latter it lives until it is revoked.
    book:
        The CSM whose accounts it sees, and no others; None: all accounts.

    Raises
    ------
    AccessError
        If a scope is unknown, none is given, the name is taken or is no name, or the book is empty.
    """
    _check(name, scopes, book)
    token_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    row = {
        "token_id": token_id,
        "name": name,
        "secret_hash": _hash(secret),
        "scopes": " ".join(sorted(set(scopes))),
        "book": book,
        "created_at": now,
        "expires_at": expires_at,
    }
    with store.writing() as connection:
        if _live(connection, name, now) is not None:
            raise AccessError(
                f"Expected a new name, got {name!r}, which a live token has. "
                "Revoke that one first, or rotate it."
            )
        connection.execute(sa.insert(tables.tokens).values(**row))
        tables.note(connection, now, "command line", "add token", token_id)
    return f"tenure_{token_id}_{secret}"


def rotate_token(store: Store, name: str, now: datetime, overlap: timedelta) -> str:
    """Give a live token a new secret, for the only time; id, scopes, book and expiry stay.

    Parameters
    ----------
    overlap:
        How long the secret before it lives on; one before that ends.

    Raises
    ------
    AccessError
        If there is no such live token.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with store.writing() as connection:
        kept = _demand_live(connection, name, now)
        lives_on = overlap > timedelta(0)
        values = {
            "secret_hash": _hash(secret),
            "previous_hash": kept.secret_hash if lives_on else None,
            "previous_until": now + overlap if lives_on else None,
            "rotated_at": now,
        }
        _update(connection, kept.token_id, values)
        tables.note(connection, now, "command line", "rotate token", kept.token_id)
    return f"tenure_{kept.token_id}_{secret}"


def revoke_token(store: Store, name: str, now: datetime) -> str:
    """Revoke the live token of that name or id, and give its id.

    Raises
    ------
    AccessError
        If there is no such live token.
    """
    with store.writing() as connection:
        kept = _demand_live(connection, name, now)
        _update(connection, kept.token_id, {"revoked_at": now, "previous_hash": None})
        tables.note(connection, now, "command line", "revoke token", kept.token_id)
    return kept.token_id


def list_tokens(store: Store) -> tuple[ListedToken, ...]:
    """List all tokens, revoked and expired ones too, oldest first."""
    tokens = tables.tokens
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(tokens).order_by(tokens.c.created_at, tokens.c.token_id)
        ).mappings()
        return tuple(ListedToken(**_listed(row)) for row in rows)


def kept_token(store: Store, token_id: str) -> KeptToken | None:
    """Give a token as it is kept, live or not; None when there is none of that id."""
    with store.reading() as connection:
        query = sa.select(tables.tokens).where(tables.tokens.c.token_id == token_id)
        row = connection.execute(query).mappings().first()
    return None if row is None else _kept(row)


def split_token(token: str) -> tuple[str, str] | None:
    """Give the id and the secret of a token; None for what is none."""
    parts = TOKEN.fullmatch(token)
    return None if parts is None else (parts.group(1), parts.group(2))


def principal_by_secret(kept: KeptToken | None, secret: str, now: datetime) -> Principal | None:
    """Give who shows a token's secret; None when it is forged, unknown, revoked or expired."""
    shown = _hash(secret)
    current, previous = kept.live_hashes(now) if kept else (NO_HASH, NO_HASH)
    same = hmac.compare_digest(shown, current) | hmac.compare_digest(shown, previous)
    return kept.principal if kept is not None and same else None


def principal_of(store: Store, token: str, now: datetime) -> Principal | None:
    """Give who presents `token`, as the store says at this moment."""
    parts = split_token(token)
    return parts and principal_by_secret(kept_token(store, parts[0]), parts[1], now)


def _check(name: str, scopes: Sequence[str], book: str | None) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise AccessError(
            f"Expected scopes among {', '.join(SCOPES)}, got {', '.join(unknown) or 'none'}. "
            "Name at least one of them."
        )
    if not NAME.fullmatch(name) or TOKEN.search(name):
        raise AccessError(
            f"Expected a name of letters, digits, spaces and '.@_-', got {_shown(name)}. "
            "Choose a shorter or plainer one."
        )
    if book is not None and not book.strip():
        raise AccessError(
            "Expected the name of a CSM as the book, got nothing. "
            "Name one as the accounts do, or leave it out to show all accounts."
        )


def _demand_live(connection: Connection, name: str, now: datetime) -> KeptToken:
    found = _live(connection, name, now)
    if found is None:
        raise AccessError(
            f"Expected the name or id of a live token, got {_shown(name)}. "
            "`tenure tokens list` shows them."
        )
    return found


def _shown(name: str) -> str:
    """Say a name back, unless somebody has given a token for it: that is a secret."""
    return "something with a token in it" if TOKEN.search(name) else repr(name)


def _live(connection: Connection, name: str, now: datetime) -> KeptToken | None:
    tokens = tables.tokens
    named = sa.or_(tokens.c.name == name, tokens.c.token_id == name)
    rows = connection.execute(sa.select(tokens).where(named)).mappings()
    return next((kept for kept in map(_kept, rows) if kept.state(now) == "live"), None)


def _update(connection: Connection, token_id: str, values: dict[str, Any]) -> None:
    changed = tables.tokens.c.token_id == token_id
    connection.execute(sa.update(tables.tokens).where(changed).values(**values))


def _kept(row: sa.RowMapping) -> KeptToken:
    hashes = ("secret_hash", "previous_hash", "previous_until")
    return KeptToken(**_listed(row), **{name: row[name] for name in hashes})


def _listed(row: sa.RowMapping) -> dict[str, Any]:
    names = (
        "token_id",
        "name",
        "book",
        "created_at",
        "expires_at",
        "rotated_at",
        "revoked_at",
    )
    return {name: row[name] for name in names} | {"scopes": tuple(row["scopes"].split())}


def _hash(secret: str) -> str:
    """Hash a secret of 256 random bits: too many to guess, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
