"""The OpenAPI 3.1 document, made from the types that requests are checked with."""

from collections.abc import Iterable
from typing import Any

import msgspec

from serving import schema
from serving.calls import CALLS, Call

INTERFACE_VERSION = "1"  # of the calls under /v1, not of the package
REFERENCE = "#/components/schemas/{name}"
REFUSALS = {
    "400": "No JSON that can be read",
    "401": "No live token",
    "403": "The token lacks the scope",
    "404": "Nothing there",
    "409": "The idempotency key was used for something else",
    "413": "The body is too large",
    "415": "The body is no JSON",
    "422": "A field cannot be used",
    "429": "Too many requests: the header Retry-After says in how many seconds to ask again",
    "503": "No scores yet, or the store or the audit log cannot be used",
}
PROBES = {"/livez": "Whether the process is alive", "/readyz": "Whether it can answer"}


def document() -> dict[str, Any]:
    """Make the document of all calls."""
    types = [kind for call in CALLS for kind in (call.answers_with, call.body) if kind]
    types += [schema.ErrorAnswer, schema.HealthAnswer, schema.ProbeAnswer]
    _, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tenure", "version": INTERFACE_VERSION},
        "security": [{"token": []}],
        "paths": paths | _operator_paths(),
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": call.summary,
        "operationId": call.answer.__name__,
        "description": f"Scope: {call.scope or 'any live token'}.",
        "responses": {"200": _content("The answer", call.answers_with), **_refusals(call)},
    }
    parameters = [*_path_parameters(call), *_query_parameters(call.query)]
    if parameters:
        operation["parameters"] = parameters
    if call.body:
        operation["requestBody"] = {"required": True, **_content("", call.body)}
        del operation["requestBody"]["description"]
    return operation


def _content(description: str, kind: type) -> dict[str, Any]:
    reference = {"$ref": REFERENCE.format(name=kind.__name__)}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _refusals(call: Call) -> dict[str, Any]:
    of_bodies = {"400", "409", "413", "415"}
    return {
        status: _content(text, schema.ErrorAnswer)
        for status, text in REFUSALS.items()
        if call.body or status not in of_bodies
    }


def _path_parameters(call: Call) -> Iterable[dict[str, Any]]:
    if "{account_id}" in call.path:
        yield {
            "name": "account_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
        }


def _query_parameters(query: type | None) -> Iterable[dict[str, Any]]:
    if query is None:
        return
    properties = msgspec.json.schema(query)["$defs"][query.__name__]["properties"]
    for name, shape in properties.items():
        yield {"name": name, "in": "query", "required": False, "schema": shape}


def _operator_paths() -> dict[str, Any]:
    probes = {
        path: {
            "get": {
                "summary": summary,
                "security": [],
                "responses": {
                    "200": _content("Yes", schema.ProbeAnswer),
                    "503": _content("No", schema.ProbeAnswer),
                },
            }
        }
        for path, summary in PROBES.items()
    }
    health = {"200": _content("How it is", schema.HealthAnswer)}
    text = {"200": {"description": "Prometheus' text format", "content": {"text/plain": {}}}}
    return {
        **probes,
        "/healthz": {"get": {"summary": "How the service is", "responses": health}},
        "/metrics": {"get": {"summary": "Metrics", "responses": text}},
    }
