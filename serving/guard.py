"""The outermost layer: no request reaches anything before it is known who sent it."""

import asyncio
import logging
import time
import traceback
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import StoreError
from serving.access import Principal, principal_by_id, principal_of
from serving.page import LOGIN, PAGES, SESSION_COOKIE, STYLE, cookie_of
from serving.parts import Caller, Parts
from serving.refusal import RefusedError
from serving.response import error_response

LOG = logging.getLogger("tenure.requests")
OPEN = frozenset({"/livez", "/readyz", LOGIN, STYLE})
BEARER = "bearer "
FAILURES: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
        HTTPStatus.SERVICE_UNAVAILABLE: "store_unavailable",
        HTTPStatus.GATEWAY_TIMEOUT: "timeout",
    }
)
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


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
        exchange = _Exchange(send, uuid.uuid4().hex, is_tls=self._parts.settings.behind_tls)
        scope["tenure.request_id"] = exchange.request_id
        try:
            if await self._lets_in(scope):
                async with asyncio.timeout(self.seconds):
                    await self.app(scope, receive, exchange.send)
            else:
                await _closed(scope, exchange.request_id)(scope, receive, exchange.send)
        except TimeoutError:
            await exchange.fail(
                scope, receive, HTTPStatus.GATEWAY_TIMEOUT, "The request took too long."
            )
        except StoreError:
            LOG.error("%s the store does not answer", exchange.request_id)  # noqa: TRY400 - its text may hold data
            await exchange.fail(
                scope, receive, HTTPStatus.SERVICE_UNAVAILABLE, "The store does not answer."
            )
        except Exception as error:  # noqa: BLE001 - the edge: whatever it was, its text stays inside
            LOG.error("%s failed: %s", exchange.request_id, _where(error))  # noqa: TRY400 - a message may hold data
            await exchange.fail(
                scope, receive, HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed."
            )
        self._note(scope, exchange, time.perf_counter() - started)

    async def _lets_in(self, scope: Scope) -> bool:
        if scope["path"] in OPEN:
            return True
        headers = Headers(scope=scope)
        principal = await run_in_threadpool(self._principal, scope["path"], headers)
        if principal is not None:
            scope["tenure.caller"] = Caller(principal, scope["tenure.request_id"])
        return principal is not None

    def _principal(self, path: str, headers: Headers) -> Principal | None:
        parts = self._parts
        presented = headers.get("authorization", "")
        if presented[: len(BEARER)].lower() == BEARER:
            return principal_of(parts.store, presented[len(BEARER) :].strip(), parts.now())
        if path not in PAGES:
            return None
        session = parts.signer.read(cookie_of(headers, SESSION_COOKIE), parts.now())
        if session is None or not session.subject:
            return None
        return principal_by_id(parts.store, session.subject, parts.now())

    def _note(self, scope: Scope, exchange: "_Exchange", seconds: float) -> None:
        template = getattr(scope.get("route"), "path", None)
        caller: Caller | None = scope.get("tenure.caller")
        route = template or ("unmatched" if caller else "closed")
        self._parts.metrics.count(route, scope["method"], exchange.status, seconds)
        LOG.info(
            "%s %s %s %d %.1f ms token=%s",
            exchange.request_id,
            scope["method"] if scope["method"].isalpha() else "other",
            route,
            exchange.status,
            seconds * 1000,
            caller.principal.token_id if caller else "none",
        )


class _Exchange:
    """One answer on its way out: adds headers, remembers the status."""

    def __init__(self, send: Send, request_id: str, *, is_tls: bool) -> None:
        self._send = send
        self.request_id = request_id
        self._is_tls = is_tls
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers["x-request-id"] = self.request_id
            if self._is_tls:
                headers["strict-transport-security"] = "max-age=31536000"
        await self._send(message)

    async def fail(self, scope: Scope, receive: Receive, status: HTTPStatus, message: str) -> None:
        """Answer with an error, unless an answer has begun: then only the end can be missing."""
        if self.status:
            return
        refused = RefusedError(status, FAILURES[status], message)
        response = error_response(refused, self.request_id)
        await response(scope, receive, self.send)


def _closed(scope: Scope, request_id: str) -> Response:
    """Send a browser to the login, and anything else away."""
    asks_for_page = "text/html" in Headers(scope=scope).get("accept", "")
    if scope["path"] in PAGES and asks_for_page:
        return RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    refused = RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "Send a live token as `Authorization: Bearer …`. `tenure tokens add` makes one.",
    )
    response = error_response(refused, request_id)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _where(error: BaseException) -> str:
    """Tell what failed and where, without the message: it may hold an account or a name."""
    frames: Any = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames[-3:]]
    return f"{type(error).__name__} at {', '.join(places)}"
