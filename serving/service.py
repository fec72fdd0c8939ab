"""BentoML's only door: the application of `serving.app` as a BentoML service, and how to run it.

`bentoml serve` is not used: its supervisor opens a port on loopback that runs commands without
asking who sends them. `serve` runs the service's ASGI application under uvicorn instead.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import bentoml
import uvicorn
from bentoml import Service
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from features.errors import StoreError
from serving.app import build_app
from serving.guard import Guard
from serving.parts import Parts, open_parts
from serving.settings import Settings, read_settings

QUIET: dict[str, Any] = {
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
    "tracing": {"sample_rate": 0.0},
    "workers": 1,
}
BACKLOG = 128


class Door:
    """The application, opened at the first request, so that importing this module reads nothing.

    Parameters
    ----------
    open_it:
        Opens the parts of the service.
    """

    def __init__(self, open_it: Callable[[], Parts]) -> None:
        self._open_it = open_it

    @cached_property
    def parts(self) -> Parts:
        """The open service."""
        return self._open_it()

    @cached_property
    def application(self) -> ASGIApp:
        """The routes, without authentication."""
        return build_app(self.parts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that the guard let in."""
        await self.application(scope, receive, send)


class GuardedService(Service):  # type: ignore[misc]  # BentoML's classes are not typed
    """A BentoML service without routes of its own, and with authentication around all of it."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: ARG002, FBT001, FBT002 - BentoML's signature
        """Give the application that any server of this service runs."""
        app = super().to_asgi(is_main=False)
        app.router.routes = [route for route in app.router.routes if isinstance(route, Mount)]
        # Its layers label by raw path and answer in shapes of their own: the guard does their work.
        app.user_middleware = []
        door: Door = self.mount_apps[0][0]
        return Guard(app, door.parts)


def service_of(door: Door) -> GuardedService:
    """Mount the application in a BentoML service."""

    @bentoml.asgi_app(door, path="/")
    class Tenure:
        """Churn and expansion scores, their reasons and the work list."""

    as_service = bentoml.service(name="tenure", service_class=GuardedService, **QUIET)
    service: GuardedService = as_service(Tenure)
    return service


def serve(settings: Settings, port: int | None = None) -> None:
    """Serve the HTTP interface and the page until interrupted.

    Parameters
    ----------
    settings:
        Where to listen and where the store and the bundles lie.
    port:
        Overrides the settings' port; 0: any free one.

    Raises
    ------
    StoreError
        If the store cannot be opened or the port is taken.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    with _log_on_standard_error(), ExitStack() as opened:
        parts = open_parts(settings)
        opened.callback(parts.close)
        listener = _listen(settings.host, settings.port if port is None else port)
        opened.callback(listener.close)
        server(parts).run(sockets=[listener])


def server(parts: Parts) -> uvicorn.Server:
    """Make the server of open parts; its caller gives it a listening socket."""
    config = uvicorn.Config(
        service_of(Door(lambda: parts)).to_asgi(),
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=20,
        timeout_graceful_shutdown=10,
        limit_concurrency=1000,
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StoreError(
            f"Expected port {port} on {host} to be free, got: {error.strerror}. "
            "Stop what listens there, or choose another with --port."
        ) from error
    address = listener.getsockname()
    logging.getLogger("tenure").info("Listening on http://%s:%d", address[0], address[1])
    return listener


@contextmanager
def _log_on_standard_error() -> Iterator[None]:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("tenure")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # BentoML writes what reaches the root logger a second time
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _from_environment() -> Parts:
    """Open the parts where a Bento runs, with the settings of that place."""
    return open_parts(read_settings(os.environ, Path.cwd()))


tenure = service_of(Door(_from_environment))
