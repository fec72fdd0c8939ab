"""The login with a password, and the logout."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access import attempts
from serving.access.passwords import fits
from serving.access.session import is_marked
from serving.access.users import KeptUser, end_session, user_of
from serving.api.body import read_form
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.pages.cookies import FORM, SESSION, opened, session_of, set_cookie
from serving.pages.paths import LOGIN, LOGOUT, safe_next
from serving.pages.render import Render
from serving.pages.texts import say
from serving.parts import Parts
from serving.store import tables


def login_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes by which people come with a password, and go."""

    async def login(request: Request) -> Response:
        if request.method == "POST":
            return await _log_in(parts, render, request)
        return login_form(parts, render, request.query_params.get("next", ""))

    async def logout(request: Request) -> Response:
        return await _log_out(parts, request)

    return [
        Route(LOGIN, login, methods=["GET", "POST"]),
        Route(LOGOUT, logout, methods=["POST"]),
    ]


def login_form(
    parts: Parts,
    render: Render,
    wanted: str,
    status: int = HTTPStatus.OK,
    problem: str = "",
) -> Response:
    """Show the form, for a login that leads to the page that was wanted."""
    cookie = parts.signer.open(FORM, "", parts.now())
    session = parts.signer.read(FORM, cookie, parts.now())
    response = render(
        "login.html",
        status,
        mark=session.mark if session else "",
        problem=problem,
        wanted=safe_next(wanted),
        is_known_elsewhere=parts.provider is not None,
    )
    set_cookie(parts, response, FORM, cookie)
    return response


def welcome(parts: Parts, user: KeptUser, response: Response) -> Response:
    """Open a session for a user, another one than any before."""
    session = parts.signer.open(SESSION, user.subject, parts.now())
    set_cookie(parts, response, SESSION, session)
    response.delete_cookie(FORM)
    return response


def note_login(parts: Parts, action: str, who: str, how: str) -> None:
    """Add a login, or one that was refused, to the audit trail."""
    with parts.store.writing() as connection:
        tables.note(connection, parts.now(), who, action, how)


async def _log_in(parts: Parts, render: Render, request: Request) -> Response:
    form = await read_form(request)
    wanted = form.get("next", "")
    session = opened(parts, request.headers, FORM)
    if session is None or not is_marked(session, form.get("mark", "")):
        return login_form(parts, render, wanted, HTTPStatus.FORBIDDEN, say("login.too_old"))
    address: str = request.scope["tenure.address"]
    login = form.get("login", "")
    wait = await run_in_threadpool(_begun, parts, login, address)
    if wait:
        return _later(parts, render, wanted, wait)
    async with parts.hashing.place():
        user = await run_in_threadpool(_known, parts, form, address)
    if user is None:
        return login_form(parts, render, wanted, HTTPStatus.UNAUTHORIZED, say("login.wrong"))
    return welcome(parts, user, RedirectResponse(safe_next(wanted), HTTPStatus.SEE_OTHER))


def _begun(parts: Parts, login: str, address: str) -> timedelta:
    wait = attempts.begin(parts.store, login, address, parts.now())
    if wait:
        note_login(parts, "refused login", "unknown", "too many")
    return wait


def _known(parts: Parts, form: Mapping[str, str], address: str) -> KeptUser | None:
    """Give whose login and password these are; as slow for nobody as for a user."""
    login = form.get("login", "")
    user = user_of(parts.store, login)
    may = user is not None and user.disabled_at is None
    kept = user.password_hash if user is not None and may else None
    if not fits(kept, form.get("password", "")) or user is None:
        note_login(parts, "refused login", "unknown", user.user_id if user else "password")
        return None
    attempts.succeed(parts.store, login, address, parts.now())
    note_login(parts, "login", user.user_id, "password")
    return user


def _later(parts: Parts, render: Render, wanted: str, wait: timedelta) -> Response:
    seconds = math.ceil(wait.total_seconds())
    problem = say("login.too_many", wait=_duration(seconds))
    response = login_form(parts, render, wanted, HTTPStatus.TOO_MANY_REQUESTS, problem)
    response.headers["retry-after"] = str(seconds)
    return response


def _duration(seconds: int) -> str:
    if seconds <= 90:  # noqa: PLR2004 - beyond, minutes are easier to wait by
        return say("login.seconds", seconds=seconds)
    return say("login.minutes", minutes=math.ceil(seconds / 60))


async def _log_out(parts: Parts, request: Request) -> Response:
    form = await read_form(request)
    session = session_of(parts, request)
    if session is None or not is_marked(session, form.get("mark", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "This form was not sent from the page."
        )
    who = caller_of(request).principal.who
    await run_in_threadpool(_ended, parts, session.session_id, who, session.ends_at)
    response = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION)
    return response


def _ended(parts: Parts, session_id: str, who: str, ends_at: datetime) -> None:
    end_session(parts.store, session_id, who, ends_at, parts.now())
    parts.people.forget(who)
    note_login(parts, "logout", who, "page")
