"""The cookies of the pages: who has logged in, and who is about to."""

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from serving.access.session import Session
from serving.parts import Parts

SESSION = "tenure_session"
FORM = "tenure_login"
ELSEWHERE = "tenure_oidc"


def cookie_of(headers: Headers, name: str) -> str:
    """Give a cookie's value, empty when there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def opened(parts: Parts, headers: Headers, name: str) -> Session | None:
    """Give what a signed cookie of that name says; None when there is none that is good."""
    return parts.signer.read(name, cookie_of(headers, name), parts.now())


def session_of(request: Request) -> Session | None:
    """Give the login that a request belongs to: the guard found it open."""
    found: Session | None = request.scope.get("tenure.session")
    return found


def set_cookie(parts: Parts, response: Response, name: str, value: str) -> None:
    """Send a cookie that no script can read.

    It is sent along when a link elsewhere is followed to a page: links in e-mails and a CRM lead to
    pages. What changes something is a form, which other sites cannot send with it, nor without the
    session's mark.
    """
    response.set_cookie(
        name,
        value,
        max_age=int(parts.signer.lifetime.total_seconds()),
        path="/",
        secure=parts.settings.behind_tls,
        httponly=True,
        samesite="lax",
    )
