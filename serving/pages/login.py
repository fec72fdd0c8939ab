"""The login, the logout, and the cookies of both."""

from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access.session import Session, is_marked
from serving.access.tokens import Principal, principal_of
from serving.api.body import read_form
from serving.api.refusal import RefusedError
from serving.pages.render import Render
from serving.parts import Parts
from serving.store import tables

LOGIN = "/login"
LOGOUT = "/logout"
SESSION_COOKIE = "tenure_session"
FORM_COOKIE = "tenure_login"


def login_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes by which people come and go."""

    async def login(request: Request) -> Response:
        if request.method == "POST":
            return await _log_in(parts, render, request)
        return _login_form(parts, render)

    async def logout(request: Request) -> Response:
        return await _log_out(parts, request)

    return [
        Route(LOGIN, login, methods=["GET", "POST"]),
        Route(LOGOUT, logout, methods=["POST"]),
    ]


def cookie_of(headers: Headers, name: str) -> str:
    """Give a cookie's value, empty when there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def session_of(parts: Parts, request: Request) -> Session | None:
    """Give the login that a request belongs to; None for a program's."""
    return parts.signer.read(cookie_of(request.headers, SESSION_COOKIE), parts.now())


def _login_form(
    parts: Parts, render: Render, status: int = HTTPStatus.OK, problem: str = ""
) -> Response:
    cookie = parts.signer.open("", parts.now())
    session = parts.signer.read(cookie, parts.now())
    mark = session.mark if session else ""
    response = render("login.html", status, mark=mark, problem=problem)
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
    session = parts.signer.open(f"{principal.who}-{principal.mark}", parts.now())
    _set_cookie(parts, response, SESSION_COOKIE, session)
    response.delete_cookie(FORM_COOKIE)
    return response


def _known(parts: Parts, token: str) -> Principal | None:
    principal = principal_of(parts.store, token, parts.now())
    allowed = principal if principal is not None and principal.may("read") else None
    with parts.store.writing() as connection:
        actor = allowed.who if allowed else "unknown"
        action = "login" if allowed else "refused login"
        tables.note(connection, parts.now(), actor, action, "page")
    return allowed


async def _log_out(parts: Parts, request: Request) -> Response:
    form = await read_form(request)
    session = session_of(parts, request)
    if session is None or not is_marked(session, form.get("mark", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "This form was not sent from the page."
        )
    response = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE)
    return response


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
