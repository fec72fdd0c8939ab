"""The OpenAPI 3.1 document, made from the types that requests are checked with."""

import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from serving.api import schema
from serving.api.calls import CALLS, Call
from serving.api.examples import ANSWERS, ERRORS, PARAMETERS, REQUESTS
from serving.api.fields import AccountId

Json = dict[str, Any]
INTERFACE_VERSION = "1"  # of the calls under /v1, not of the package
SCHEMAS = "#/components/schemas/{name}"
RESPONSES = "#/components/responses/Status{status}"
HEADERS = "#/components/headers/{name}"
REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        400: "No JSON that can be read",
        401: "No live token",
        403: "The token lacks the scope",
        404: "Nothing there, or nothing that the token may see",
        405: "The address has no such method",
        409: "The idempotency key was used for something else",
        413: "The body is too large",
        415: "The body is no JSON",
        422: "A field cannot be used: `details` names it",
        429: "Too many requests",
        500: "The service failed: its log has the request's id",
        503: "No scores that are young enough, too much to do, or no store or audit log to use",
        504: "The request took longer than the service waits",
    }
)
OF_ALL = frozenset({405, 500, 503, 504})
OF_GUARDED = OF_ALL | {401, 429}
OF_BODIES = frozenset({400, 413, 415, 422})
ABOUT = """Churn and expansion scores, their reasons and the work list.

Every call but `/livez` and `/readyz` needs a token, which `tenure tokens add` makes. Times are UTC.
Errors have one shape; `request_id` stands in the header `X-Request-ID` and in the log too.
"""
SECURITY: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "tenure_<id>_<secret>",
        "description": "A token of `tenure tokens add`. The roles of a call are the scopes that "
        "open it; a token with the scope `admin` opens all.",
    }
}
ADDED_HEADERS: Json = {
    "RequestId": {"description": "The request's id in the log.", "schema": {"type": "string"}},
    "RetryAfter": {
        "description": "In how many seconds to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that there are.", "schema": {"type": "string"}},
}
HEADERS_OF: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {
        401: {"WWW-Authenticate": "Authenticate"},
        405: {"Allow": "Allow"},
        429: {"Retry-After": "RetryAfter"},
        503: {"Retry-After": "RetryAfter"},
    }
)


def document() -> Json:
    """Make the document of all calls."""
    kinds = [kind for call in CALLS for kind in (call.answers_with, call.body) if kind]
    kinds += [schema.ErrorAnswer, schema.HealthAnswer, schema.ProbeAnswer]
    _, components = msgspec.json.schema_components(kinds, ref_template=SCHEMAS)
    paths: dict[str, Json] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "Tenure",
            "version": INTERFACE_VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document came from"}],
        "security": [{"token": []}],
        "tags": [
            {"name": "calls", "description": "What a CRM, a CSM or a data scientist asks"},
            {"name": "operation", "description": "What an operator asks"},
        ],
        "paths": paths | _operator_paths(),
        "components": {
            "schemas": components,
            "responses": {f"Status{status}": _refusal(status) for status in REFUSALS},
            "headers": ADDED_HEADERS,
            "securitySchemes": SECURITY,
        },
    }
    return {key: _tidied(value) for key, value in made.items()}


def _operation(call: Call) -> Json:
    guarded = f"Scope: `{call.scope}`." if call.scope else "Any live token."
    operation: Json = {
        "tags": ["calls"],
        "summary": call.summary,
        "operationId": call.name,
        "description": f"{call.about} {guarded}",
        "security": [{"token": [call.scope] if call.scope else []}],
        "responses": {
            "200": _answer("The answer", call.answers_with),
            **_refusals(_statuses(call)),
        },
    }
    parameters = [*_path_parameters(call), *_query_parameters(call.query)]
    if parameters:
        operation["parameters"] = parameters
    if call.body:
        shown = msgspec.to_builtins(REQUESTS[call.body])
        content = _json(call.body, {"example": {"value": shown}})
        operation["requestBody"] = {
            "description": "At most 1 MiB.",
            "required": True,
            "content": content,
        }
    return operation


def _statuses(call: Call) -> set[int]:
    found = set(OF_GUARDED | call.refuses)
    if call.scope:
        found.add(403)
    if call.body:
        found |= OF_BODIES
    if call.query:
        found.add(422)
    return found


def _refusals(statuses: Iterable[int]) -> Json:
    return {
        str(status): {"$ref": RESPONSES.format(status=status)}
        for status in REFUSALS
        if status in set(statuses)
    }


