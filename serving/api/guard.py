"""The outermost layer: no request reaches anything before it is known who sent it."""

import asyncio
import math
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import StoreError
from serving.access.tokens import (
    KeptToken,
    Principal,
    principal_by_mark,
    principal_by_secret,
    split_token,
)
from serving.api.limits import overloaded
from serving.api.refusal import RefusedError
from serving.api.response import error_response
from serving.metrics import IN_FLIGHT, METHODS, OTHER
from serving.pages.login import LOGIN, SESSION_COOKIE, cookie_of
from serving.pages.render import STYLE
from serving.pages.routes import PAGES
from serving.parts import Caller, Parts

PROBES = frozenset({"/livez", "/readyz"})
OPEN = PROBES | {LOGIN, STYLE}
BEARER = "bearer "
GONE = 499  # nginx's number for a client that went before it was answered
FAILURES: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
        HTTPStatus.SERVICE_UNAVAILABLE: "store_unavailable",
        HTTPStatus.GATEWAY_TIMEOUT: "timeout",
    }
)
HEADERS = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; form-action 'self'; "
            b"base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
TLS_HEADERS = ((b"strict-transport-security", b"max-age=31536000"),)


class Guard:
    """Authenticates, then hands on; also names, times, logs and counts each request.

    Parameters
    ----------
    app:
        What stands behind it.
    parts:
        The open service.
    seconds:
        How long a request may take, the reading of its body included.
    """

    def __init__(self, app: ASGIApp, parts: Parts, seconds: float = 60.0) -> None:
        self.app = app
        self.seconds = seconds
        self._parts = parts
        self._log = structlog.get_logger().bind(worker=parts.metrics.number)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing but HTTP is answered."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        metrics = self._parts.metrics

        def note() -> None:
            self._note(scope, exchange, time.perf_counter() - started)

        is_tls = self._parts.settings.behind_tls
        exchange = _Exchange(send, note, uuid.uuid4().hex, is_tls=is_tls)
        scope["tenure.request_id"] = exchange.request_id
        metrics.add(IN_FLIGHT, 1)
        try:
            await self._reply(scope, receive, exchange)
        finally:
            metrics.add(IN_FLIGHT, -1)
            exchange.end()

    async def _reply(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        try:
            refusal = await self._refusal(scope)
            async with asyncio.timeout(self.seconds):
                await (refusal or self.app)(scope, receive, exchange.send)
        except TimeoutError:
            await exchange.fail(
                scope, receive, HTTPStatus.GATEWAY_TIMEOUT, "The request took too long."
            )
        except ClientDisconnect:
            exchange.status = exchange.status or GONE
        except StoreError:
            self._log.error("the store does not answer", request_id=exchange.request_id)
            await exchange.fail(
                scope, receive, HTTPStatus.SERVICE_UNAVAILABLE, "The store does not answer."
            )
        except Exception as error:  # noqa: BLE001 - the edge: whatever it was, its text stays inside
            self._log.error("failed", request_id=exchange.request_id, what=_where(error))
            await exchange.fail(
                scope, receive, HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed."
            )

    async def _refusal(self, scope: Scope) -> Response | None:
        """Give the answer to a request that goes no further; None: it goes on, with its caller."""
        if self._parts.load.is_full and scope["path"] not in PROBES:
            return _closing(error_response(overloaded(), scope))
        address = address_of(scope, self._parts.settings.trusted_proxy)
        if scope["path"] in OPEN:
            logs_in = scope["path"] == LOGIN and scope["method"] == "POST"
            return _too_many(self._parts.logins.wait(address), scope) if logs_in else None
        principal = await self._principal(scope)
        if principal is None:
            return _closed(scope)
        scope["tenure.caller"] = Caller(principal, scope["tenure.request_id"], address)
        return _too_many(self._parts.requests.wait(principal.who), scope)

    async def _principal(self, scope: Scope) -> Principal | None:
        parts, presented = self._parts, only_header(scope, b"authorization")
        if presented[: len(BEARER)].lower() == BEARER:
            token = split_token(presented[len(BEARER) :].strip())
            kept = await self._kept(token[0]) if token else None
            return principal_by_secret(kept, token[1] if token else "", parts.now())
        if scope["path"] not in PAGES:
            return None
        cookie = cookie_of(Headers(scope=scope), SESSION_COOKIE)
        session = parts.signer.read(cookie, parts.now())
        if session is None or not session.subject:
            return None
        token_id, _, mark = session.subject.partition("-")
        return principal_by_mark(await self._kept(token_id), mark, parts.now())

    async def _kept(self, token_id: str) -> KeptToken | None:
        """Give a token from memory, or ask the store on another thread."""
        recognised = self._parts.recognised
        kept = recognised.remembered(token_id)
        return kept or await run_in_threadpool(recognised.ask, token_id)

    def _note(self, scope: Scope, exchange: "_Exchange", seconds: float) -> None:
        caller: Caller | None = scope.get("tenure.caller")
        code: str | None = scope.get("tenure.code")
        route = getattr(scope.get("route"), "path", None) or _instead_of_route(code, caller)
        self._parts.metrics.count(route, exchange.status, code, seconds)
        said = {} if code is None else {"code": code}
        self._log.info(
            "request",
            request_id=exchange.request_id,
            method=scope["method"] if scope["method"] in METHODS else OTHER,
            route=route,
            status=exchange.status,
            ms=round(seconds * 1000, 1),
            token=caller.principal.who if caller else None,
            **said,
        )


class _Exchange:
    """One answer on its way out: adds headers, remembers the status, is noted once."""

    def __init__(
        self, send: Send, note: Callable[[], None], request_id: str, *, is_tls: bool
    ) -> None:
        self._send = send
        self._note = note
        self.request_id = request_id
        self._is_tls = is_tls
        self._has_ended = False
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            added = (*HEADERS, (b"x-request-id", self.request_id.encode()))
            message["headers"] = [
                *message.get("headers", ()),
                *added,
                *(TLS_HEADERS if self._is_tls else ()),
            ]
        elif not message.get("more_body", False):
            self.end()  # before it leaves: who has an answer finds it counted
        await self._send(message)

    def end(self) -> None:
        """Note the exchange, unless that was done."""
        if not self._has_ended:
            self._has_ended = True
            self._note()

    async def fail(self, scope: Scope, receive: Receive, status: HTTPStatus, message: str) -> None:
        """Answer with an error, unless an answer has begun: then only the end can be missing."""
        if self.status:
            return
        refused = RefusedError(status, FAILURES[status], message)
        response = error_response(refused, scope)
        await response(scope, receive, self.send)


def address_of(scope: Scope, trusted_proxy: str | None) -> str:
    """Give the address that a request came from: the one that the trusted proxy saw, if it did."""
    client = scope.get("client")
    address = client[0] if client else ""
    if trusted_proxy is None or address != trusted_proxy:
        return address
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    # Whoever asks may have sent the entries before the last: only the last is the proxy's own.
    return said[-1].decode("latin-1").rpartition(",")[2].strip() if said else address


def only_header(scope: Scope, name: bytes) -> str:
    """Give a header's value; empty when it is not there, or there more than once."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _instead_of_route(code: str | None, caller: Caller | None) -> str:
    """Name what a request came to that reached no route."""
    if code == "too_many_requests":
        return "limited"
    if code == "overloaded":
        return code
    return "unmatched" if caller else "closed"


def _closing(response: Response) -> Response:
    """Let the connection go after this answer."""
    response.headers["connection"] = "close"
    return response


def _too_many(seconds: float, scope: Scope) -> Response | None:
    if seconds == 0:
        return None
    refused = RefusedError(
        HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", "Too many requests. Send fewer, later."
    )
    response = error_response(refused, scope)
    response.headers["retry-after"] = str(math.ceil(seconds))
    return response


def _closed(scope: Scope) -> Response:
    """Send a browser to the login, and anything else away."""
    asks_for_page = "text/html" in Headers(scope=scope).get("accept", "")
    if scope["path"] in PAGES and asks_for_page:
        return RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    refused = RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "Send a live token as `Authorization: Bearer …`. `tenure tokens add` makes one.",
    )
    response = error_response(refused, scope)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _where(error: BaseException) -> str:
    """Tell what failed and where, without the message: it may hold an account or a name."""
    frames: Any = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames[-3:]]
    return f"{type(error).__name__} at {', '.join(places)}"
