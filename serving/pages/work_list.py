"""The work list in a browser: one table, no script."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.api import answers, schema
from serving.api.body import read_query
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.pages.cookies import session_of
from serving.pages.paths import WORK_LIST
from serving.pages.render import Render
from serving.parts import Caller, Parts
from serving.store import lookup


def work_list_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes of the work list."""

    async def index(request: Request) -> Response:
        return await _index(parts, render, request)

    return [Route(WORK_LIST, index)]


async def _index(parts: Parts, render: Render, request: Request) -> Response:
    caller = caller_of(request)
    if not caller.principal.may("read"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This token lacks the scope 'read'.")
    session = session_of(parts, request)
    asked = read_query(_without_empty(request), schema.WorklistQuery)
    shown = await run_in_threadpool(_shown, parts, caller, asked)
    return render("worklist.html", mark=session.mark if session else "", **shown)


def _without_empty(request: Request) -> Request:
    """Leave out what the search form sends for an untouched field."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if value]
    return Request({**request.scope, "query_string": urlencode(kept).encode()})


def _shown(parts: Parts, caller: Caller, asked: schema.WorklistQuery) -> dict[str, Any]:
    loaded = parts.watch.look()
    if loaded.in_service is None:
        return {"listed": None, "problem": loaded.problem}
    publication = loaded.in_service.publication
    listed = answers.work_list(parts, caller, asked)
    parts.note_read(caller, "GET /", [entry.account_id for entry in listed.accounts])
    books = caller.principal.books
    return {
        "listed": listed,
        "problem": loaded.problem,
        "asked": asked,
        "date": _day(listed.as_of),
        "is_stale": listed.age_hours > parts.settings.stale_after_days * 24,
        "csms": lookup.choices(parts.store, publication, "csm", books),
        "tiers": lookup.choices(parts.store, publication, "tier", books),
        "next_page": _next_page(asked, listed.next_cursor),
    }


def _next_page(asked: schema.WorklistQuery, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = {"csm": asked.csm, "tier": asked.tier, "limit": asked.limit, "cursor": cursor}
    return "/?" + urlencode({name: value for name, value in query.items() if value is not None})


def _day(time: datetime) -> str:
    return time.date().isoformat()
