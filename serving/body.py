"""Reading what a request carries: bounded, of the right type, and checked before it is used."""

import re
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from serving.refusal import RefusedError, invalid

MOST_BYTES = 1024 * 1024
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
WHERE = re.compile(r"^(?P<problem>.*) - at `(?:key in )?\$?\.?(?P<field>[^`]*)`$", re.DOTALL)
MOST_OF_A_PROBLEM = 300

T = TypeVar("T")


async def read_json(request: Request, kind: type[T]) -> T:
    """Read a JSON body as `kind`; raises RefusedError for any other body."""
    content = await _read(request, JSON)
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise _refused(error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "invalid_json", "The body is no JSON that can be read."
        ) from error


async def read_form(request: Request) -> dict[str, str]:
    """Read a form of single fields; raises RefusedError for any other body."""
    content = await _read(request, FORM)
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError as error:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "invalid_form", "The body is no form that can be read."
        ) from error
    return dict(pairs)


def read_query(request: Request, kind: type[T]) -> T:
    """Read the query as `kind`; raises RefusedError for unknown, repeated or wrong parameters."""
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) < len(pairs):
        raise invalid("query", "expected each parameter once")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(error) from error


async def _read(request: Request, media_type: str) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > MOST_BYTES:
        raise _too_large()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            f"The body has to be sent as {media_type}.",
        )
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise _too_large()
    return bytes(content)


def _too_large() -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"The body is larger than {MOST_BYTES} bytes. Send less at a time.",
    )


def _refused(error: msgspec.ValidationError) -> RefusedError:
    found = WHERE.match(str(error))
    field = found["field"] if found else ""
    problem = found["problem"] if found else str(error)
    return invalid(field[:MOST_OF_A_PROBLEM] or "body", problem[:MOST_OF_A_PROBLEM])