def _refusal(status: int) -> Json:
    shown = {
        example.error.code: {"value": msgspec.to_builtins(example)} for example in ERRORS[status]
    }
    return {
        "description": REFUSALS[status],
        "headers": _headers(HEADERS_OF.get(status, {})),
        "content": _json(schema.ErrorAnswer, shown),
    }


def _answer(description: str, kind: type, example: object = None) -> Json:
    shown = msgspec.to_builtins(ANSWERS[kind] if example is None else example)
    return {
        "description": description,
        "headers": _headers({}),
        "content": _json(kind, {"example": {"value": shown}}),
    }


def _json(kind: type, examples: Json) -> Json:
    reference = {"$ref": SCHEMAS.format(name=kind.__name__)}
    return {"application/json": {"schema": reference, "examples": examples}}


def _headers(added: Mapping[str, str]) -> Json:
    named = {"X-Request-ID": "RequestId", **added}
    return {header: {"$ref": HEADERS.format(name=name)} for header, name in named.items()}


def _path_parameters(call: Call) -> Iterable[Json]:
    if "{account_id}" in call.path:
        shape = msgspec.json.schema(AccountId)
        yield _parameter("account_id", "path", shape, required=True)


def _query_parameters(query: type | None) -> Iterable[Json]:
    if query is None:
        return
    properties = msgspec.json.schema(query)["$defs"][query.__name__]["properties"]
    for name, shape in properties.items():
        # There is no null in a query: a parameter is there or it is not.
        (given,) = [one for one in shape.get("anyOf", [shape]) if one != {"type": "null"}]
        if shape.get("default") is not None:
            given = {**given, "default": shape["default"]}
        yield _parameter(name, "query", given, required=False)


def _parameter(name: str, where: str, shape: Json, *, required: bool) -> Json:
    shape = dict(shape)
    parameter = {
        "name": name,
        "in": where,
        "required": required,
        "description": shape.pop("description"),
        "schema": shape,
    }
    return parameter | ({"example": PARAMETERS[name]} if name in PARAMETERS else {})


def _operator_paths() -> Json:
    alive, ready = schema.ProbeAnswer("alive"), schema.ProbeAnswer("ready")
    not_ready = schema.ProbeAnswer("not_ready", ["snapshot"])
    metrics = {"schema": {"type": "string"}, "example": "tenure_scores_age_hours 36.0\n"}
    described = {"schema": {"type": "object"}}
    return {
        "/livez": _probe("Whether the process is alive", "is_alive", alive),
        "/readyz": _probe("Whether it can answer", "is_ready", ready, not_ready),
        "/healthz": _operator_path(
            "How the service is", "get_health", _answer("How it is", schema.HealthAnswer)
        ),
        "/metrics": _operator_path(
            "What is measured",
            "get_metrics",
            _content("Prometheus' text format", {"text/plain": metrics}),
        ),
        "/openapi.json": _operator_path(
            "This document",
            "get_description",
            _content("OpenAPI 3.1", {"application/json": described}),
        ),
        "/openapi-3.0.json": _operator_path(
            "The calls of a CRM, for what reads OpenAPI 3.0 only",
            "get_older_description",
            _content("OpenAPI 3.0", {"application/json": described}),
        ),
    }


def _content(description: str, content: Json) -> Json:
    return {"description": description, "headers": _headers({}), "content": content}


def _operator_path(summary: str, name: str, answer: Json) -> Json:
    operation = {
        "tags": ["operation"],
        "summary": summary,
        "operationId": name,
        "description": "Any live token.",
        "responses": {"200": answer, **_refusals(OF_GUARDED)},
    }
    return {"get": operation}


def _probe(
    summary: str, name: str, good: schema.ProbeAnswer, bad: schema.ProbeAnswer | None = None
) -> Json:
    responses = {"200": _answer("Yes", schema.ProbeAnswer, good)}
    if bad is not None:
        responses["503"] = _answer("No", schema.ProbeAnswer, bad)
    operation = {
        "tags": ["operation"],
        "summary": summary,
        "operationId": name,
        "description": "Open: no token is asked for.",
        "security": [],
        "responses": {**responses, **_refusals({405})},
    }
    return {"get": operation}


def _tidied(value: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Lay texts out for readers, and say the type of what is one of several texts."""
    if isinstance(value, list):
        return [_tidied(one) for one in value]
    if not isinstance(value, dict):
        return value
    tidied = {key: _tidied(one) for key, one in value.items()}
    if isinstance(tidied.get("description"), str):
        tidied["description"] = inspect.cleandoc(tidied["description"])
    if isinstance(tidied.get("enum"), list):
        tidied.setdefault("type", "string")
    return tidied
