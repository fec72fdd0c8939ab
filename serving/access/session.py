"""Sessions of the pages, the mark that their forms carry, and signed cookies for logins."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

KEY_BYTES = 32
ID_BYTES = 16
PARTS = 5


@dataclass(frozen=True)
class Session:
    """An open session: of who has logged in, or is about to.

    Attributes
    ----------
    subject:
        The id of who logged in; empty on the login form.
    session_id:
        Another one at each login.
    ends_at, seen_at:
        When it ends however busy it is, and when it was used last; naive UTC.
    mark:
        What each form of this session carries, so that no other site can send it.
    """

    subject: str
    session_id: str
    ends_at: datetime
    seen_at: datetime
    mark: str


@dataclass(frozen=True)
class Signer:
    """Signs and reads cookies of those about to log in; each kind is good for nothing else.

    Attributes
    ----------
    key:
        Random at each start: no file holds a key to steal. Workers have it from their parent by
        birth. Who was just logging in when the service was started anew begins again.
    lifetime:
        How long a cookie is good for.
    idle:
        How long it is good for without being used.
    """

    key: bytes = field(repr=False)
    lifetime: timedelta
    idle: timedelta

    def open(self, kind: str, subject: str, now: datetime) -> str:
        """Give a new cookie of a kind; the subject has no full stop in it."""
        return self._cookie(kind, subject, secrets.token_hex(ID_BYTES), now + self.lifetime, now)

    def read(self, kind: str, cookie: str, now: datetime) -> Session | None:
        """Give the session of a cookie; None when it is forged, of another kind, or has ended."""
        parts = cookie.split(".")
        if len(parts) != PARTS or not cookie.isascii():
            return None
        body = ".".join(parts[:-1])
        if not hmac.compare_digest(parts[-1], self._sign(f"cookie {kind}", body)):
            return None
        subject, session_id, ends, seen, _ = parts
        ends_at, seen_at = _time(ends), _time(seen)
        if ends_at <= now or seen_at + self.idle <= now:
            return None
        return Session(subject, session_id, ends_at, seen_at, self.secret("form", session_id))

    def secret(self, purpose: str, session_id: str) -> str:
        """Give what only this service can know of a session, another one for each purpose."""
        return self._sign(f"secret {purpose}", session_id)

    def _cookie(
        self, kind: str, subject: str, session_id: str, ends_at: datetime, seen_at: datetime
    ) -> str:
        body = f"{subject}.{session_id}.{_seconds(ends_at)}.{_seconds(seen_at)}"
        return f"{body}.{self._sign(f'cookie {kind}', body)}"

    def _sign(self, purpose: str, body: str) -> str:
        return hmac.new(self.key, f"{purpose}:{body}".encode(), hashlib.sha256).hexdigest()


def new_signer(hours: float, idle_minutes: float) -> Signer:
    """Make a signer with a key of its own."""
    lifetime, idle = timedelta(hours=hours), timedelta(minutes=idle_minutes)
    return Signer(secrets.token_bytes(KEY_BYTES), lifetime, idle)


def is_marked(session: Session, mark: str) -> bool:
    """Tell whether a form carries its session's mark."""
    return mark.isascii() and hmac.compare_digest(mark, session.mark)


def _seconds(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None)
