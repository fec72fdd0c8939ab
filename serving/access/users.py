"""People who log in: each with a role, and the books of accounts that it shows them."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from features.errors import AccessError
from serving.access.passwords import hashed
from serving.access.tokens import NAME, TOKEN, Principal
from serving.store import tables
from serving.store.database import Store

SCOPES_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "csm": frozenset({"read", "feedback"}),
        "lead": frozenset({"read", "feedback"}),
        "admin": frozenset({"admin"}),
    }
)
ROLES = tuple(SCOPES_OF)
NEEDS: Mapping[str, str] = MappingProxyType({"csm": "book", "lead": "team"})
LOGIN = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
ID_BYTES = 6
MARK_BYTES = 8
BY = "command line"


@dataclass(frozen=True)
class User:
    """What is shown of a user.

    Attributes
    ----------
    user_id:
        Names the user in logs and in the audit log.
    login:
        An e-mail address in lower case.
    role:
        Among `ROLES`.
    book:
        The CSM, as the accounts name them, whose accounts are the user's own.
    team:
        Whose books a lead sees; whom a CSM belongs to.
    has_password:
        False for who comes by OpenID Connect only.
    """

    user_id: str
    name: str
    login: str
    role: str
    book: str | None
    team: str | None
    has_password: bool
    created_at: datetime
    password_changed_at: datetime | None
    disabled_at: datetime | None

    @property
    def state(self) -> str:
        """Give ``enabled`` or ``disabled``."""
        return "enabled" if self.disabled_at is None else "disabled"


@dataclass(frozen=True)
class KeptUser(User):
    """A user as the store keeps them.

    Attributes
    ----------
    mark:
        Another one after each change of password, role, book, team or state: a session knows the
        one that it was opened with, and ends with it.
    books:
        Whose accounts the user sees, a lead's team taken together; None: all accounts.
    """

    password_hash: str | None = field(repr=False)
    mark: str = field(repr=False)
    books: frozenset[str] | None

    def principal(self) -> Principal:
        """Give the user as who asks."""
        return Principal(self.user_id, SCOPES_OF[self.role], self.books, self.name, self.role)


@dataclass(frozen=True)
class Place:
    """Which accounts a user shall see: by a role, and the book or team that it needs."""

    role: str
    book: str | None = None
    team: str | None = None


def add_user(
    store: Store, login: str, name: str, place: Place, now: datetime, password: str | None = None
) -> str:
    """Make a user and give its id; without a password it comes by OpenID Connect only.

    Raises
    ------
    AccessError
        If the login is taken or none, or name, role, book, team or password do not fit.
    """
    login = plain_login(login)
    _check(login, name, place)
    user_id = f"user_{secrets.token_hex(ID_BYTES)}"
    row = {
        "user_id": user_id,
        "name": name,
        "login": login,
        "password_hash": None if password is None else hashed(password),
        "role": place.role,
        "book": place.book,
        "team": place.team,
        "mark": _new_mark(),
        "created_at": now,
        "password_changed_at": None if password is None else now,
    }
    try:
        with store.writing() as connection:
            connection.execute(sa.insert(tables.users).values(**row))
            tables.note(connection, now, BY, "add user", user_id)
    except sa.exc.IntegrityError as error:
        raise AccessError(
            f"Expected a new login, got {login!r}, which a user has. "
            "`tenure users list` shows them; `enable`, `role` and `password` change one."
        ) from error
    return user_id


def disable_user(store: Store, login: str, now: datetime) -> str:
    """Let a user in no more, and end its sessions; raises AccessError if there is none."""
    return _change(store, login, now, "disable user", disabled_at=now)


def enable_user(store: Store, login: str, now: datetime) -> str:
    """Let a user in again; raises AccessError if there is none."""
    return _change(store, login, now, "enable user", disabled_at=None)


def set_password(store: Store, login: str, password: str, now: datetime) -> str:
    """Give a user another password, and end its sessions.

    Raises
    ------
    AccessError
        If there is no such user, or the password does not fit.
    """
    values = {"password_hash": hashed(password), "password_changed_at": now}
    return _change(store, login, now, "change password", **values)


def set_role(store: Store, login: str, place: Place, now: datetime) -> str:
    """Give a user another role, book or team, and end its sessions.

    Raises
    ------
    AccessError
        If there is no such user, or role, book and team do not fit.
    """
    _check_place(place)
    values = {"role": place.role, "book": place.book, "team": place.team}
    return _change(store, login, now, "change role", **values)


def list_users(store: Store) -> tuple[User, ...]:
    """List all users, disabled ones too, by login."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(tables.users).order_by(tables.users.c.login))
        return tuple(User(**_shown(row)) for row in rows.mappings())


