"""Bodies that nobody should send to a running service: refused by name, without a trace."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.home import Home
from serving.access.tokens import add_token
from serving.parts import utc_now
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.store.database import open_store

EXAMPLES = int(os.environ.get("INPUT_EXAMPLES", "10"))  # `make faults` asks for many more
MIB = 1024 * 1024
MANY_MIB = 200
MOST_GROWTH = 50 * MIB
DEEP = 100_000
JSON = {"content-type": "application/json"}
FEATURES = (
    "usage__active_users__28d",
    "support__open_tickets",
    "lifecycle__days_to_term_end",
    "lifecycle__term_months",
)
ROW = dict.fromkeys(FEATURES, 1.0)
VALID = {
    "scores": {"account_ids": ["acme"], "models": ["churn"], "horizons": [90], "reasons": 1},
    "predict": {"model": "churn", "rows": [ROW], "horizons": [90], "reasons": 1},
    "feedback": {"account_id": "acme", "kind": "contacted", "idempotency_key": "1", "note": "x"},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory, company, serving):
    """Serve the little company in a process of its own; give it, its address and a token."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    store = open_store(Settings(home=home).store)
    bundles = {name: company.make_bundle(name) for name in ("churn", "expansion")}
    publish(store, home, company.scored_company(bundles), utc_now())
    token = add_token(store, "hostile", ["admin"], utc_now())
    store.close()
    with serving(Settings(home=home)) as (process, url):
        yield process, url, token


@pytest.fixture(scope="module")
def client(running):
    _, url, token = running
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as opened:
        yield opened


def refused(response):
    """Give the fields of a refusal, whose shape is the one of all errors."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details", "request_id"}
    assert "Traceback" not in response.text
    assert 'File "' not in response.text
    return [detail["field"] for detail in body["error"]["details"]]


def send(client, call, content):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return client.post(f"/v1/{call}", content=content, headers=JSON)


# What cannot be used, and the path that names it


def text_of(call, field, value):
    """Give a valid body with one field's value written as given."""
    told = {**VALID[call], field: "here"}
    return json.dumps(told).replace('"here"', value).encode()


NESTED = "[" * DEEP
CLOSED = NESTED + "]" * DEEP
REFUSED = [
    ("scores", b"", 400, "body"),
    ("scores", b'{"account_ids": ["acme"', 400, "body"),
    ("scores", b'{"account_ids": ["acme"]} {}', 400, "body"),
    ("scores", b'\xef\xbb\xbf{"account_ids": ["acme"]}', 400, "body"),
    ("scores", b'{"account_ids": ["\xff"]}', 400, "body"),
    ("scores", NESTED.encode(), 422, "body"),
    ("scores", text_of("scores", "account_ids", CLOSED), 422, "account_ids[0]"),
    ("scores", text_of("scores", "extra", CLOSED), 422, "extra"),
    ("predict", text_of("predict", "rows", f'[{{"a": {CLOSED}}}]'), 422, "rows[0][...]"),
    ("predict", text_of("predict", "rows", '[{"a": [], "a": 1}]'), 422, "rows[0][...]"),
    ("predict", b'{"rows": [{"a": [], "b": "\xff"}]}', 422, "rows[0].a"),
    ("predict", b'{"rows": [{"a": []', 422, "rows[0][...]"),
    ("scores", text_of("scores", "reasons", "NaN"), 400, "body"),
    ("scores", text_of("scores", "reasons", "Infinity"), 400, "body"),
    ("scores", text_of("scores", "reasons", "1e999"), 422, "reasons"),
    ("scores", text_of("scores", "horizons", "[-1e999]"), 422, "horizons[0]"),
    ("predict", text_of("predict", "rows", '[{"a": NaN}]'), 400, "body"),
    ("predict", text_of("predict", "rows", '[{"a": 1, "b": 1e999}]'), 422, "rows[0].b"),
    ("predict", text_of("predict", "rows", '[{}, {"a": -1e999}]'), 422, "rows[1].a"),
    (
        "predict",
        {"model": "churn", "rows": [ROW | {FEATURES[0]: "4"}]},
        422,
        f"rows[0].{FEATURES[0]}",
    ),
    (
        "predict",
        {"model": "churn", "rows": [ROW | {FEATURES[0]: 1e300}]},
        422,
        f"rows[0].{FEATURES[0]}",
    ),
    ("scores", VALID["scores"] | {"extra": 1}, 422, "extra"),
    ("feedback", VALID["feedback"] | {"token": "x"}, 422, "token"),
    ("scores", VALID["scores"] | {"reasons": "1"}, 422, "reasons"),
    ("scores", VALID["scores"] | {"horizons": ["90"]}, 422, "horizons[0]"),
    (
        "scores",
        VALID["scores"] | {"account_ids": [str(n) for n in range(1001)]},
        422,
        "account_ids",
    ),
    ("scores", VALID["scores"] | {"account_ids": ["acme", "bolt", "acme"]}, 422, "account_ids"),
    ("scores", VALID["scores"] | {"account_ids": ["acme", "a\0"]}, 422, "account_ids[1]"),
    ("scores", VALID["scores"] | {"account_ids": ["x" * 10_000]}, 422, "account_ids[0]"),
    ("feedback", VALID["feedback"] | {"account_id": "a\0"}, 422, "account_id"),
    ("feedback", VALID["feedback"] | {"account_id": "x" * 10_000}, 422, "account_id"),
    ("feedback", VALID["feedback"] | {"account_id": "' OR 1=1 --"}, 404, "account_id"),
    ("feedback", VALID["feedback"] | {"idempotency_key": "k\0"}, 422, "idempotency_key"),
    ("feedback", VALID["feedback"] | {"note": "x" * 4001}, 422, "note"),
    ("feedback", VALID["feedback"] | {"note": "\0"}, 422, "note"),
    ("feedback", VALID["feedback"] | {"kind": "gossip"}, 422, "kind"),
]


