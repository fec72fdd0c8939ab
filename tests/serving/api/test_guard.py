"""What is closed: every route but four, whoever built it, on a real socket."""

import asyncio
import re
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.types import ASGIApp

from features.errors import StoreError
from serving.access.tokens import revoke_token
from serving.api.calls import CALLS, Call
from serving.api.guard import Guard
from serving.metrics import Now

if TYPE_CHECKING:
    from tests.serving.conftest import Log, Served

OPEN = {"/livez", "/readyz", "/login", "/login.css", "/tenure.js"}
ELSEWHERE = {"/login/oidc", "/login/oidc/back"}
MOST_LOOKS = 1000
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"]
OURS = ["/healthz", "/metrics", "/openapi.json", "/", "/logout", *[call.path for call in CALLS]]
BENTOML = ["/docs.json", "/schema.json", "/static_content/index.css", "/assets/a.js", "/is_ready"]
NOWHERE = ["/nothing", "//", "/v1", "/v1/../livez/x", "/%00", "/readyz/"]


@pytest.mark.parametrize("path", [*OURS, *BENTOML, *NOWHERE])
def test_nothing_answers_without_a_token(served: "Served", path: str) -> None:
    with served.client() as client:
        responses = [client.request(method, path) for method in METHODS]
        body = client.get(path).json()["error"]
    assert [response.status_code for response in responses] == [401] * len(METHODS)
    assert all(response.headers["www-authenticate"] == "Bearer" for response in responses)
    assert (body["code"], len(body["request_id"])) == ("unauthorized", 32)


def test_the_open_routes_are_these(served: "Served") -> None:
    with served.client() as client:
        answers = {path: client.get(path).status_code for path in sorted(OPEN)}
    assert answers == dict.fromkeys(sorted(OPEN), 200)


def test_without_a_provider_there_is_no_login_elsewhere(served: "Served") -> None:
    with served.client() as client:
        assert {client.get(path).status_code for path in ELSEWHERE} == {404}


@pytest.mark.parametrize("path", BENTOML)
def test_bentomls_own_routes_are_not_there_at_all(served: "Served", path: str) -> None:
    with served.client("admin") as client:
        assert client.get(path).status_code == 404


