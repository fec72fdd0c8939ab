"""The service as it is run: `serve` in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from features.errors import StoreError
from serving.access.tokens import add_token
from serving.api.feedback import feedback_of
from serving.parts import utc_now
from serving.settings import Settings
from serving.store.database import open_store

Running = tuple[subprocess.Popen[str], str]
Run = Callable[[], AbstractContextManager[Running]]
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def run(
    published: Settings,
    free_port: Callable[[], int],
    wait_until_alive: Callable[[subprocess.Popen[str], str], None],
) -> Run:
    """Give what runs the service as a process."""

    @contextmanager
    def running() -> Iterator[Running]:
        port, home = free_port(), str(published.home.root)
        started = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            cwd=PROJECT,
            env={**os.environ, "TENURE_HOME": home, "TENURE_PORT": str(port)},
            stderr=subprocess.PIPE,
            text=True,
        )
        url = f"http://127.0.0.1:{port}"
        wait_until_alive(started, url)
        yield started, url
        started.kill()
        started.communicate()

    return running


@pytest.fixture(scope="module")
def process(run: Run) -> Iterator[Running]:
    with run() as started:
        yield started


def _listening_of(process_id: int) -> list[str]:
    """Read the addresses that a process listens on from /proc, as hexadecimal address:port."""
    opened = []
    for entry in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            opened.append(str(entry.readlink()))
    sockets = {link[8:-1] for link in opened if link.startswith("socket:[")}
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{process_id}/net/{table}").read_text().splitlines()[1:]
    ]
    return [line[1] for line in lines if line[3] == "0A" and line[9] in sockets]


def test_it_runs_as_one_process_with_one_socket_on_loopback(
    process: Running,
) -> None:
    started, url = process
    port = int(url.rsplit(":", 1)[1])
    assert _listening_of(started.pid) == [f"0100007F:{port:04X}"]
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text()
    assert children.strip() == ""


def test_a_token_made_while_it_runs_opens_it(process: Running, published: Settings) -> None:
    _, url = process
    store = open_store(published.store)
    headers = {"authorization": f"Bearer {add_token(store, 'me', ['read'], utc_now())}"}
    store.close()
    assert httpx.get(f"{url}/v1/worklist", headers=headers).status_code == 200


def test_it_ends_in_order_when_it_is_told_to(run: Run) -> None:
    with run() as (started, url):
        httpx.get(f"{url}/readyz")
        started.send_signal(signal.SIGTERM)
        _, said = started.communicate(timeout=30)
    lines = [json.loads(line) for line in said.splitlines()]
    assert (lines[0]["event"], lines[0]["url"]) == ("listening", url)
    asked = [line for line in lines if line.get("route") == "/readyz"]
    assert [line["status"] for line in asked] == [200]
    assert started.returncode == 0


def test_feedback_that_was_answered_survives_the_process_being_killed(
    published: Settings,
    run: Run,
) -> None:
    store = open_store(published.store)
    headers = {"authorization": f"Bearer {add_token(store, 'told', ['feedback'], utc_now())}"}
    told = {"account_id": "acme", "kind": "contacted", "idempotency_key": "before the end"}
    with run() as (started, url):
        answer = httpx.post(f"{url}/v1/feedback", headers=headers, json=told)
        started.kill()
    assert answer.status_code == 200
    assert [one.feedback_id for one in feedback_of(store, "acme", 9)] == [
        answer.json()["feedback_id"]
    ]
    store.close()


def test_a_request_is_logged_once(run: Run) -> None:
    with run() as (started, url):
        request_id = httpx.get(f"{url}/livez").headers["x-request-id"]
        started.terminate()  # not killed: it is logged after the answer
        assert started.stderr is not None
        logged = started.stderr.read()
    assert logged.count(request_id) == 1


def test_importing_the_service_opens_nothing_and_leaves_mlflow_out(tmp_path: Path) -> None:
    environ = {**os.environ, "TENURE_HOME": str(tmp_path / "home"), "BENTOML_HOME": str(tmp_path)}
    code = "import sys, serving.service, serving.__main__; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environ, check=True)
    assert not (tmp_path / "home").exists()


def test_a_taken_port_is_said_in_a_sentence(service: ModuleType, published: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StoreError, match="to be free"):
            service.serve(published, port=taken.getsockname()[1])


def test_the_store_is_closed_when_the_port_is_taken(
    service: ModuleType, published: Settings
) -> None:
    store = str(published.home.store.resolve())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StoreError) as refused:  # its traceback holds what serve left behind
            service.serve(published, port=taken.getsockname()[1])
        held = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert store not in held
    assert refused.value is not None
