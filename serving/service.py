"""BentoML's only door: the application of `serving.api` as a BentoML service, and how to run it.

`bentoml serve` is not used: its supervisor opens a port on loopback that runs commands without
asking who sends them. `serve` runs the service's ASGI application under uvicorn instead.
"""

import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import bentoml
import structlog
from bentoml import Service
from starlette.types import ASGIApp, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from features.errors import StoreError, TenureError
from features.garbage import collect_shortly
from serving.access.session import new_signer
from serving.api.app import build_app
from serving.api.guard import Guard
from serving.logs import logged, to_standard_error
from serving.metrics import Metrics
from serving.parts import Parts, open_parts
from serving.playbooks.read import playbook_in_use
from serving.server import BACKLOG, Server
from serving.settings import Settings, read_settings
from serving.snapshots.loaded import Watch
from serving.store.database import Store, open_store
from serving.workers import Supervisor, is_ignored

QUIET: dict[str, Any] = {
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
    "tracing": {"sample_rate": 0.0},
    "workers": 1,
}
MOST_FILES = 8192


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
        door: Door = self.mount_apps[0][0]
        application = door.application  # built now, not while the first request waits

        def mounted(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            """Go straight to what is mounted: BentoML's routes and layers have no part in a call.

            They would label by raw path, and answer in shapes of their own.
            """
            return (app if scope["type"] == "lifespan" else application)(scope, receive, send)

        return Guard(mounted, door.parts)


def service_of(door: Door) -> GuardedService:
    """Mount the application in a BentoML service."""

    @bentoml.asgi_app(door, path="/")
    class Tenure:
        """Churn and expansion scores, their reasons and the work list."""

    as_service = bentoml.service(name="tenure", service_class=GuardedService, **QUIET)
    service: GuardedService = as_service(Tenure)
    return service


def serve(settings: Settings, port: int | None = None, workers: int | None = None) -> None:
    """Serve the HTTP interface and the page until told to end.

    Parameters
    ----------
    settings:
        Where to listen and where the store and the bundles lie.
    port, workers:
        Override those of the settings; port 0: any free one. One worker is this process itself.

    Raises
    ------
    PlaybookError
        If the file of plays is missing or wrong.
    StoreError
        If the store cannot be opened or the port is taken.
    ServiceError
        If several workers are asked for and cannot be had.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    playbook = playbook_in_use(settings)
    _allow_connections()
    metrics = Metrics(workers or settings.workers)
    signer = new_signer(settings.session_hours, settings.session_idle_minutes)
    with logged(to_standard_error, for_people=sys.stderr.isatty()), ExitStack() as opened:
        with closing(open_store(settings.store)) as store:  # which has its tables from now on
            listener = _listen(settings.host, settings.port if port is None else port)
            if metrics.workers > 1:
                _warm(store, settings)
        opened.callback(listener.close)

        def work(number: int) -> None:
            metrics.become(number)
            opening = open_parts(settings, signer=signer, metrics=metrics, playbook=playbook)
            with closing(opening) as parts:
                with suppress(StoreError):  # readiness says so, and each request looks again
                    parts.watch.look()
                made = server(parts)
                collect_shortly()
                made.run(sockets=[listener])

        if metrics.workers == 1:
            _end_with_terminal()
            metrics.has_started(0)
            work(0)
        else:
            Supervisor(listener, metrics, work).run()


def _end_with_terminal() -> None:
    """Answer what was begun when the terminal is gone too, unless that is to be outlived."""
    if not is_ignored(signal.SIGHUP):
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _warm(store: Store, settings: Settings) -> None:
    """Load what is in service and let go of it: what was compiled for it, workers are born with."""
    # One thread: a pool of threads that was begun here would be missing in the workers.
    with suppress(TenureError), threadpool_limits(1):
        Watch(store, settings.home).take_over()
    gc.collect()


def server(parts: Parts) -> Server:
    """Make the server of open parts; its caller gives it a listening socket."""
    return Server(service_of(Door(lambda: parts)).to_asgi(), parts.load, parts.beat)


def _allow_connections() -> None:
    """Allow as many open files as an unprivileged process may have: each connection is one."""
    low, high = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(MOST_FILES, high) if high != resource.RLIM_INFINITY else MOST_FILES
    if low != resource.RLIM_INFINITY and low < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, high))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio answers without delay (TCP_NODELAY) on sockets that say they are of TCP only
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
    shown = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
    structlog.get_logger().info("listening", url=f"http://{shown}:{address[1]}")
    return listener


def _from_environment() -> Parts:
    """Open the parts where a Bento runs, with the settings of that place."""
    return open_parts(read_settings(os.environ, Path.cwd()))


tenure = service_of(Door(_from_environment))
