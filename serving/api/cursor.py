"""Where a page of the work list ended: a publication and a position in it.

It is sealed for whom it was given to, and good for an hour: else anybody could write one that reads
the scores of any date.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest

from serving.access.session import Signer
from serving.api.refusal import RefusedError, invalid

PLAIN = re.compile(r"(([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,11}))\.([0-9a-f]{64})", re.ASCII)
GOOD_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class Cursor:
    """The last entry that was shown; a publication never changes, so pages never shift."""

    publication: int
    position: int

    def to_text(self, signer: Signer, who: str, now: datetime) -> str:
        """Give the cursor as it travels, to whom it is given."""
        given = f"{self.publication}.{self.position}.{_seconds(now)}"
        return base64.urlsafe_b64encode(f"{given}.{_seal(signer, who, given)}".encode()).decode()


def read_cursor(text: str, signer: Signer, who: str, now: datetime) -> Cursor:
    """Read a cursor back; raises RefusedError for any but theirs of the last hour."""
    try:
        plain = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise _no_cursor() from error
    parts = PLAIN.fullmatch(plain)
    if parts is None:
        raise _no_cursor()
    given, publication, position, seconds, seal = parts.groups()
    if not compare_digest(seal, _seal(signer, who, given)):
        raise _no_cursor()
    if _seconds(now) - int(seconds) > GOOD_FOR.total_seconds():
        raise _no_cursor()
    return Cursor(int(publication), int(position))


def _no_cursor() -> RefusedError:
    return invalid("cursor", "expected the next_cursor of an answer within the hour; begin anew")


def _seal(signer: Signer, who: str, given: str) -> str:
    return signer.secret("cursor", f"{who} {given}")


def _seconds(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())
