"""The work list in a browser: a login, one table, no script."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from serving.access.session import Session, is_marked
from serving.access.tokens import Principal, principal_of
from serving.api import answers, schema
from serving.api.body import read_form, read_query
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.parts import Caller, Parts
from serving.scoring.plays import NO_REASON, leading_reason
from serving.store import lookup, tables

FOLDER = Path(__file__).parent
LOGIN = "/login"
STYLE = "/login.css"
PAGES = frozenset({"/", "/logout"})
SESSION_COOKIE = "tenure_session"
FORM_COOKIE = "tenure_login"
UNKNOWN = "unknown"

Render = Callable[..., Response]


def page_routes(parts: Parts) -> list[Route]:
    """Give the routes of the pages; all but the login and its style need a session or a token."""
    render = _renderer()
    style = (FOLDER / "tenure.css").read_text(encoding="utf-8")

    async def style_sheet(_request: Request) -> Response:
        return Response(style, media_type="text/css")

    async def login(request: Request) -> Response:
        if request.method == "POST":
            return await _log_in(parts, render, request)
        return _login_form(parts, render)

    async def logout(request: Request) -> Response:
        return await _log_out(parts, request)

    async def index(request: Request) -> Response:
        return await _index(parts, render, request)

    return [
        Route(STYLE, style_sheet),
        Route(LOGIN, login, methods=["GET", "POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/", index),
    ]


def cookie_of(headers: Headers, name: str) -> str:
    """Give a cookie's value, empty when there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def percent(share: float | None) -> str:
    """Write a probability for people: ``34 %``, and never a rounded 0 or 100."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.01:  # noqa: PLR2004 - one percent
        return "< 1 %"
    if 0.99 < share < 1:  # noqa: PLR2004 - ninety-nine percent
        return "> 99 %"
    return f"{share * 100:.0f} %"


def money(amount: float | None, currency: str) -> str:
    """Write an amount for people, without cents: ``USD 12,300``."""
    return UNKNOWN if amount is None or math.isnan(amount) else f"{currency} {amount:,.0f}"


def why(reasons: Sequence[schema.ReasonAnswer]) -> str:
    """Give the sentence of the leading reason."""
    leading = leading_reason([msgspec.structs.asdict(reason) for reason in reasons])
    return str(leading["text"]) if leading else NO_REASON


def _renderer() -> Render:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, money=money, why=why)

    def render(name: str, status: int = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401 - a template's values
        return HTMLResponse(environment.get_template(name).render(**values), status)

    return render


def _login_form(
    parts: Parts, render: Render, status: int = HTTPStatus.OK, problem: str = ""
) -> Response:
    cookie = parts.signer.open("", parts.now())
    session = parts.signer.read(cookie, parts.now())
    mark = session.mark if session else ""
    response = render("login.html", status, mark=mark, problem=problem, style=STYLE)
    _set_cookie(parts, response, FORM_COOKIE, cookie)
    return response


async def _log_in(parts: Parts, render: Render, request: Request) -> Response:
    form = await read_form(request)
    opened = parts.signer.read(cookie_of(request.headers, FORM_COOKIE), parts.now())
    if opened is None or not is_marked(opened, form.get("mark", "")):
        problem = "This form is too old. Please try again."
        return _login_form(parts, render, HTTPStatus.FORBIDDEN, problem)
    principal = await run_in_threadpool(_known, parts, form.get("token", "").strip())
    if principal is None:
        problem = "This is no live token that may read the work list."
        return _login_form(parts, render, HTTPStatus.UNAUTHORIZED, problem)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    session = parts.signer.open(f"{principal.token_id}-{principal.mark}", parts.now())
    _set_cookie(parts, response, SESSION_COOKIE, session)
    response.delete_cookie(FORM_COOKIE)
    return response


def _known(parts: Parts, token: str) -> Principal | None:
    principal = principal_of(parts.store, token, parts.now())
    allowed = principal if principal is not None and principal.may("read") else None
    with parts.store.writing() as connection:
        actor = allowed.token_id if allowed else "unknown"
        action = "login" if allowed else "refused login"
        tables.note(connection, parts.now(), actor, action, "page")
    return allowed


async def _log_out(parts: Parts, request: Request) -> Response:
    form = await read_form(request)
    session = _session(parts, request)
    if session is None or not is_marked(session, form.get("mark", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "This form was not sent from the page."
        )
    response = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


async def _index(parts: Parts, render: Render, request: Request) -> Response:
    caller = caller_of(request)
    if not caller.principal.may("read"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This token lacks the scope 'read'.")
    session = _session(parts, request)
    asked = read_query(_without_empty(request), schema.WorklistQuery)
    shown = await run_in_threadpool(_shown, parts, caller, asked)
    return render("worklist.html", style=STYLE, mark=session.mark if session else "", **shown)


def _session(parts: Parts, request: Request) -> Session | None:
    return parts.signer.read(cookie_of(request.headers, SESSION_COOKIE), parts.now())


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
    book = caller.principal.book
    return {
        "listed": listed,
        "problem": loaded.problem,
        "asked": asked,
        "date": _day(listed.as_of),
        "is_stale": listed.age_hours > parts.settings.stale_after_days * 24,
        "csms": lookup.choices(parts.store, publication, "csm", book),
        "tiers": lookup.choices(parts.store, publication, "tier", book),
        "next_page": _next_page(asked, listed.next_cursor),
    }


def _next_page(asked: schema.WorklistQuery, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = {"csm": asked.csm, "tier": asked.tier, "limit": asked.limit, "cursor": cursor}
    return "/?" + urlencode({name: value for name, value in query.items() if value is not None})


def _day(time: datetime) -> str:
    return time.date().isoformat()


def _set_cookie(parts: Parts, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(parts.signer.lifetime.total_seconds()),
        path="/",
        secure=parts.settings.behind_tls,
        httponly=True,
        samesite="strict",
    )
