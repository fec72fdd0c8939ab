"""The ASGI application: routes from the calls, one shape of errors, nothing computed here."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from features.errors import AuditError, ErasureError, StoreError
from serving.api import answers, schema
from serving.api.body import read_json, read_query
from serving.api.calls import CALLS, Call
from serving.api.openapi import document
from serving.api.openapi30 import older
from serving.api.readiness import PARTS, Readiness
from serving.api.refusal import RefusedError, not_found
from serving.api.response import Written, caller_of, error_response, json_response
from serving.metrics import Now
from serving.pages.languages import Languages
from serving.pages.routes import page_routes
from serving.parts import Caller, Parts

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """Answers the calls whose address is fixed; Starlette looks for all others.

    To walk its layers and routes costs as much as looking up scores.

    Parameters
    ----------
    app:
        All routes.
    parts:
        The open service.
    """

    def __init__(self, app: Starlette, parts: Parts) -> None:
        self._app = app
        self.routes = app.routes
        addresses = {(call.method, call.path): call for call in CALLS}
        self._calls = {
            (method, route.path): (route, _endpoint(parts, addresses[method, route.path]))
            for route in app.routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if (method, route.path) in addresses
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_http = scope["type"] == "http"
        found = self._calls.get((scope["method"], scope["path"])) if is_http else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], endpoint = found
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except RefusedError as error:
            response = await _refused(request, error)
        except (StoreError, ErasureError) as error:
            response = await _store_failed(request, error)
        except AuditError as error:
            response = await _audit_failed(request, error)
        await response(scope, receive, send)


def build_app(parts: Parts) -> Direct:
    """Build the application; `serving.api.guard.Guard` has to stand around it."""
    routes = [
        Route(_starlette_path(call), _endpoint(parts, call), methods=[call.method])
        for call in CALLS
    ]
    routes += [*_operator_routes(parts), *page_routes(parts)]
    parts.metrics.declare([route.path for route in routes])
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Languages, is_tls=parts.settings.behind_tls)],
        exception_handlers={
            RefusedError: _refused,
            StoreError: _store_failed,
            ErasureError: _store_failed,  # nobody can tell who was erased
            AuditError: _audit_failed,
            HTTPException: _unrouted,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False  # to http:// and whatever Host said, behind TLS too
    return Direct(app, parts)


def _starlette_path(call: Call) -> str:
    return call.path.replace("{account_id}", "{account_id:path}")


def _endpoint(parts: Parts, call: Call) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        caller = caller_of(request)
        if not caller.principal.may(call.scope):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "forbidden", f"This token lacks the scope {call.scope!r}."
            )
        asked: list[object] = list(request.path_params.values())
        if call.body is not None:
            asked.append(await read_json(request, call.body))
        if call.query is not None:
            asked.append(read_query(request, call.query))
        if call.is_quick is not None and call.is_quick(parts, *asked):
            return json_response(_answer(parts, caller, call, asked))
        async with parts.load.place():
            answer = await run_in_threadpool(_answer, parts, caller, call, asked)
        return json_response(answer)

    return endpoint


def _answer(parts: Parts, caller: Caller, call: Call, asked: Sequence[object]) -> object:
    """Compute an answer, and write down which accounts it shows before it can leave."""
    answer = call.answer(parts, caller, *asked)
    if isinstance(answer, Written):
        parts.note_read_of(caller, f"{call.method} {call.path}", answer.pseudonyms)
    elif call.shows is not None:
        parts.note_read(caller, f"{call.method} {call.path}", call.shows(answer))
    return answer


def _operator_routes(parts: Parts) -> list[Route]:
    described = document()
    described_before = older(described)
    readiness = Readiness(parts)
    parts.metrics.parts = PARTS

    async def livez(_request: Request) -> Response:
        return json_response(schema.ProbeAnswer("alive"))

    async def readyz(_request: Request) -> Response:
        found = await readiness.found()
        said = "not_ready" if not found.is_ready else "degraded" if found.missing else "ready"
        status = HTTPStatus.OK if found.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response(schema.ProbeAnswer(said, list(found.missing)), status)

    async def healthz(_request: Request) -> Response:
        return json_response(answers.health(parts, await readiness.found()))

    async def metrics(_request: Request) -> Response:
        health = answers.health(parts, await readiness.found())
        parts.beat()  # what this worker serves may be newer than its last beat
        now = Now(parts.oldest_age_hours(), health.model_versions, health.missing)
        return Response(parts.metrics.text(now), media_type="text/plain; version=0.0.4")

    async def openapi(_request: Request) -> Response:
        return json_response(described)

    async def openapi30(_request: Request) -> Response:
        return json_response(described_before)

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
        Route("/openapi-3.0.json", openapi30),
    ]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette's type of a handler is wider than its use
    return error_response(error, request.scope)


async def _store_failed(request: Request, _error: Exception) -> Response:
    refused = RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", "The store does not answer. Try again."
    )
    return error_response(refused, request.scope)


async def _audit_failed(request: Request, _error: Exception) -> Response:
    structlog.get_logger().error(
        "the audit log takes no row", request_id=request.scope["tenure.request_id"]
    )
    refused = RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "audit_unavailable",
        "It cannot be written down who reads this, so it is not shown. Try again.",
    )
    return error_response(refused, request.scope)


async def _failed(request: Request, _error: Exception) -> Response:
    """Answer in the one shape; Starlette raises the error again, for the guard to log."""
    refused = RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The service failed.")
    return error_response(refused, request.scope)


async def _unrouted(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        refused = RefusedError(
            HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "This address has no such method."
        )
    else:
        refused = not_found()
    response = error_response(refused, request.scope)
    response.headers.update(getattr(error, "headers", None) or {})  # which methods there are
    return response
