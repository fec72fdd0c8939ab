"""What a person sees where a page cannot be shown: what is the matter, and what to do."""

from functools import cache

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from serving.api.refusal import RefusedError
from serving.pages.languages import READER, reader_of
from serving.pages.paths import OPEN_PAGES, WORK_LIST, is_page
from serving.pages.render import Render, renderer

TOLD = frozenset({"not_found", "forbidden", "too_many_requests"})
"""Codes that have words of their own; of any other its message is told."""


def is_for_people(scope: Scope) -> bool:
    """Tell whether a browser asked for a page."""
    path = scope["path"]
    accepted = Headers(scope=scope).get("accept", "")
    return (is_page(path) or path in OPEN_PAGES) and "text/html" in accepted


def refused_page(refused: RefusedError, scope: Scope) -> Response:
    """Give the page that says why there is no other, in the reader's language."""
    token = READER.set(reader_of(scope))
    try:
        return _render()(
            "refused.html",
            refused.status,
            key=refused.code if refused.code in TOLD else "other",
            message=refused.message,
            request_id=scope["tenure.request_id"],
            back=WORK_LIST,
        )
    finally:
        READER.reset(token)


@cache
def _render() -> Render:
    return renderer()