def user_of(store: Store, login: str) -> KeptUser | None:
    """Give a user by login, disabled or not; None when there is none."""
    if "\0" in login:  # PostgreSQL fails on a zero character instead of finding nothing
        return None
    with store.reading() as connection:
        return _kept(connection, tables.users.c.login == plain_login(login))


def plain_login(login: str) -> str:
    """Give a login as it is kept: in lower case."""
    return login.strip().lower()


def _new_mark() -> str:
    return secrets.token_hex(MARK_BYTES)


def _check(login: str, name: str, place: Place) -> None:
    if not LOGIN.fullmatch(login) or not login.isprintable():
        raise AccessError(
            "Expected an e-mail address as the login, got something else. "
            "Give it as ann@example.com."
        )
    if not NAME.fullmatch(name) or TOKEN.search(name):
        raise AccessError(
            "Expected a name of letters, digits, spaces and '.@_-', got another one. "
            "Choose a shorter or plainer one."
        )
    _check_place(place)


def _check_place(place: Place) -> None:
    if place.role not in ROLES:
        raise AccessError(
            f"Expected a role among {', '.join(ROLES)}, got {place.role!r}. Name one of them."
        )
    given = {"book": place.book, "team": place.team}
    needed = NEEDS.get(place.role)
    lacking = [
        name
        for name, value in given.items()
        if (value is None and name == needed) or (value is not None and not value.strip())
    ]
    if lacking:
        raise AccessError(
            f"Expected a {lacking[0]} for the role {place.role}, got none. "
            "A csm needs a book, the name of a CSM as the accounts have it; a lead needs a team."
        )


def _change(store: Store, login: str, now: datetime, action: str, **values: object) -> str:
    users = tables.users
    with store.writing() as connection:
        found = users.c.login == plain_login(login)
        user_id: str | None = connection.execute(sa.select(users.c.user_id).where(found)).scalar()
        if user_id is None:
            raise AccessError(
                "Expected the login of a user, got another one. `tenure users list` shows them."
            )
        changed = sa.update(users).where(found).values(**values, mark=_new_mark())
        connection.execute(changed)
        opened = tables.sessions.c.user_id == user_id
        connection.execute(sa.delete(tables.sessions).where(opened))
        tables.note(connection, now, BY, action, user_id)
    return user_id


def user_in(connection: Connection, user_id: str) -> KeptUser | None:
    """Give a user by id, within what is being read; None when there is none."""
    return _kept(connection, tables.users.c.user_id == user_id)


def _kept(connection: Connection, which: sa.ColumnElement[bool]) -> KeptUser | None:
    row = connection.execute(sa.select(tables.users).where(which)).mappings().first()
    if row is None:
        return None
    return KeptUser(
        **_shown(row),
        password_hash=row["password_hash"],
        mark=row["mark"],
        books=_books(connection, row),
    )


def _books(connection: Connection, row: sa.RowMapping) -> frozenset[str] | None:
    """Give whose accounts a user sees; a role that is not known sees none."""
    if row["role"] == "admin":
        return None
    users, own = tables.users, {row["book"]} - {None}
    if row["role"] == "lead" and row["team"] is not None:
        # Those of the disabled too: the accounts of who has left are still the team's.
        of_team = sa.select(users.c.book).where(users.c.team == row["team"])
        own |= set(connection.execute(of_team).scalars()) - {None}
    return frozenset(own)


def _shown(row: sa.RowMapping) -> dict[str, Any]:
    names = ("user_id", "name", "login", "role", "book", "team")
    times = ("created_at", "password_changed_at", "disabled_at")
    has_password = row["password_hash"] is not None
    return {name: row[name] for name in (*names, *times)} | {"has_password": has_password}
