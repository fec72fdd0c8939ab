"""The OpenAPI document: valid, whole, and true of what the running service says."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from features.home import Home
from serving.access.tokens import add_token
from serving.api.app import build_app
from serving.api.calls import CALLS, Call
from serving.api.examples import ANSWERS, ERRORS, REQUESTS
from serving.api.guard import FAILURES
from serving.api.openapi import document
from serving.api.schema import FeedbackRequest, UndoRequest
from serving.parts import open_parts, utc_now
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Served, ServeParts

DOCUMENT = document()
SERVING = Path(__file__).parents[3] / "serving"
SCOPES = ("score", "read", "feedback", "predict")
NOT_HERE = {500, 504}  # planted inside a guard, in test_guard.py
FILLED = {"{account_id}": "acme"}


@pytest.fixture(scope="module")
def served_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a home with its own SQLite: what is described does not depend on the database."""
    return Settings(home=Home(tmp_path_factory.mktemp("home")), requests_at_once=1_000_000)


def faults(described: dict[str, Any]) -> list[str]:
    return [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()]


def unfit(value: object, name: str) -> list[str]:
    """Give what a value breaks of a schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    checker = Draft202012Validator.FORMAT_CHECKER
    found = Draft202012Validator(schema, format_checker=checker).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def example_of(call: Call) -> dict[str, Any]:
    return {"json": msgspec.to_builtins(REQUESTS[call.body])} if call.body else {}


def ask(client: httpx.Client, call: Call, **how: Any) -> httpx.Response:
    path = call.path
    for name, value in FILLED.items():
        path = path.replace(name, value)
    if call.body is UndoRequest and not how:  # what the example tells, under its number here
        told = client.post("/v1/feedback", json=msgspec.to_builtins(REQUESTS[FeedbackRequest]))
        how = {"json": {"feedback_id": told.json().get("feedback_id", 1)}}
    return client.request(call.method, path, **(how or example_of(call)))


# The document by itself


def test_the_document_is_valid_openapi() -> None:
    assert faults(DOCUMENT) == []


@pytest.mark.parametrize(
    "plant",
    [
        lambda made: made["components"]["responses"]["Status401"].pop("description"),
        lambda made: made["paths"]["/v1/models"]["get"].update(operationId="get_scores"),
        lambda made: made["paths"]["/v1/accounts/{account_id}"]["get"].pop("parameters"),
        lambda made: made["components"]["schemas"]["Renewal"].update(type="structure"),
    ],
    ids=["an answer without a word", "one name twice", "an untold parameter", "no such type"],
)
def test_a_fault_in_the_document_is_found(plant: Callable[[dict[str, Any]], object]) -> None:
    spoilt = deepcopy(DOCUMENT)
    plant(spoilt)
    assert faults(spoilt)


def test_each_operation_says_what_a_client_is_made_from() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    for _, path, operation in operations():
        assert operation["summary"], path
        assert operation["description"], path
        assert operation["tags"], path
        assert {"200", "405"} <= set(operation["responses"]), path


def test_every_route_but_the_pages_is_described(served: "Served") -> None:
    routes = {route.path.replace(":path}", "}") for route in build_app(served.parts).routes}
    pages = {"/", "/list.csv", "/list.xlsx", "/logout"}
    pages |= {"/login", "/login.css", "/login/oidc", "/login/oidc/back"}
    pages |= {"/feedback", "/feedback/undo", "/disagreements", "/tenure.js"}
    pages |= {"/portfolio", "/operations", "/accounts/{account_id}"}
    assert set(DOCUMENT["paths"]) == {path for path in routes if path not in pages}


def unbounded(shape: dict[str, Any], where: str) -> list[str]:
    """Give the texts, lists and whole numbers below a schema that have no upper bound."""
    needed = {"string": "maxLength", "array": "maxItems", "integer": "maximum"}
    bound = needed.get(shape.get("type", ""))
    here = [where] if bound and bound not in shape and "enum" not in shape else []
    below = [shape["items"]] if "items" in shape else []
    below += shape.get("anyOf", []) + list(shape.get("properties", {}).values())
    return here + [one for part in below for one in unbounded(part, f"{where}.{bound}")]


def test_whatever_can_be_sent_has_a_bound() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    sent = {call.body.__name__ for call in CALLS if call.body}
    assert [one for name in sent for one in unbounded(schemas[name], name)] == []
    parameters = [
        parameter
        for _, _, operation in operations()
        for parameter in operation.get("parameters", ())
    ]
    assert {parameter["name"] for parameter in parameters} == {
        "account_id",
        "csm",
        "tier",
        "limit",
        "cursor",
    }
    assert [p["name"] for p in parameters if unbounded(p["schema"], p["name"])] == []
    assert unbounded({"type": "array", "items": {"type": "string"}}, "planted")
    assert schemas["ScoresRequest"]["additionalProperties"] is False
    assert schemas["ScoresRequest"]["properties"]["account_ids"]["maxItems"] == 1000


# What is told to those who read 3.0 only


def test_the_older_document_is_valid_and_has_the_calls_of_a_crm(client: httpx.Client) -> None:
    told = client.get("/openapi-3.0.json").json()
    assert told["openapi"] == "3.0.3"
    assert [error.message for error in OpenAPIV30SpecValidator(told).iter_errors()] == []
    assert set(told["paths"]) == {call.path for call in CALLS} - {"/v1/predict"}
    assert "PredictRequest" not in told["components"]["schemas"]
    assert "null" not in re.findall(r'"type": "(\w+)"', json.dumps(told))


@pytest.mark.parametrize("call", [call for call in CALLS if call.name != "predict"])
def test_an_answer_keeps_the_older_document_too(client: httpx.Client, call: Call) -> None:
    told = client.get("/openapi-3.0.json").json()
    schema = {
        "$ref": f"#/components/schemas/{call.answers_with.__name__}",
        "components": told["components"],
    }
    assert list(OAS30Validator(schema).iter_errors(ask(client, call).json())) == []
    shown = told["paths"][call.path][call.method.lower()]["responses"]["200"]["content"]
    example = shown["application/json"]["examples"]["example"]["value"]
    assert list(OAS30Validator(schema).iter_errors(example)) == []


# Examples


@pytest.mark.parametrize("kind", [*REQUESTS, *ANSWERS], ids=lambda kind: kind.__name__)
def test_an_example_keeps_its_schema_and_is_read_as_its_type(kind: type) -> None:
    example = {**REQUESTS, **ANSWERS}[kind]
    shown = msgspec.to_builtins(example)
    assert unfit(shown, kind.__name__) == []
    assert msgspec.convert(shown, kind) == example


def test_an_example_that_breaks_its_schema_is_found() -> None:
    spoilt = msgspec.to_builtins(next(iter(ANSWERS.values()))) | {"as_of": "yesterday"}
    assert unfit(spoilt, "ScoresAnswer") == ["$.as_of: 'yesterday' is not a 'date-time'"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_service_answers_an_example_as_it_is_described(
    client: httpx.Client, call: Call
) -> None:
    response = ask(client, call)
    assert response.status_code == 200
    assert unfit(response.json(), call.answers_with.__name__) == []
    assert set(response.json()) == set(msgspec.to_builtins(ANSWERS[call.answers_with]))


@pytest.mark.parametrize("path", sorted(set(DOCUMENT["paths"]) - {call.path for call in CALLS}))
def test_an_operators_route_answers_as_it_is_described(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    (media_type, content), *_ = DOCUMENT["paths"][path]["get"]["responses"]["200"][
        "content"
    ].items()
    assert response.headers["content-type"].startswith(media_type)
    if "$ref" in content["schema"]:
        assert unfit(response.json(), content["schema"]["$ref"].rpartition("/")[2]) == []


# Errors


def provoked(call: Call, client: httpx.Client, served: "Served") -> Iterator[httpx.Response]:
    """Make the service refuse a call in each way that is described, but those of its state."""
    yield ask(client, call, headers={"authorization": "Bearer none"})
    yield client.request("PATCH", call.path.replace("{account_id}", "acme"))
    if call.scope:
        with served.client(*(scope for scope in SCOPES if scope != call.scope)) as other:
            yield ask(other, call)
    if call.body:
        yield ask(client, call, content=b"{", headers={"content-type": "application/json"})
        yield ask(client, call, content=b"{}", headers={"content-type": "text/plain"})
        large = b" " * (1024 * 1024 + 1)
        yield ask(client, call, content=large, headers={"content-type": "application/json"})
        yield ask(client, call, json=[])
    if call.query:
        yield ask(client, call, params={"limit": "many"})
    if call.name == "get_account":
        yield client.get("/v1/accounts/nobody")
    if call.name == "undo_feedback":
        yield ask(client, call, json={"feedback_id": 999_999})
    if call.name == "record_feedback":
        told = example_of(call)["json"]
        yield ask(client, call, json=told | {"account_id": "nobody", "idempotency_key": "none"})
        yield ask(client, call, json=told | {"account_id": "bolt"})


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_each_error_that_is_described_is_given_as_described(
    call: Call,
    client: httpx.Client,
    served: "Served",
    unscored: "Served",
    one_at_a_time: httpx.Client,
) -> None:
    with unscored.client("admin") as early:
        answers = [ask(client, call), ask(early, call), *provoked(call, client, served)]
    one_at_a_time.get("/healthz")
    answers += [ask(one_at_a_time, call)]
    described = DOCUMENT["paths"][call.path][call.method.lower()]["responses"]
    found = {answer.status_code for answer in answers}
    assert {str(status) for status in found | NOT_HERE} == set(described)
    for refused in answers[1:]:
        status, error = refused.status_code, refused.json()["error"]
        assert unfit(refused.json(), "ErrorAnswer") == []
        assert error["code"] in [example.error.code for example in ERRORS[status]]
        headers = DOCUMENT["components"]["responses"][f"Status{status}"]["headers"]
        assert [name for name in headers if name not in refused.headers] == []
        assert error["request_id"] == refused.headers["x-request-id"]


@pytest.fixture
def one_at_a_time(tmp_path: Path, serve_parts: "ServeParts") -> Iterator[httpx.Client]:
    """Give a client that has one request a day."""
    settings = Settings(home=Home(tmp_path), requests_per_second=1e-5, requests_at_once=1)
    parts = open_parts(settings)
    token = add_token(parts.store, "impatient", ["admin"], utc_now())
    headers = {"authorization": f"Bearer {token}"}
    with serve_parts(parts) as url, httpx.Client(base_url=url, headers=headers) as client:
        yield client
    parts.close()


OF_PAGES = {"invalid_form"}


def codes_in(source: str) -> set[str]:
    """Give the codes that a module refuses with, as its text says them."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    of_refusals = [call for call in calls if ast.unparse(call.func) == "RefusedError"]
    return {
        call.args[1].value
        for call in of_refusals
        if len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
    }


def test_each_code_that_the_service_refuses_with_is_shown() -> None:
    modules = [path.read_text() for path in SERVING.rglob("*.py")]
    given = {code for text in modules for code in codes_in(text)} | set(FAILURES.values())
    shown = {example.error.code for examples in ERRORS.values() for example in examples}
    assert given - OF_PAGES == shown
    assert codes_in('RefusedError(HTTPStatus.GONE, "gone", "It is gone.")') == {"gone"}


def test_messages_of_examples_are_those_of_the_service(
    client: httpx.Client, unscored: "Served"
) -> None:
    scores = CALLS[0]
    with unscored.client("admin") as early, unscored.client() as nobody:
        answers = [
            ask(early, scores),
            ask(nobody, scores),
            client.get("/nowhere"),
            client.delete("/v1/models"),
            ask(client, scores, content=b"{", headers={"content-type": "application/json"}),
            ask(client, scores, content=b"{}", headers={"content-type": "text/plain"}),
            ask(client, scores, json={"account_ids": [1]}),
        ]
    shown = {example.error.message for examples in ERRORS.values() for example in examples}
    assert {answer.json()["error"]["message"] for answer in answers} <= shown


def test_the_document_is_what_is_served(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == json.loads(json.dumps(DOCUMENT))
