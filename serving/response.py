"""How answers and errors are written, the same everywhere."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving import schema
from serving.parts import Caller
from serving.refusal import RefusedError


def json_response(value: Any, status: int = HTTPStatus.OK) -> Response:  # noqa: ANN401 - any Struct of the schema
    """Give a value as JSON; a number that is not finite becomes null."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def error_response(refused: RefusedError, request_id: str) -> Response:
    """Give the one shape of errors."""
    body = schema.ErrorBody(
        code=refused.code,
        message=refused.message,
        details=list(refused.details),
        request_id=request_id,
    )
    return json_response(schema.ErrorAnswer(body), refused.status)


def caller_of(request: Request) -> Caller:
    """Give who was let in by the guard."""
    caller: Caller = request.scope["tenure.caller"]
    return caller
