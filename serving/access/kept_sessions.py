"""Who is logged in, as the store keeps it: under a hash, so that nobody who reads it can be them.

A login gives its browser a random secret, and the store the hash of that. A service that starts
anew knows its sessions still, and holds no key by which one could be made.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from features.errors import StoreError
from serving.access.session import Session
from serving.access.tokens import Principal
from serving.access.users import KeptUser, user_in
from serving.store import tables
from serving.store.database import Store

SECRET_BYTES = 32
SECRET = re.compile(r"[\w-]{43}", re.ASCII)
WORN_AFTER = timedelta(minutes=1)  # how exactly the store knows when a session was used last
MOST_USES = 10_000


@dataclass(frozen=True)
class KeptSession:
    """A session as the store keeps it.

    Attributes
    ----------
    session_id:
        The SHA-256 of its secret.
    user:
        Who logged in, as they are now.
    mark:
        The user's mark when they logged in: after a change of the user it is another one.
    ends_at, seen_at:
        When it ends however busy it is, and when it was used last; naive UTC.
    """

    session_id: str
    user: KeptUser
    mark: str = field(repr=False)
    ends_at: datetime
    seen_at: datetime

    def principal(self, now: datetime, idle_until: datetime) -> Principal | None:
        """Give whose session it is; None once it ended, or the user was changed or disabled."""
        if min(self.ends_at, idle_until) <= now or self.user.disabled_at is not None:
            return None
        is_same = hmac.compare_digest(self.user.mark, self.mark)
        return self.user.principal() if is_same else None


def open_session(store: Store, user: KeptUser, now: datetime, lifetime: timedelta) -> str:
    """Log a user in, and give the secret that their browser keeps."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    sessions = tables.sessions
    row = {
        "session": session_id(secret),
        "user_id": user.user_id,
        "mark": user.mark,
        "ends_at": now + lifetime,
        "seen_at": now,
    }
    with store.writing() as connection:
        connection.execute(sa.delete(sessions).where(sessions.c.ends_at <= now))
        connection.execute(sa.insert(sessions).values(**row))
    return secret


def session_id(secret: str) -> str:
    """Give what a session is kept under."""
    return hashlib.sha256(secret.encode()).hexdigest()


def session_of_secret(secret: str, kept: KeptSession) -> Session:
    """Give an open session; the mark of its forms tells nobody who reads a page its secret."""
    mark = hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()
    user = kept.user
    return Session(user.user_id, kept.session_id, kept.ends_at, kept.seen_at, mark)


def kept_session(store: Store, wanted: str) -> KeptSession | None:
    """Give a session with its user, by the hash of its secret; None when there is none."""
    sessions = tables.sessions
    with store.reading() as connection:
        found = connection.execute(sa.select(sessions).where(sessions.c.session == wanted)).first()
        user = user_in(connection, found.user_id) if found else None
    if found is None or user is None:
        return None
    return KeptSession(wanted, user, found.mark, found.ends_at, found.seen_at)


def close_session(store: Store, closed: str) -> None:
    """Log a session out, for good."""
    with store.writing() as connection:
        connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.session == closed))


def use_once(store: Store, once: str, ends_at: datetime, now: datetime) -> bool:
    """Remember that something good once was used; False when it had been used before.

    Parameters
    ----------
    ends_at:
        When it would have ended by itself, and may be forgotten.
    """
    used = tables.ended_sessions
    try:
        with store.writing() as connection:
            connection.execute(sa.delete(used).where(used.c.ends_at <= now))
            connection.execute(sa.insert(used).values(session=once, user_id="", ends_at=ends_at))
    except sa.exc.IntegrityError:
        return False
    return True


@dataclass
class LastUses:
    """When sessions were used last, written beside the answers: no page waits for a writer.

    On the thread of the event loop, but for the writing itself, of which one goes on at a time.
    """

    store: Store
    _seen: dict[str, datetime] = field(default_factory=dict, repr=False)
    _unwritten: set[str] = field(default_factory=set, repr=False)
    _writing: asyncio.Future[None] | None = field(default=None, repr=False)

    def last(self, kept: KeptSession) -> datetime:
        """Give when a session was used last, as far as this worker knows."""
        return max(kept.seen_at, self._seen.get(kept.session_id, kept.seen_at))

    def note(self, used: str, now: datetime) -> None:
        """Have it written that a session is in use."""
        if len(self._seen) >= MOST_USES:
            self._seen = {one: at for one, at in self._seen.items() if one in self._unwritten}
        self._seen[used] = now
        self._unwritten.add(used)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        """Write what is new; what the store did not take is written with what comes next."""
        while taken := {used: self._seen[used] for used in self._unwritten}:
            self._unwritten.clear()
            try:
                await run_in_threadpool(_put, self.store, taken)
            except StoreError:
                self._unwritten.update(taken)
                return


def _put(store: Store, seen: dict[str, datetime]) -> None:
    sessions = tables.sessions
    with store.writing() as connection:
        for used, at in sorted(seen.items()):
            is_older = (sessions.c.session == used) & (sessions.c.seen_at < at)
            connection.execute(sa.update(sessions).where(is_older).values(seen_at=at))
