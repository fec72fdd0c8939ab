"""In which language a page is written: as chosen by a link, else as the browser asks."""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.pages.cookies import cookie_of
from serving.pages.paths import OPEN_PAGES, is_page

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "zh": "中文"})
"""The languages that have a catalogue, each by its own name."""
DEFAULT = "en"
PARAMETER, COOKIE = "lang", "tenure_language"
A_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Reader:
    """Who reads a page: in which language, and where it stands in each of the others.

    Attributes
    ----------
    role
        Of whom has logged in; None: nobody has.
    path
        The page.
    """

    language: str = DEFAULT
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    role: str | None = None
    path: str = ""


READER: ContextVar[Reader] = ContextVar("reader")


def reader() -> Reader:
    """Give who reads what is written now; where nobody asked, it is English."""
    return READER.get(Reader())


def language_in_use() -> str:
    """Give the language of what is written now."""
    return reader().language


class Languages:
    """Finds the language of each request to a page, and keeps the one chosen by a link.

    Parameters
    ----------
    app:
        What stands behind it.
    is_tls:
        Whether browsers come by HTTPS.
    """

    def __init__(self, app: ASGIApp, *, is_tls: bool) -> None:
        self._app = app
        self._is_tls = is_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in its language."""
        if scope["type"] != "http" or not (is_page(scope["path"]) or scope["path"] in OPEN_PAGES):
            await self._app(scope, receive, send)
            return
        query = _query(scope)
        if PARAMETER in dict(query) and scope["method"] in {"GET", "HEAD"}:
            await self._chosen(scope, dict(query)[PARAMETER])(scope, receive, send)
            return
        token = READER.set(reader_of(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            READER.reset(token)

    def _chosen(self, scope: Scope, language: str) -> Response:
        """Lead on to the same view, whose address names no language: it may be sent to anyone."""
        response = RedirectResponse(_address(scope), HTTPStatus.SEE_OTHER)
        if language in LANGUAGES:
            response.set_cookie(
                COOKIE,
                language,
                max_age=A_YEAR,
                secure=self._is_tls,
                httponly=True,
                samesite="lax",
            )
        return response


def reader_of(scope: Scope) -> Reader:
    """Give who sent a request."""
    said = Headers(scope=scope)
    language = asked_for(cookie_of(said, COOKIE), said.get("accept-language", ""))
    return Reader(language, _elsewhere(scope, language), _role(scope), scope["path"])


def asked_for(chosen: str, accepted: str) -> str:
    """Give the language to write in.

    Parameters
    ----------
    chosen:
        What a link chose before; empty when none did.
    accepted:
        The header ``Accept-Language``: ranges and their weights (RFC 9110, 12.5.4).
    """
    if chosen in LANGUAGES:
        return chosen
    ranges = sorted(_ranges(accepted), key=lambda found: -found[1])  # stable: the first of equals
    refused = {tag for tag, weight in ranges if weight == 0}
    for tag, weight in ranges:
        language = DEFAULT if tag == "*" else tag
        if weight > 0 and language in LANGUAGES and language not in refused:
            return language
    return DEFAULT


def _ranges(accepted: str) -> Iterator[tuple[str, float]]:
    """Give the first part of each range and its weight; what cannot be read is left out."""
    for part in accepted.split(","):
        tag, _, parameter = part.partition(";")
        name, _, weight = parameter.strip().partition("=")
        if name.strip().lower() not in {"", "q"}:
            continue
        try:
            found = float(weight) if name else 1.0
        except ValueError:
            continue
        if 0 <= found <= 1:
            yield tag.strip().partition("-")[0].lower(), found


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _elsewhere(scope: Scope, language: str) -> dict[str, str]:
    """Give the address of the same page in each other language; what a form made has none."""
    if scope["method"] != "GET":
        return {}
    return {other: _address(scope, (PARAMETER, other)) for other in LANGUAGES if other != language}


def _role(scope: Scope) -> str | None:
    caller = scope.get("tenure.caller")
    return None if caller is None else caller.principal.role


def _address(scope: Scope, *more: tuple[str, str]) -> str:
    """Give the address of the same view, with what is added and without a language."""
    path = quote(scope["path"])
    query = [pair for pair in _query(scope) if pair[0] != PARAMETER] + [*more]
    return f"{path}?{urlencode(query)}" if query else path
