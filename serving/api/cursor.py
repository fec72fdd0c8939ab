"""Where a page of the work list ended: a publication and a position in it."""

import base64
import binascii
import re
from dataclasses import dataclass

from serving.api.refusal import invalid

PLAIN = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")


@dataclass(frozen=True)
class Cursor:
    """The last entry that was shown; a publication never changes, so pages never shift."""

    publication: int
    position: int

    def to_text(self) -> str:
        """Give the cursor as it travels."""
        return base64.urlsafe_b64encode(f"{self.publication}.{self.position}".encode()).decode()


def read_cursor(text: str) -> Cursor:
    """Read a cursor back; raises RefusedError for any other text."""
    try:
        plain = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        plain = ""
    parts = PLAIN.fullmatch(plain)
    if parts is None:
        raise invalid("cursor", "expected the next_cursor of an earlier answer")
    return Cursor(int(parts.group(1)), int(parts.group(2)))
