"""The login by a provider of OpenID Connect: there, and back."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest
from http import HTTPStatus

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access.kept_sessions import use_once
from serving.access.oidc import Asked, NotVouchedError, Provider, ProviderAwayError
from serving.access.session import Session
from serving.access.users import KeptUser, user_of
from serving.api.refusal import not_found
from serving.pages.cookies import ELSEWHERE, opened, set_cookie
from serving.pages.login import login_form, note_login, welcome
from serving.pages.paths import LOGIN_BACK, LOGIN_ELSEWHERE, safe_next
from serving.pages.render import Render
from serving.pages.texts import say
from serving.parts import Parts

HOW = "OpenID Connect"


def oidc_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes by which people come whom a provider vouches for."""

    async def there(request: Request) -> Response:
        return await _send(_provider(parts), parts, render, request)

    async def back(request: Request) -> Response:
        return await _receive(_provider(parts), parts, render, request)

    return [Route(LOGIN_ELSEWHERE, there), Route(LOGIN_BACK, back)]


def _provider(parts: Parts) -> Provider:
    if parts.provider is None:
        raise not_found()
    return parts.provider


async def _send(provider: Provider, parts: Parts, render: Render, request: Request) -> Response:
    wanted = safe_next(request.query_params.get("next", ""))
    subject = urlsafe_b64encode(wanted.encode()).decode()
    cookie = parts.signer.open(ELSEWHERE, subject, parts.now())
    session = parts.signer.read(ELSEWHERE, cookie, parts.now())
    assert session is not None  # noqa: S101 - it was opened in the line above
    try:
        async with provider.load.place():
            address = await run_in_threadpool(provider.address, _asked(parts, session))
    except NotVouchedError as error:
        return await _refused(parts, render, wanted, error)
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    set_cookie(parts, response, ELSEWHERE, cookie)
    return response


async def _receive(provider: Provider, parts: Parts, render: Render, request: Request) -> Response:
    session = opened(parts, request.headers, ELSEWHERE)
    wanted = safe_next(_wanted(session))
    try:
        async with provider.load.place():
            user = await run_in_threadpool(_vouched, provider, parts, session, request)
    except NotVouchedError as error:
        response = await _refused(parts, render, wanted, error)
    else:
        to = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        response = await run_in_threadpool(welcome, parts, user, to)
    response.delete_cookie(ELSEWHERE)
    return response


def _vouched(
    provider: Provider, parts: Parts, session: Session | None, request: Request
) -> KeptUser:
    """Give the user who was sent to the provider from this browser, and came back once."""
    query = request.query_params
    if session is None:
        raise NotVouchedError("Expected who was sent from here, got another. Log in anew.")
    asked = _asked(parts, session)
    if not compare_digest(query.get("state", "").encode(), asked.state.encode()):
        raise NotVouchedError("Expected the state that was sent, got another. Log in anew.")
    if query.get("iss", provider.client.issuer) != provider.client.issuer:
        raise NotVouchedError("Expected an answer of the provider, got another's. Log in anew.")
    if not use_once(parts.store, session.session_id, session.ends_at, parts.now()):
        raise NotVouchedError("Expected who comes back once, got one again. Log in anew.")
    if "code" not in query:
        raise NotVouchedError("Expected a code, got none: the provider refused. Log in anew.")
    email = provider.email(query["code"], asked, parts.now())
    user = user_of(parts.store, email)
    if user is None or user.disabled_at is not None:
        raise NotVouchedError("Expected the address of an enabled user, got another. Add one.")
    note_login(parts, "login", user.user_id, HOW)
    return user


def _asked(parts: Parts, session: Session) -> Asked:
    """Give what is sent along: nobody else can know it, and nothing has to be kept of it."""
    state, nonce, verifier = (
        parts.signer.secret(purpose, session.session_id) for purpose in ("state", "nonce", "code")
    )
    return Asked(state, nonce, verifier)


def _wanted(session: Session | None) -> str:
    return urlsafe_b64decode(session.subject).decode() if session else ""


async def _refused(parts: Parts, render: Render, wanted: str, error: NotVouchedError) -> Response:
    structlog.get_logger().warning("login refused", reason=str(error))
    await run_in_threadpool(note_login, parts, "refused login", "unknown", HOW)
    if isinstance(error, ProviderAwayError):
        status, problem = HTTPStatus.SERVICE_UNAVAILABLE, say("login.away")
    else:
        status, problem = HTTPStatus.UNAUTHORIZED, say("login.not_here")
    return login_form(parts, render, wanted, status, problem)
