"""How answers and errors are written, the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from serving.api import schema
from serving.api.refusal import RefusedError
from serving.pages.refused import is_for_people, refused_page
from serving.parts import Caller

RETRY_AFTER = "1"  # seconds after which a part that was away is worth asking for again


@dataclass(frozen=True)
class Written:
    """An answer that is JSON already.

    Attributes
    ----------
    body
        Its text.
    pseudonyms
        What the accounts that it shows are called in the audit log.
    """

    body: bytes
    pseudonyms: Sequence[str]


class JsonResponse(Response):
    """An answer that is JSON already: less work than the two headers take Starlette."""

    def __init__(self, body: bytes, status: int) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def json_response(value: Any, status: int = HTTPStatus.OK) -> Response:  # noqa: ANN401 - any Struct of the schema
    """Give a value as JSON; a number that is not finite becomes null."""
    body = value.body if isinstance(value, Written) else msgspec.json.encode(value)
    return JsonResponse(body, status)


def error_response(refused: RefusedError, scope: Scope) -> Response:
    """Give the one shape of errors, to people a page; leave its code in the scope, for metrics."""
    scope["tenure.code"] = refused.code
    body = schema.ErrorBody(
        code=refused.code,
        message=refused.message,
        details=list(refused.details),
        request_id=scope["tenure.request_id"],
    )
    answer = schema.ErrorAnswer(body)
    for_people = is_for_people(scope)
    response = refused_page(refused, scope) if for_people else json_response(answer, refused.status)
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = RETRY_AFTER
    return response


def caller_of(request: Request) -> Caller:
    """Give who was let in by the guard."""
    caller: Caller = request.scope["tenure.caller"]
    return caller
