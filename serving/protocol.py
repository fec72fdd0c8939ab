"""HTTP/1.1 as a worker reads it: what has no end is given up on, what has two meanings refused.

A proxy in front may end a request where we do not: what follows would then be another client's
request to one of us (request smuggling). llhttp refuses most of what makes that possible; the rest
is refused here. It also takes in whatever it is sent, so it is held here how much that may be.
"""

import asyncio
from asyncio import TimerHandle
from collections.abc import Sequence
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
MOST_HEAD = 16 * 1024
"""Bytes of a head, or of whatever else is no body, that have to bring it to its end."""
MOST_AHEAD = 16
"""Requests that may wait behind the one being answered, sent before its answer came."""
INVALID = "Invalid HTTP request received."
CONTINUE = b"HTTP/1.1 100"

Headers = Sequence[tuple[bytes, bytes]]


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request's head does not come to an end, in time and in bytes.

    uvicorn waits for ever for the first bytes and for the rest of a head. How long a body may take
    and how large it may be is the guard's matter.
    """

    _deadline: TimerHandle | None = None
    _endless = 0
    """Bytes since a head or a message came to its end, or a body had a part."""
    _is_deaf = False
    """Whether nothing more is taken in: the connection closes with the answers under way."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head from now on."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take in bytes, and wait on unless they have brought a head to its end."""
        self._unset_keepalive_if_required()
        for start in range(0, len(data), MOST_HEAD):
            if not self._is_deaf:
                self._take(data[start : start + MOST_HEAD])
        if self._is_answering():
            self._unwatch()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._unwatch()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """Begin to answer what can be read in one way only."""
        self._endless = 0
        if self.parser.should_upgrade():
            return  # not yet: `_without_upgrade` reads it again
        if len(self.pipeline) >= MOST_AHEAD:
            raise HttpParserError("too many requests before their answers")
        if not _is_clear(self.headers, self.parser.get_http_version()):
            raise HttpParserError("a head that can be read in two ways")
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":  # whose answer is a head alone
            self.cycle.transport = cast("asyncio.Transport", _Joined(self.transport))
        self.headers = []  # a header after the body is not believed as those before it are

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on."""
        self._endless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand the end of the body on."""
        self._endless = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _take(self, data: bytes) -> None:
        self._endless += len(data)
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as found:
            self._without_upgrade(data[found.args[0] :])
        except HttpParserError:
            self._refuse()
        else:
            if self._endless > MOST_HEAD:
                self._refuse()

    def _without_upgrade(self, rest: bytes) -> None:
        """Read a request on in HTTP/1.1, which it asks to leave: llhttp passes over its body."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse()
            return
        head = [method, b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = HttpRequestParser(self)
        self._take(b"".join([*head, b"\r\n", rest]))

    def _refuse(self) -> None:
        """Hear no more. Answers that are under way still leave, in the order of their requests."""
        self._is_deaf = True
        self.logger.warning(INVALID)
        if self._is_answering() and not self.cycle.more_body:
            self.cycle.keep_alive = False
        else:
            self.send_400_response(INVALID)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.transport.close()


class _Joined:
    """The transport of one answer: its head leaves with the first of its body, in one packet.

    A packet more is a system call more, here and for whoever reads it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._has_begun = False
        self._held = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write, but hold the head until what comes after it."""
        if self._has_begun or data.startswith(CONTINUE):
            self._transport.write(self._held + data)
            self._held = b""
        else:
            self._has_begun, self._held = True, data

    def close(self) -> None:
        """Close after all that was written."""
        self._transport.write(self._held)
        self._transport.close()


def _is_clear(headers: Headers, version: str) -> bool:
    """Tell whether a head names one host, and says in one way only how long its body is."""
    names = [name for name, _ in headers]
    hosts = names.count(b"host")
    if version == "1.1":
        is_chunked_or_not = b"transfer-encoding" not in names or (
            names.count(b"transfer-encoding") == 1
            and dict(headers)[b"transfer-encoding"].strip().lower() == b"chunked"
        )
        return hosts == 1 and is_chunked_or_not
    return version == "1.0" and hosts <= 1 and b"transfer-encoding" not in names
