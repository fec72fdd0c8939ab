"""Several workers as one service: a login is good at each, what each counts is added up."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from features.errors import ServiceError
from features.home import Home
from models.bundle import Bundle
from serving.access.tokens import add_token
from serving.access.users import Place, add_user
from serving.metrics import Metrics
from serving.parts import utc_now
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.store.database import open_store
from serving.workers import Supervisor

PROJECT = Path(__file__).resolve().parents[2]
LOGIN, PASSWORD = "me@example.com", "correct horse battery"
WORKERS = 2
MOST_TRIES = 200
PATIENCE = 600  # tenths of a second, of a test that has failed


@pytest.fixture(scope="module")
def served_by_two(
    tmp_path_factory: pytest.TempPathFactory,
    bundles: dict[str, Bundle],
    scored_company: Callable[..., Scored],
) -> Iterator[tuple[str, str, int]]:
    """Give address, a token and the parent's process id of a service with two workers."""
    settings = Settings(home=Home(tmp_path_factory.mktemp("served") / "home"))
    with closing(open_store(settings.store)) as store:
        publish(store, settings.home, scored_company(bundles), utc_now())
        token = add_token(store, "me", ["read"], utc_now())
        add_user(store, LOGIN, "Me", Place("admin"), utc_now(), PASSWORD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "TENURE_HOME": str(settings.home.root)}
    command = [sys.executable, "-c", "import tenure; tenure.main()", "serve"]
    options = ["--port", str(port), "--workers", str(WORKERS)]
    with subprocess.Popen([*command, *options], cwd=PROJECT, env=environ) as parent:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: asked(url, token).get("tenure_workers") == WORKERS)
        yield url, token, parent.pid
        parent.send_signal(signal.SIGTERM)


def wait_for(happened: Callable[[], Any]) -> None:
    for _ in range(PATIENCE):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError(happened)


def asked(url: str, token: str) -> dict[str, float]:
    """Read the metrics that have no labels."""
    try:
        text = httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {token}"}).text
    except httpx.TransportError:
        return {}
    found = re.findall(r"^(tenure_\w+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_a_login_is_good_at_every_worker_and_at_the_next(
    served_by_two: tuple[str, str, int],
) -> None:
    url, token, parent = served_by_two
    with httpx.Client(base_url=url) as client:
        mark = re.search(r'name="mark" value="(\w+)"', client.get("/login").text)
        assert mark is not None
        form = {"login": LOGIN, "password": PASSWORD, "mark": mark[1]}
        client.post("/login", data=form)
        cookies = dict(client.cookies)
    before = {child.pid for child in psutil.Process(parent).children()}
    seen = pages_by_worker(url, parent, cookies)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: asked(url, token).get("tenure_worker_starts_total") == 2 * WORKERS)
    wait_for(lambda: asked(url, token).get("tenure_workers") == WORKERS)
    after = pages_by_worker(url, parent, cookies)
    assert set(seen) == before
    assert not set(after) & before
    assert {*seen.values(), *after.values()} == {200}


def pages_by_worker(url: str, parent: int, cookies: dict[str, str]) -> dict[int, int]:
    """Ask for the page on new connections until each worker has answered once."""
    workers = [child.pid for child in psutil.Process(parent).children()]
    found: dict[int, int] = {}
    for _ in range(MOST_TRIES):
        with httpx.Client(base_url=url, cookies=cookies) as client:
            status = client.get("/").status_code
            for pid in workers:
                held = psutil.Process(pid).net_connections(kind="tcp")
                if any(one.status == psutil.CONN_ESTABLISHED for one in held):
                    found[pid] = status
        if len(found) == WORKERS:
            break
    return found


def test_no_argument_variable_or_file_holds_the_key_of_sessions(
    served_by_two: tuple[str, str, int],
) -> None:
    _, _, parent = served_by_two
    processes = [psutil.Process(parent), *psutil.Process(parent).children()]
    ours = {name for process in processes for name in process.environ() if "TENURE" in name}
    inherited = {name for name in os.environ if name != "TENURE_HOME"}
    assert ours - inherited == {"TENURE_HOME"}
    assert {tuple(process.cmdline()) for process in processes} == {
        tuple(psutil.Process(parent).cmdline())
    }


def test_workers_that_never_come_up_end_it_with_a_sentence() -> None:
    code = """
import socket
from features.errors import ServiceError, StoreError
from serving.metrics import Metrics
from serving.workers import Supervisor
def work(number):
    raise StoreError("Expected the store to answer, got nothing.")
listener = socket.create_server(("127.0.0.1", 0))
try:
    Supervisor(listener, Metrics(2), work).run()
except ServiceError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "Expected the workers to come up, got one that ended before it served" in ended.stdout
    assert "Expected the store to answer" in ended.stdout  # each worker's own line


def test_where_workers_cannot_end_with_their_parent_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ServiceError, match="Serve with one"),
    ):
        Supervisor(listener, Metrics(2), print).run()
