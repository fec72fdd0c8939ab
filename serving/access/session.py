"""Logins to the page: a signed cookie that names a token, and the mark that forms carry."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

KEY_BYTES = 32
NONCE_BYTES = 16
PARTS = 4


@dataclass(frozen=True)
class Session:
    """An open login.

    Attributes
    ----------
    subject:
        Id of the token and mark of the secret that it was opened with; empty on the login form.
    mark:
        What each form of this session carries, so that no other site can send it.
    """

    subject: str
    mark: str


@dataclass(frozen=True)
class Signer:
    """Signs and reads session cookies.

    Attributes
    ----------
    key:
        Random at each start: a restart closes all sessions, and no file holds a key to steal.
        Workers have it from their parent by birth.
    lifetime:
        How long a cookie is good for.
    """

    key: bytes = field(repr=False)
    lifetime: timedelta

    def open(self, subject: str, now: datetime) -> str:
        """Give a cookie for a token's id and mark."""
        ends = int((now + self.lifetime).replace(tzinfo=UTC).timestamp())
        body = f"{subject}.{ends}.{secrets.token_hex(NONCE_BYTES)}"
        return f"{body}.{self._sign('cookie', body)}"

    def read(self, cookie: str, now: datetime) -> Session | None:
        """Give the session of a cookie; None when it is forged or has ended."""
        parts = cookie.split(".")
        if len(parts) != PARTS or not cookie.isascii():
            return None
        body = ".".join(parts[:-1])
        if not hmac.compare_digest(parts[-1], self._sign("cookie", body)):
            return None
        if int(parts[1]) <= now.replace(tzinfo=UTC).timestamp():
            return None
        return Session(subject=parts[0], mark=self._sign("form", body))

    def _sign(self, purpose: str, body: str) -> str:
        return hmac.new(self.key, f"{purpose}:{body}".encode(), hashlib.sha256).hexdigest()


def new_signer(hours: float) -> Signer:
    """Make a signer with a key of its own."""
    return Signer(secrets.token_bytes(KEY_BYTES), timedelta(hours=hours))


def is_marked(session: Session, mark: str) -> bool:
    """Tell whether a form carries its session's mark."""
    return mark.isascii() and hmac.compare_digest(mark, session.mark)