@pytest.mark.parametrize(
    ("call", "content", "status", "field"),
    REFUSED,
    ids=[f"{number}-{status}-{field[:20]}" for number, (_, _, status, field) in enumerate(REFUSED)],
)
def test_it_is_refused_and_the_field_is_named(client, call, content, status, field):
    response = send(client, call, content)
    assert (response.status_code, refused(response)[:1]) == (status, [field])


@pytest.mark.parametrize("account_id", ["'", '"', "a\"b'c", "\\", "%", "' OR 1=1 --"])
def test_an_id_with_quotes_is_an_id_like_any_other(client, account_id):
    answer = send(client, "scores", {"account_ids": [account_id]})
    assert (answer.status_code, answer.json()["unknown_account_ids"]) == (200, [account_id])
    assert client.get(f"/v1/accounts/{quote(account_id, safe='')}").status_code == 404


@pytest.mark.parametrize(
    "account_id", ["%00", "x" * 10_000, "%ff", "%27%20OR%201=1", "..%2f..%2fetc"]
)
def test_an_address_that_nobody_has_is_not_found(client, account_id):
    response = client.get(f"/v1/accounts/{account_id}")
    assert (response.status_code, refused(response)) == (404, [])


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/jsonl"},
        {"content-type": ""},
        JSON | {"content-encoding": "gzip"},
    ],
    ids=str,
)
@pytest.mark.parametrize("call", VALID)
def test_another_content_is_refused(client, call, headers):
    content = json.dumps(VALID[call]).encode()
    response = client.post(f"/v1/{call}", content=content, headers=headers)
    refused(response)
    assert response.status_code == 415


# Size


def connected(url):
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=60)


def head_of(call, token, length):
    lines = [
        f"POST /v1/{call} HTTP/1.1",
        "host: service",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        length,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection):
    return int(connection.recv(65536).split()[1])


def pour(connection, part, size):
    """Send a part again and again until there is enough of it, or nobody takes it any more."""
    sent = 0
    try:
        while sent < size:
            connection.sendall(part)
            sent += len(part)
    except OSError:
        pass


def peak_bytes(process_id):
    """Give the most memory that a process and its children ever had."""
    status = Path(f"/proc/{process_id}/status").read_text()
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 + sum(peak_bytes(int(child)) for child in children)


def largest(call):
    return json.dumps(VALID[call]).encode().ljust(MIB)


def test_a_body_far_too_large_is_refused_and_takes_no_memory(running, client):
    process, url, token = running
    for call in VALID:
        assert send(client, call, largest(call)).status_code == 200
    before = peak_bytes(process.pid)
    many = MANY_MIB * MIB
    for call in VALID:
        with connected(url) as declared:
            declared.sendall(head_of(call, token, f"content-length: {many}"))
            assert status_of(declared) == 413
            pour(declared, b" " * 65536, many)
        with connected(url) as chunked:
            chunked.sendall(head_of(call, token, "transfer-encoding: chunked"))
            chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
            pour(chunked, chunk, 17 * len(chunk))
            assert status_of(chunked) == 413
            pour(chunked, chunk, many)
    assert peak_bytes(process.pid) - before < MOST_GROWTH