def test_an_address_with_a_slash_too_many_leads_nowhere(served: "Served") -> None:
    with served.client("admin") as client:
        answers = [client.post("/v1/scores/", json={}), client.get("/v1/models/")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["error"]["code"] == "not_found"


def _asked(served: "Served", app: ASGIApp, seconds: float = 60) -> tuple[int, dict[str, Any]]:
    """Ask an application behind a guard for the work list, in this process."""
    headers = {"authorization": f"Bearer {served.token('read')}"}
    transport = httpx.ASGITransport(Guard(app, served.parts, seconds))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/v1/worklist", headers=headers)

    response = asyncio.run(ask())
    return response.status_code, response.json()["error"]


def test_a_fault_inside_is_answered_and_logged_without_what_it_says(
    served: "Served", log: "Log"
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("Acme Ltd")

    status, error = _asked(served, broken)
    assert (status, error["code"]) == (500, "internal")
    assert "KeyError at" in log.text
    assert "Acme" not in log.text + str(error)


def test_a_store_that_fails_is_said_to_be_out(served: "Served") -> None:
    async def without_store(*_: object) -> None:
        raise StoreError("Expected the store to answer, got: disk I/O error.")

    status, error = _asked(served, without_store)
    assert (status, error["code"]) == (503, "store_unavailable")
    assert "disk" not in str(error)


def test_a_request_that_takes_too_long_is_given_up(served: "Served") -> None:
    async def slow(*_: object) -> None:
        await asyncio.sleep(30)

    status, error = _asked(served, slow, seconds=0.05)
    assert (status, error["code"]) == (504, "timeout")


def test_a_client_that_goes_before_its_body_is_whole_is_no_fault(
    served: "Served", log: "Log"
) -> None:
    head = (
        f"POST /v1/scores HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {served.token('score')}"
        "\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    )
    port = int(served.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b'{"account_ids"')
        time.sleep(0.1)
    for _ in range(MOST_LOOKS):
        if "/v1/scores" in log.text:
            break
        time.sleep(0.01)
    asked = [one for one in log.entries if one.get("route") == "/v1/scores"]
    said = [(one["event"], one["status"]) for one in asked]
    assert said == [("request", 499)]
    assert "failed" not in log.text


def test_an_answer_is_counted_before_it_is_read(served: "Served") -> None:
    with served.client("admin") as client:
        for number in range(1, 101):
            client.get("/v1/models")
            text = served.parts.metrics.text(Now(None)).decode()
            assert f'tenure_requests_total{{route="/v1/models",status="200"}} {number}.0' in text


def test_a_token_that_is_forged_expired_or_revoked_is_as_good_as_none(served: "Served") -> None:
    good = served.token("read")
    expired = served.token("read", expires_at=served.parts.now() - timedelta(seconds=1))
    revoked = served.token("read")
    revoke_token(served.parts.store, revoked.split("_")[1], served.parts.now())
    forged = good[:-4] + "AAAA"
    with served.client() as client:
        answers = [
            client.get("/v1/worklist", headers=[("authorization", header)]).status_code
            for header in (
                f"Bearer {good}",
                f"bearer {good}",
                f"Bearer {expired}",
                f"Bearer {revoked}",
                f"Bearer {forged}",
                f"Basic {good}",
                good,
                "Bearer",
                b"Bearer \xe9",
            )
        ]
    assert answers == [200, 200, 401, 401, 401, 401, 401, 401, 401]


@pytest.mark.parametrize("call", [call for call in CALLS if call.scope], ids=lambda call: call.path)
def test_another_scope_does_not_open_a_call(served: "Served", call: Call) -> None:
    others = {"score", "read", "feedback", "predict"} - {call.scope}
    with served.client(*sorted(others)) as client:
        response = client.request(call.method, call.path, json={})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "forbidden"


def test_a_method_that_a_route_lacks_is_refused_in_the_one_shape(served: "Served") -> None:
    with served.client("admin") as client:
        response = client.delete("/v1/worklist")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_every_answer_forbids_scripts_frames_and_keeping(served: "Served") -> None:
    with served.client("admin") as client:
        for path in ("/", "/login", "/v1/models", "/nothing", "/livez"):
            headers = client.get(path).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "server" not in headers


def test_it_listens_on_loopback_only_and_on_one_socket(served: "Served") -> None:
    port = int(served.url.rsplit(":", 1)[1])
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_request_leaves_no_account_name_or_secret_in_the_log(
    served: "Served", log: "Log"
) -> None:
    token = served.token("read", "score")
    headers = {"authorization": f"Bearer {token}"}
    with served.client() as client:
        client.headers.update(headers)
        client.get("/v1/accounts/acme")
        client.get("/v1/accounts/secret-customer")
        client.get("/v1/worklist", params={"csm": "Ann"})
        client.post("/v1/scores", json={"account_ids": ["acme"], "wrong": "secret-field"})
        client.get("/", headers={"cookie": "tenure_session=secret-cookie"})
    first = next(one for one in log.entries if one.get("token") == token.split("_")[1])
    assert (first["route"], first["status"]) == ("/v1/accounts/{account_id:path}", 200)
    for secret in ("acme", "Acme", "Ann", "secret", token.split("_", 2)[2]):
        assert secret not in log.text


def test_metrics_have_a_series_per_route_not_per_path(served: "Served") -> None:
    with served.client("read") as client:
        for number in range(10):
            client.get(f"/v1/accounts/nobody-{number}")
            client.get(f"/nowhere/{number}")
        text = client.get("/metrics").text
    assert "nobody-" not in text
    assert "/nowhere" not in text
    found = re.search(r'requests_total\{route="unmatched",status="404"\} (\d+)', text)
    assert found is not None
    assert int(found[1]) >= 10
