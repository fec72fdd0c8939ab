"""Reading what a request carries: bounded, of the right type, and checked before it is used."""

import re
from http import HTTPStatus
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request

from serving.api.refusal import Detail, RefusedError, invalid

MOST_BYTES = 1024 * 1024
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
WHERE = re.compile(r"^(?P<problem>.*) - at `(?:key in )?\$?\.?(?P<field>[^`]*)`$", re.DOTALL)
UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
IN_A_ROW = re.compile(r"^rows\[(?P<row>\d+)\]\[\.\.\.\]$")
PLACE = re.compile(r"\(byte (?P<byte>\d+)\)$")
NOT_FINITE = (b"NaN", b"Infinity", b"-Infinity")
MOST_OF_A_PROBLEM = 300
MOST_FIELDS = 20  # of a form

T = TypeVar("T")


async def read_json(request: Request, kind: type[T]) -> T:
    """Read a JSON body as `kind`; raises RefusedError for any other body."""
    content = await _read(request, JSON)
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise _refused(error, kind, content) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _no_json(error, content) from error


async def read_form(request: Request) -> dict[str, str]:
    """Read a form of single fields; raises RefusedError for any other body."""
    content = await _read(request, FORM)
    try:
        text = content.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
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
        raise _refused(error, kind) from error


async def _read(request: Request, media_type: str) -> bytes:
    told = dict(reversed(request.scope["headers"]))  # of two of a name the first counts
    declared = told.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > MOST_BYTES:
        raise _too_large()
    if told.get(b"content-type", b"").partition(b";")[0].strip().lower() != media_type.encode():
        raise _other_media(f"The body has to be sent as {media_type}.")
    # What is unpacked may be a thousand times larger than what was sent: nothing is.
    if told.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise _other_media("The body has to be sent as it is, not compressed.")
    content = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        content += message.get("body", b"")
        if len(content) > MOST_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(content)


def _other_media(message: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)


def _too_large() -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"The body is larger than {MOST_BYTES} bytes. Send less at a time.",
    )


def _no_json(error: Exception, content: bytes) -> RefusedError:
    place = PLACE.search(str(error))
    start = int(place["byte"]) if place else len(content)
    problem, found = "The body is no JSON that can be read.", f"no JSON at byte {start}"
    if content.startswith(NOT_FINITE, start):
        problem = "NaN and Infinity are not JSON. Send null where there is no number."
    elif isinstance(error, UnicodeDecodeError):
        found = "not in UTF-8"
    elif isinstance(error, RecursionError):
        found = "nested too deeply"
    return RefusedError(HTTPStatus.BAD_REQUEST, "invalid_json", problem, (Detail("body", found),))


def _refused(error: msgspec.ValidationError, kind: type, content: bytes = b"") -> RefusedError:
    found = WHERE.match(str(error))
    problem = found["problem"] if found else str(error)
    named = found or UNKNOWN.match(problem)
    field = _with_feature(named["field"], content) if named else ""
    wanted = get_type_hints(kind).get(field)
    if get_origin(wanted) is Literal:
        problem = f"expected one of {', '.join(get_args(wanted))}"
    return invalid(field[:MOST_OF_A_PROBLEM] or "body", problem[:MOST_OF_A_PROBLEM])


class _Rows(msgspec.Struct):
    rows: list[dict[str, msgspec.Raw]]


def _with_feature(field: str, content: bytes) -> str:
    """Name the feature of a row that cannot be used, which msgspec does not tell."""
    found = IN_A_ROW.match(field)
    if found is None:
        return field
    try:
        row = msgspec.json.decode(content, type=_Rows).rows[int(found["row"])]
        unfit = (name for name, cell in row.items() if not _is_cell(cell))
        return f"rows[{found['row']}].{next(unfit)}"
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, StopIteration):
        return field  # worse than one value is wrong with this body


def _is_cell(cell: msgspec.Raw) -> bool:
    try:
        msgspec.json.decode(cell, type=float | str | None)
    except msgspec.ValidationError:
        return False
    return True
