"""The calls of a CRM in OpenAPI 3.0: Salesforce's External Services read no 3.1."""

import json
import re
from typing import Any

Json = dict[str, Any]
VERSION = "3.0.3"
OF_OTHERS = "/v1/predict"  # a data scientist's: its rows have values of several types
OR_NULL = re.compile(r'{"\$ref": "#/components/schemas/(\w+)"}, {"type": "null"}')
REFERENCE = re.compile(r'"#/components/(\w+)/(\w+)"')


def older(document: Json) -> Json:
    """Give a document of OpenAPI 3.1 as one of 3.0, with the calls of a CRM and what they need."""
    paths = {
        path: {method: _operation(one) for method, one in item.items()}
        for path, item in document["paths"].items()
        if path.startswith("/v1/") and path != OF_OTHERS
    }
    about = dict(document["info"])
    about["license"] = {"name": about["license"]["name"]}
    made = {
        **document,
        "openapi": VERSION,
        "info": about,
        "tags": [tag for tag in document["tags"] if tag["name"] == "calls"],
        "paths": _plain(paths),
    }
    return {
        **made,
        "components": _reached(made["paths"], _plain(_nullable(document["components"]))),
    }


def _operation(operation: Json) -> Json:
    """Name no roles: 3.0 has none for tokens."""
    return {**operation, "security": [{"token": []}]}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Say that something may be null in the way of 3.0."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(one) for key, one in value.items()}
    kinds = plain.get("anyOf")
    if not isinstance(kinds, list) or {"type": "null"} not in kinds:
        return plain
    others = [one for one in kinds if one != {"type": "null"}]
    if "$ref" in others[0]:
        return others[0]  # what it refers to may be null: see `_nullable`
    rest = {key: one for key, one in plain.items() if key not in {"anyOf", "default"}}
    shape = others[0] if len(others) == 1 else {"anyOf": others}
    if "enum" in shape:
        shape = {**shape, "enum": [*shape["enum"], None]}
    return {**rest, **shape, "nullable": True}


def _nullable(components: Json) -> Json:
    """Let what is referred to as this or null be null itself: 3.0 has no other way."""
    found = set(OR_NULL.findall(json.dumps(components)))
    schemas = {
        name: {**one, "nullable": True} if name in found else one
        for name, one in components["schemas"].items()
    }
    return {**components, "schemas": schemas}


def _reached(paths: Json, components: Json) -> Json:
    """Leave out the components that no path leads to."""
    found: set[tuple[str, str]] = set()
    ahead = set(REFERENCE.findall(json.dumps(paths)))
    while ahead:
        found |= ahead
        parts = [components[kind][name] for kind, name in ahead]
        ahead = set(REFERENCE.findall(json.dumps(parts))) - found
    kept = {
        kind: {name: one for name, one in named.items() if (kind, name) in found}
        for kind, named in components.items()
    }
    return {**kept, "securitySchemes": components["securitySchemes"]}
