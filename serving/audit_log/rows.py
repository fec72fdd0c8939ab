"""A row of the audit log: one line of JSON that carries the hash of the line before.

``{"seq": …, "at": …, "token": …, "call": …, "from": …, "request": …, "accounts": […], "before": …,
"hash": …}``, where hash is the SHA-256 of all that stands before it in its line, and before is the
hash of the row before. Each file begins with an opening row, which names its chain and part; a
chain that was closed ends with a closing row, and nothing follows that.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

NOTHING_BEFORE = "0" * 64
ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}")
NAME = re.compile(r"(?P<chain>\d{8}T\d{6}Z-[0-9a-f]{12})-(?P<part>\d{6})\.jsonl")
HASH = b',"hash":"'
END = 64 + len(b'"}')
SET_BACK = ',"clock":"set back"'


class Read(NamedTuple):
    """A read of account data, as the trail is told of it.

    Attributes
    ----------
    who, call, request_id:
        Who asked (a token or a user), by which call (method and route template), in which request.
    address:
        Where from; what is no IP address is written as ``unknown``.
    accounts:
        Pseudonyms of the accounts that the answer shows.
    """

    who: str
    call: str
    address: str
    request_id: str
    accounts: Sequence[str]


class Row(msgspec.Struct, frozen=True):
    """A row as it is read back; an opening or closing row has a chain, any other a token."""

    seq: int
    at: str
    before: str
    hash: str
    chain: str = ""
    part: int = 0
    token: str = ""
    call: str = ""
    address: str = msgspec.field(default="", name="from")
    request: str = ""
    accounts: tuple[str, ...] = ()
    clock: str = ""
    end: bool = False


DECODER = msgspec.json.Decoder(Row)


def time_text(time: datetime) -> str:
    """Write a naive UTC time so that texts sort as times do."""
    return time.isoformat(timespec="microseconds") + "Z"


def opening(seq: int, at: str, chain: str, part: int, before: str) -> tuple[bytes, str]:
    """Give the line that a file begins with, and its hash."""
    return _closed(f'{{"seq":{seq},"at":"{at}","chain":"{chain}","part":{part},"before":"{before}"')


def closing(seq: int, at: str, chain: str, part: int, before: str) -> tuple[bytes, str]:
    """Give the line that a chain ends with, and its hash."""
    return _closed(
        f'{{"seq":{seq},"at":"{at}","chain":"{chain}","part":{part},"end":true,"before":"{before}"'
    )


def line(seq: int, at: str, read: Read, before: str, *, set_back: bool) -> tuple[bytes, str]:
    """Give the line of a read, and its hash.

    Nothing needs escaping: ids and pseudonyms are of letters, digits and `_`, calls are templates
    of ours, and an address is checked here.
    """
    address = read.address if ADDRESS.fullmatch(read.address) else "unknown"
    accounts = '","'.join(read.accounts)
    return _closed(
        f'{{"seq":{seq},"at":"{at}","token":"{read.who}","call":"{read.call}",'
        f'"from":"{address}","request":"{read.request_id}","accounts":["{accounts}"]'
        f'{SET_BACK if set_back else ""},"before":"{before}"'
    )


def read_line(text: bytes) -> Row | None:
    """Read a line without its end back; None for what is not a whole, unchanged row."""
    body, closing = text[:-END], text[-END:]
    if not body.endswith(HASH):
        return None
    digest = hashlib.sha256(body.removesuffix(HASH)).hexdigest()
    if closing != f'{digest}"}}'.encode():
        return None
    try:
        return DECODER.decode(text)
    except msgspec.DecodeError:
        return None


def file_name(chain: str, part: int) -> str:
    """Name a chain's file."""
    return f"{chain}-{part:06d}.jsonl"


def _closed(body: str) -> tuple[bytes, str]:
    plain = body.encode("ascii")
    digest = hashlib.sha256(plain).hexdigest()
    return b'%b,"hash":"%b"}\n' % (plain, digest.encode("ascii")), digest
