"""The outermost layer: no request reaches anything before it is known who sent it."""

import asyncio
import math
import secrets
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import StoreError
from serving.access.kept_sessions import SECRET, WORN_AFTER, session_id, session_of_secret
from serving.access.tokens import (
    Principal,
    principal_by_secret,
    split_token,
)
from serving.api.limits import overloaded
from serving.api.patience import Patience
from serving.api.refusal import RefusedError
from serving.api.response import error_response
from serving.metrics import IN_FLIGHT, METHODS, OTHER
from serving.pages.cookies import SESSION, cookie_of
from serving.pages.paths import (
    LOGIN,
    LOGOUT,
    OPEN_PAGES,
    SCRIPT,
    STYLE,
    TYPED,
    is_page,
    page_before,
    safe_next,
)
from serving.parts import Caller, Parts

PROBES = frozenset({"/livez", "/readyz"})
OPEN = PROBES | OPEN_PAGES
BEARER = "bearer "
OF_NETWORK = len("2001:0db8:0000:0000")
MAPPED = "::ffff:"
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
            b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
            b"form-action 'self'; "
            b"base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"referrer-policy", b"same-origin"),  # a login leads back to the page that it came from
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
        self._patience = Patience(seconds)
        self._parts = parts
        self._headers = (*HEADERS, *(TLS_HEADERS if parts.settings.behind_tls else ()))
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
        metrics = self._parts.metrics
        exchange = _Exchange(send, self._note, scope, secrets.token_hex(16), self._headers)
        scope["tenure.request_id"] = exchange.request_id
        metrics.add(IN_FLIGHT, 1)
        try:
            await self._reply(scope, receive, exchange)
        finally:
            metrics.add(IN_FLIGHT, -1)
            exchange.end()

    async def _reply(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        task = self._patience.begin()
        try:
            refusal = await self._refusal(scope)
            await (refusal or self.app)(scope, receive, exchange.send)
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not self._patience.has_given_up(task):
                raise
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
        finally:
            self._patience.end(task)

    async def _refusal(self, scope: Scope) -> Response | None:
        """Give the answer to a request that goes no further; None: it goes on, with its caller."""
        if self._parts.load.is_full and scope["path"] not in PROBES:
            return _closing(error_response(overloaded(), scope))
        address = address_of(scope, self._parts.settings.trusted_proxy)
        if scope["path"] in OPEN:
            scope["tenure.address"] = address
            is_limited = _logs_in(scope)
            return _too_many(self._parts.logins.wait(address), scope) if is_limited else None
        secret = presented_session(scope) if is_page(scope["path"]) else None
        token = None if is_page(scope["path"]) else presented_token(scope)
        if not self._is_known(token, secret):
            # Anybody can make one up, and only the store knows that it is none: it costs a query.
            seconds = self._parts.unknown.wait(network_of(address))
            if seconds:
                return _too_many(seconds, scope)
        principal = await self._principal(scope, token, secret)
        if principal is None:
            return self._of_nobody(scope, address)
        scope["tenure.caller"] = Caller(principal, scope["tenure.request_id"], address)
        return _too_many(self._parts.requests.wait(principal.who), scope)

    def _of_nobody(self, scope: Scope, address: str) -> Response | None:
        """Send who has no session away, unless a form of theirs would be lost: its page asks."""
        if not _was_typed(scope):
            return _closed(scope)
        scope["tenure.address"] = address
        return _too_many(self._parts.logins.wait(address), scope)

    def _is_known(self, token: tuple[str, str] | None, secret: str | None) -> bool:
        """Tell whether this worker has met the token or the session, or there is none."""
        if token is not None:
            return self._parts.recognised.knows(token[0])
        return secret is None or self._parts.sessions.knows(session_id(secret))

    async def _principal(
        self, scope: Scope, token: tuple[str, str] | None, secret: str | None
    ) -> Principal | None:
        """Give who asks: a page knows sessions only, and anything else tokens only."""
        if secret is not None:
            return await self._logged_in(scope, secret)
        if token is None:
            return None
        recognised = self._parts.recognised
        kept = recognised.remembered(token[0]) or await recognised.told(token[0])
        return principal_by_secret(kept, token[1], self._parts.now())

    async def _logged_in(self, scope: Scope, secret: str) -> Principal | None:
        parts = self._parts
        kept = await parts.sessions.told(session_id(secret))
        if kept is None:
            return None
        now, seen_at = parts.now(), parts.last_uses.last(kept)
        principal = kept.principal(now, seen_at + parts.signer.idle)
        if principal is not None:
            scope["tenure.session"] = session_of_secret(secret, kept)
            if now - seen_at >= WORN_AFTER and scope["path"] != LOGOUT:
                parts.last_uses.note(kept.session_id, now)
        return principal

    def _note(self, exchange: "_Exchange", seconds: float) -> None:
        scope = exchange.scope
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
        self,
        send: Send,
        note: "Callable[[_Exchange, float], None]",
        scope: Scope,
        request_id: str,
        headers: Sequence[tuple[bytes, bytes]],
    ) -> None:
        self._send = send
        self._note = note
        self.scope = scope
        self.request_id = request_id
        self._headers = headers
        self._started = time.perf_counter()
        self._has_ended = False
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            of_request = (b"x-request-id", self.request_id.encode())
            message["headers"] = [*message.get("headers", ()), *self._headers, of_request]
        elif not message.get("more_body", False):
            self.end()  # before it leaves: who has an answer finds it counted
        await self._send(message)

    def end(self) -> None:
        """Note the exchange, unless that was done."""
        if not self._has_ended:
            self._has_ended = True
            self._note(self, time.perf_counter() - self._started)

    async def fail(self, scope: Scope, receive: Receive, status: HTTPStatus, message: str) -> None:
        """Answer with an error, unless an answer has begun: then only the end can be missing."""
        if self.status:
            return
        refused = RefusedError(status, FAILURES[status], message)
        response = error_response(refused, scope)
        await response(scope, receive, self.send)


