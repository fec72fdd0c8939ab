"""The HTTP server of one worker, which ends without losing a request."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from serving.api.limits import Load
from serving.protocol import PatientProtocol

SETTLING_SECONDS = 0.3  # within which each worker hears of the end: uvicorn looks every 0.1 s
LINGER_SECONDS = 0.5
LINGER_STEP = 0.05
ENDING_SECONDS = 30
KEEP_ALIVE_SECONDS = 20
BEAT_TICKS = 10  # uvicorn ticks ten times a second
BACKLOG = 1024
ACCEPTED_AT_ONCE = 2  # or one worker takes all that wait, and the others none
CLOSE = (b"connection", b"close")


class Server(uvicorn.Server):
    """uvicorn's server, which answers all that was sent to it before it ends.

    Parameters
    ----------
    app:
        What answers.
    load:
        Told of the connections, and of the end.
    beat:
        Called about once a second while it serves, and first when it begins to.
    """

    def __init__(self, app: ASGIApp, load: Load, beat: Callable[[], None] = lambda: None) -> None:
        super().__init__(_config(app))
        self._load = load
        self._beat = beat
        load.connections = self.server_state.connections

    async def on_tick(self, counter: int) -> bool:
        """Let it be seen that the event loop goes on."""
        if counter % BEAT_TICKS == 0:
            self._beat()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; asyncio takes the length of the queue for what to accept in one go."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Begin to end; uvicorn would die of the signal afterwards, with all that is open."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take in who has connected, answer once more on each connection, then close."""
        self._load.is_ending = True
        await self._take_in(sockets or [])
        # Who is told to close comes again at once, and would be reset where another worker is just
        # closing: nobody is told before all have closed.
        await asyncio.sleep(SETTLING_SECONDS)
        self.server_state.default_headers.append(CLOSE)
        for _ in range(round(LINGER_SECONDS / LINGER_STEP)):
            await asyncio.sleep(LINGER_STEP)
            if not self.server_state.connections or self.force_exit:
                break
        await super().shutdown(sockets)

    async def _take_in(self, sockets: list[socket.socket]) -> None:
        """Close the listening sockets, but take in first who waits there: they would be reset."""
        waiting = []
        for listener in sockets:
            with contextlib.suppress(OSError):  # none waits, or there are too many files
                while True:
                    waiting.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> PatientProtocol:
        return PatientProtocol(self.config, self.server_state, self.lifespan.state)


def _config(app: ASGIApp) -> uvicorn.Config:
    options: dict[str, Any] = {
        "access_log": False,
        "log_config": None,
        "log_level": "warning",
        "server_header": False,
        "date_header": True,
        "proxy_headers": False,
        "ws": "none",
        "lifespan": "on",
        "http": PatientProtocol,
        "backlog": ACCEPTED_AT_ONCE,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": ENDING_SECONDS,
    }
    return uvicorn.Config(app, **options)
