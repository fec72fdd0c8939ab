"""The ASGI application: routes from the calls, one shape of errors, nothing computed here."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from features.errors import AuditError, StoreError
from serving import answers, schema
from serving.body import read_json, read_query
from serving.calls import CALLS, Call
from serving.openapi import document
from serving.page import page_routes
from serving.parts import Caller, Parts
from serving.refusal import RefusedError, not_found
from serving.response import caller_of, error_response, json_response

LOG = logging.getLogger("tenure.requests")
Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(parts: Parts) -> Starlette:
    """Build the application; `serving.guard.Guard` has to stand around it."""
    routes = [
        Route(_starlette_path(call), _endpoint(parts, call), methods=[call.method])
        for call in CALLS
    ]
    return Starlette(
        routes=[*routes, *_operator_routes(parts), *page_routes(parts)],
        exception_handlers={
            RefusedError: _refused,
            StoreError: _store_failed,
            AuditError: _audit_failed,
            HTTPException: _unrouted,
        },
    )


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
        return json_response(await run_in_threadpool(_answer, parts, caller, call, asked))

    return endpoint


def _answer(parts: Parts, caller: Caller, call: Call, asked: Sequence[object]) -> object:
    """Compute an answer, and write down which accounts it shows before it can leave."""
    answer = call.answer(parts, caller, *asked)
    if call.shows is not None:
        parts.note_read(caller, f"{call.method} {call.path}", call.shows(answer))
    return answer


def _operator_routes(parts: Parts) -> list[Route]:
    described = document()

    async def livez(_request: Request) -> Response:
        return json_response(schema.ProbeAnswer("alive"))

    async def readyz(_request: Request) -> Response:
        try:
            ready = (await run_in_threadpool(parts.watch.look)).in_service is not None
        except StoreError:
            ready = False
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response(schema.ProbeAnswer("ready" if ready else "not ready"), status)

    async def healthz(_request: Request) -> Response:
        return json_response(await run_in_threadpool(answers.health, parts))

    async def metrics(_request: Request) -> Response:
        found = await run_in_threadpool(answers.health, parts)
        parts.metrics.scores_age.set(float("nan") if found.age_hours is None else found.age_hours)
        return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4")

    async def openapi(_request: Request) -> Response:
        return json_response(described)

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
    ]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette's type of a handler is wider than its use
    return error_response(error, request.scope["tenure.request_id"])


async def _store_failed(request: Request, _error: Exception) -> Response:
    refused = RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", "The store does not answer. Try again."
    )
    return error_response(refused, request.scope["tenure.request_id"])


async def _audit_failed(request: Request, _error: Exception) -> Response:
    LOG.error("%s the audit log takes no row", request.scope["tenure.request_id"])
    refused = RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "audit_unavailable",
        "It cannot be written down who reads this, so it is not shown. Try again.",
    )
    return error_response(refused, request.scope["tenure.request_id"])


async def _unrouted(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        refused = RefusedError(
            HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "This address has no such method."
        )
    else:
        refused = not_found()
    return error_response(refused, request.scope["tenure.request_id"])