def test_nothing_is_read_of_a_body_without_a_token(running):
    _, url, _ = running
    with connected(url) as stranger:
        stranger.sendall(head_of("scores", "none", f"content-length: {MANY_MIB * MIB}"))
        assert status_of(stranger) == 401


def test_it_is_alive_while_the_largest_body_is_being_sent(running):
    _, url, token = running
    content, part = largest("scores"), MIB // 8
    with connected(url) as slow, httpx.Client(base_url=url) as other:
        slow.sendall(head_of("scores", token, f"content-length: {MIB}"))
        alive = []
        for start in range(0, MIB, part):
            slow.sendall(content[start : start + part])
            alive.append(other.get("/livez"))  # the rest is sent after this answer
        assert status_of(slow) == 200
    assert_alive(alive)


def test_it_is_alive_while_the_largest_body_is_worked_on(running, client):
    _, url, _ = running
    asked = {"model": "churn", "rows": [ROW] * 1000, "reasons": 10}
    content = json.dumps(asked).encode().ljust(MIB)
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=url, timeout=30) as other:
        answers = pool.submit(lambda: [send(client, "predict", content) for _ in range(3)])
        alive = [other.get("/livez")]
        while not answers.done():
            alive.append(other.get("/livez"))
    assert {answer.status_code for answer in answers.result()} == {200}
    assert_alive(alive)


def assert_alive(answers):
    """A hundred times what it takes: the median, since other work takes its turns on a machine."""
    assert {answer.status_code for answer in answers} == {200}
    assert median(answer.elapsed.total_seconds() for answer in answers) < 0.1


# Whatever else: drawn at random


PIECES = [b"NaN", b"1e999", b"-", b"[", b"{", b"}", b"]", b'"', b",", b":", b"null", b"true"]
PIECES += [
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\x00",
    b"9" * 400,
    b"[" * 5000,
    b'"x":',
    b"\xef\xbb\xbf",
]
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(PIECES)), max_size=4)
FIELDS = st.sampled_from([*FEATURES, *{name for body in VALID.values() for name in body}])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(FIELDS | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


def edited(content, edits):
    """Replace some bytes by pieces that a parser may stumble over."""
    for place, length, piece in edits:
        start = int(place * len(content))
        content = content[:start] + piece + content[start + length :]
    return content


@hypothesis_settings(
    max_examples=10 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(call=st.sampled_from(sorted(VALID)), edits=EDITS, value=st.none() | VALUES)
def test_no_body_makes_it_fail(client, call, edits, value):
    if isinstance(value, dict):
        value = {**VALID[call], **value}
    content = json.dumps(VALID[call] if value is None else value).encode()
    response = send(client, call, edited(content, edits))
    assert response.status_code in {200, 400, 404, 409, 422}
    if response.status_code != 200:
        assert refused(response)


# Whatever the description lets one send, and what it does not

# A model or a horizon that is not in service, or a cursor that was never given, keeps the schema
# and is refused with 422: only the service knows which there are.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

[generation]
database = "none"
"""


def schemathesis(folder, url, token, *options):
    """Run schemathesis with all of its checks; give how it ended and what it said."""
    (folder / "schemathesis.toml").write_text(
        f'headers = {{ Authorization = "Bearer ${{SERVICE_TOKEN}}" }}\n{CONFIG}'
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", *options, "--url", url]
    command += ["--checks", "all", "--seed", "1", "--no-color"]
    environ = {**os.environ, "SERVICE_TOKEN": token}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_schemathesis_finds_nothing(running, tmp_path):
    _, url, token = running
    options = [f"{url}/openapi.json", "--max-examples", str(EXAMPLES)]
    options += ["--phases", "coverage,fuzzing"]
    ended, said = schemathesis(tmp_path, url, token, *options)
    assert "Operations:       12 selected / 12 total" in said, said
    assert ended == 0, said


def test_schemathesis_finds_what_is_described_wrongly(running, client, tmp_path):
    _, url, token = running
    described = client.get("/openapi.json").json()
    described["components"]["schemas"]["ModelsAnswer"]["properties"]["models"] = {"type": "string"}
    (tmp_path / "spoilt.json").write_text(json.dumps(described))
    options = ["spoilt.json", "--max-examples", "1", "--include-path", "/v1/models"]
    options += ["--phases", "fuzzing"]
    ended, said = schemathesis(tmp_path, url, token, *options)
    assert (ended, "Response violates schema" in said) == (1, True), said
