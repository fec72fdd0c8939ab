"""The login with a password, and the logout."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access import attempts
from serving.access.kept_sessions import (
    close_session,
    kept_session,
    open_session,
    session_id,
    session_of_secret,
)
from serving.access.passwords import fits
from serving.access.session import Session, is_marked
from serving.access.users import KeptUser, user_of
from serving.api.body import read_form
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.pages.cookies import FORM, SESSION, opened, session_of, set_cookie
from serving.pages.paths import LOGIN, LOGOUT, TYPED, safe_next
from serving.pages.render import Render
from serving.pages.texts import say
from serving.parts import Caller, Parts
from serving.store import tables

KEPT = "form."
"""Begins the names of what was typed into a form that was sent after its session had ended."""
NOT_KEPT = frozenset({"mark", "back"})
NOTHING: Mapping[str, str] = {}
Resume = Callable[[Caller, Session | None, Mapping[str, str]], Response]
"""Shows a form again, filled with what was typed, to who has just logged in."""


def login_routes(parts: Parts, render: Render, forms: Mapping[str, Resume]) -> list[Route]:
    """Give the routes by which people come with a password, and go.

    Parameters
    ----------
    forms:
        How to go on with a form that was sent without a session, by the address it was sent to.
    """

    async def login(request: Request) -> Response:
        if request.method == "POST":
            return await _log_in(parts, render, request, forms)
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
    kept: Mapping[str, str] = NOTHING,
) -> Response:
    """Show the form, for a login that leads to the page that was wanted, or to what was typed."""
    cookie = parts.signer.open(FORM, "", parts.now())
    session = parts.signer.read(FORM, cookie, parts.now())
    response = render(
        "login.html",
        status,
        mark=session.mark if session else "",
        problem=problem,
        wanted=safe_next(wanted),
        is_known_elsewhere=parts.provider is not None,
        kept=kept,
    )
    set_cookie(parts, response, FORM, cookie)
    return response


def sign_in_first(parts: Parts, render: Render, typed: Mapping[str, str], to: str) -> Response:
    """Ask who sent a form without a session to log in; the login's own form holds what was typed.

    It never stands in an address, and nothing of it is done before its sender has seen it again.
    """
    kept = {name: value for name, value in typed.items() if name not in NOT_KEPT} | {"to": to}
    status, problem = HTTPStatus.UNAUTHORIZED, say("login.kept")
    return login_form(parts, render, typed.get("back", ""), status, problem, kept)


def welcome(parts: Parts, user: KeptUser, response: Response) -> Response:
    """Open a session for a user, another one than any before."""
    secret = open_session(parts.store, user, parts.now(), parts.signer.lifetime)
    return _with_session(parts, response, secret)


def _with_session(parts: Parts, response: Response, cookie: str) -> Response:
    set_cookie(parts, response, SESSION, cookie)
    response.delete_cookie(FORM)
    return response


def note_login(parts: Parts, action: str, who: str, how: str) -> None:
    """Add a login, or one that was refused, to the audit trail."""
    with parts.store.writing() as connection:
        tables.note(connection, parts.now(), who, action, how)


async def _log_in(
    parts: Parts, render: Render, request: Request, forms: Mapping[str, Resume]
) -> Response:
    form = await read_form(request)
    wanted, kept = form.get("next", ""), _kept(form)
    session = opened(parts, request.headers, FORM)
    if session is None or not is_marked(session, form.get("mark", "")):
        return login_form(parts, render, wanted, HTTPStatus.FORBIDDEN, say("login.too_old"), kept)
    address: str = request.scope["tenure.address"]
    login = form.get("login", "")
    wait = await run_in_threadpool(_begun, parts, login, address)
    if wait:
        return _later(parts, render, wanted, wait, kept)
    async with parts.hashing.place():
        user = await run_in_threadpool(_known, parts, form, address)
    if user is None:
        return login_form(parts, render, wanted, HTTPStatus.UNAUTHORIZED, say("login.wrong"), kept)
    if (resume := forms.get(kept.get("to", ""))) is None:
        to = RedirectResponse(safe_next(wanted), HTTPStatus.SEE_OTHER)
        return await run_in_threadpool(welcome, parts, user, to)
    caller = Caller(user.principal(), request.scope["tenure.request_id"], address)
    typed = {**kept, "back": safe_next(wanted)}
    return await run_in_threadpool(_resumed, parts, user, resume, caller, typed)


def _resumed(
    parts: Parts, user: KeptUser, resume: Resume, caller: Caller, typed: Mapping[str, str]
) -> Response:
    """Open a session, and show in it the form that was sent without one."""
    secret = open_session(parts.store, user, parts.now(), parts.signer.lifetime)
    kept = kept_session(parts.store, session_id(secret))
    session = session_of_secret(secret, kept) if kept else None
    return _with_session(parts, resume(caller, session, typed), secret)


def _kept(form: Mapping[str, str]) -> dict[str, str]:
    kept = {name.removeprefix(KEPT): value for name, value in form.items() if name.startswith(KEPT)}
    return kept if kept.get("to") in TYPED else {}


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


def _later(
    parts: Parts, render: Render, wanted: str, wait: timedelta, kept: Mapping[str, str]
) -> Response:
    seconds = math.ceil(wait.total_seconds())
    problem = say("login.too_many", wait=_duration(seconds))
    response = login_form(parts, render, wanted, HTTPStatus.TOO_MANY_REQUESTS, problem, kept)
    response.headers["retry-after"] = str(seconds)
    return response


def _duration(seconds: int) -> str:
    if seconds <= 90:  # noqa: PLR2004 - beyond, minutes are easier to wait by
        return say("login.seconds", seconds=seconds)
    return say("login.minutes", minutes=math.ceil(seconds / 60))


async def _log_out(parts: Parts, request: Request) -> Response:
    form = await read_form(request)
    session = session_of(request)
    if session is None or not is_marked(session, form.get("mark", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "This form was not sent from the page."
        )
    who = caller_of(request).principal.who
    await run_in_threadpool(_ended, parts, session.session_id, who)
    response = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION)
    return response


def _ended(parts: Parts, closed: str, who: str) -> None:
    close_session(parts.store, closed)
    parts.sessions.forget(closed)
    note_login(parts, "logout", who, "page")