def _logs_in(scope: Scope) -> bool:
    if scope["path"] == LOGIN:
        return bool(scope["method"] == "POST")
    return scope["path"] in OPEN_PAGES - {STYLE, SCRIPT}


def presented_session(scope: Scope) -> str | None:
    """Give the secret of the session whose cookie a request carries; None: it carries none."""
    presented = cookie_of(Headers(scope=scope), SESSION)
    return presented if SECRET.fullmatch(presented) else None


def presented_token(scope: Scope) -> tuple[str, str] | None:
    """Give the id and the secret of the token that a request carries; None: it carries none."""
    presented = only_header(scope, b"authorization")
    if presented[: len(BEARER)].lower() != BEARER:
        return None
    return split_token(presented[len(BEARER) :].strip())


def network_of(address: str) -> str:
    """Give what one who asks has addresses in: of IPv6 that is a network of 64 bits."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else found.exploded[:OF_NETWORK]
    return address


def address_of(scope: Scope, trusted_proxy: str | None) -> str:
    """Give the address that a request came from: the one that the trusted proxy saw, if it did."""
    client = scope.get("client")
    address = _plain(client[0]) if client else ""
    if trusted_proxy is None or address != trusted_proxy:
        return address
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    # Whoever asks may have sent the entries before the last: only the last is the proxy's own.
    return _plain(said[-1].decode("latin-1").rpartition(",")[2].strip()) if said else address


def _plain(address: str) -> str:
    """Give an address of IPv4 as such, also where a socket of IPv6 took it in; without a zone."""
    if address[: len(MAPPED)].lower() == MAPPED and "." in address:
        return address[len(MAPPED) :]
    return address.partition("%")[0]


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


def _was_typed(scope: Scope) -> bool:
    """Tell whether somebody at a browser has sent a form whose text must not be lost."""
    is_sent = scope["method"] == "POST" and scope["path"] in TYPED
    return is_sent and "text/html" in Headers(scope=scope).get("accept", "")


def _closed(scope: Scope) -> Response:
    """Send a browser to the login, and anything else away."""
    if is_page(scope["path"]):
        if "text/html" in Headers(scope=scope).get("accept", ""):
            query = urlencode({"next": _wanted(scope)})
            return RedirectResponse(f"{LOGIN}?{query}", HTTPStatus.SEE_OTHER)
        told = "Pages are for people: log in with a browser."
    else:
        told = "Send a live token as `Authorization: Bearer …`. `tenure tokens add` makes one."
    refused = RefusedError(HTTPStatus.UNAUTHORIZED, "unauthorized", told)
    response = error_response(refused, scope)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _wanted(scope: Scope) -> str:
    """Give the page to come back to after a login: of a form that was sent, the one it stood on."""
    if scope["method"] in {"GET", "HEAD"}:
        query = scope["query_string"].decode("latin-1")
        return safe_next(quote(scope["path"]) + (f"?{query}" if query else ""))
    return page_before(only_header(scope, b"referer"))


def _where(error: BaseException) -> str:
    """Tell what failed and where, without the message: it may hold an account or a name."""
    frames: Any = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames[-3:]]
    return f"{type(error).__name__} at {', '.join(places)}"
