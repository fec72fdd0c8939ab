"""What a person sees where a page cannot be shown: what is the matter, and what to do."""

from functools import cache

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from serving.api.refusal import RefusedError
from serving.pages.languages import READER, reader_of
from serving.pages.paths import WORK_LIST
from serving.pages.render import Render, renderer

TOLD = frozenset({"not_found", "forbidden", "unauthorized", "invalid", "too_many_requests"})
"""Codes that have words of their own; of any other its message is told."""
PROGRAMS = "/v1/"  # below it all answers have one shape, whatever is accepted


def is_for_people(scope: Scope) -> bool:
    """Tell whether a person asked, in a browser, also for what there is not."""
    accepted = Headers(scope=scope).get("accept", "")
    return "text/html" in accepted and not scope["path"].startswith(PROGRAMS)


def refused_page(refused: RefusedError, scope: Scope) -> Response:
    """Give the page that says why there is no other, in the reader's language."""
    token = READER.set(reader_of(scope))
    try:
        return _render()(
            "refused.html",
            refused.status,
            key=refused.code if refused.code in TOLD else "other",
            message=refused.message,
            details=refused.details,
            request_id=scope["tenure.request_id"],
            back=WORK_LIST,
        )
    finally:
        READER.reset(token)


@cache
def _render() -> Render:
    return renderer()
