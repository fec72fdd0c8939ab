"""Workers and their parent that are killed or told to end, under load."""

import http.client
import json
import os
import random
import re
import signal
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from features.home import Home
from serving.access.tokens import add_token
from serving.audit_log.check import check
from serving.audit_log.heads import heads
from serving.parts import utc_now
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.store.database import open_store

LONG = int(os.environ.get("FAULT_KILLS", "3"))  # `make faults` asks for many more
WORKERS = 2
CLIENTS = 4
PATIENCE = 600  # tenths of a second, of a test that has failed
NOWHERE = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:9")
ASKED = json.dumps({"account_ids": ["acme", "bolt", "corn"]})


@pytest.fixture(scope="module")
def scored(tmp_path_factory, company):
    """A scored company and a token; what is served of it does not change."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    settings = Settings(home=home)
    with closing(open_store(settings.store)) as store:
        bundles = {"churn": company.make_bundle("churn")}
        publish(store, home, company.scored_company(bundles), utc_now())
        token = add_token(store, "load", ["score", "admin"], utc_now())
    return settings, token


@pytest.fixture(scope="module")
def running(scored, serving):
    """Two workers that several tests ask, and their parent."""
    settings, token = scored
    with serving(settings, WORKERS, **NOWHERE) as (process, url):
        wait_for(lambda: all_up(url, token))
        yield process, url


class Client(threading.Thread):
    """Asks for scores on one connection after the other, and keeps what came of each request."""

    def __init__(self, url, token):
        super().__init__()
        self.address = url.removeprefix("http://")
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.statuses, self.broken, self.refused = [], [], 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            connection = http.client.HTTPConnection(self.address, timeout=60)
            try:
                connection.connect()
            except ConnectionRefusedError:  # nothing was sent: nothing is lost
                self.refused += 1
                time.sleep(0.02)
                continue
            with closing(connection):
                self.ask_on(connection)

    def ask_on(self, connection):
        while not self.ended.is_set():
            try:
                connection.request("POST", "/v1/scores", ASKED, self.headers)
                answer = connection.getresponse()
                read = json.loads(answer.read())
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(repr(error))
                return
            self.statuses.append(answer.status)
            assert len(read["accounts"]) == 3
            if answer.will_close:
                return


@contextmanager
def load(url, token):
    clients = [Client(url, token) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        wait_for(lambda: all(client.statuses for client in clients))
        yield clients
    finally:
        for client in clients:
            client.ended.set()
        for client in clients:
            client.join()


def wait_for(happened):
    for _ in range(PATIENCE):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError(happened)


def workers_of(process):
    """Give the processes that the parent has forked, without those that try a model for them."""
    return [child for child in psutil.Process(process.pid).children() if is_worker(child)]


def is_worker(process):
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def ask(url, path, token):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    with closing(connection):
        connection.request("GET", path, headers={"authorization": f"Bearer {token}"})
        return connection.getresponse().read().decode()


def total(text, name):
    found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def all_up(url, token, starts=WORKERS):
    text = ask(url, "/metrics", token)
    up, started = total(text, "tenure_workers"), total(text, "tenure_worker_starts_total")
    return (up, started) == (WORKERS, starts)


def all_statuses(clients):
    return [status for client in clients for status in client.statuses]


def test_a_worker_that_is_killed_takes_only_what_it_was_answering(scored, running):
    (settings, token), (process, url) = scored, running
    draw = random.Random(3)  # noqa: S311 - whom to kill is no secret
    kills = max(3, LONG // 8)
    with load(url, token) as clients:
        for number in range(1, kills + 1):
            killed = draw.choice(workers_of(process))
            killed.kill()
            before = len(all_statuses(clients))
            wait_for(lambda seen=before: len(all_statuses(clients)) > seen + 20)
            wait_for(lambda starts=WORKERS + number: all_up(url, token, starts))
            time.sleep(5 if LONG > 3 else 0)
    text = ask(url, "/metrics", token)
    statuses = all_statuses(clients)
    broken = [one for client in clients for one in client.broken]
    assert set(statuses) == {200}
    assert len(broken) <= kills * CLIENTS
    assert [client.refused for client in clients] == [0] * CLIENTS
    counted = re.search(r'requests_total\{route="/v1/scores",status="200"\} (\S+)', text)
    assert counted is not None
    assert 0 <= float(counted[1]) - len(statuses) <= len(broken)  # killed workers' counts stay
    with closing(open_store(settings.store)) as store:
        found = check(settings.home.audit_log, heads(store))
    assert found.faults == []
    assert found.chains >= WORKERS


def test_all_listen_on_the_one_address_and_speak_to_nobody(scored, running):
    (_, token), (process, url) = scored, running
    with load(url, token):
        all_of_it = [psutil.Process(process.pid), *workers_of(process)]
        found, spoken_to = listening(all_of_it)
        assert listening_on_files(all_of_it) == set()
    assert found == {("127.0.0.1", int(url.rpartition(":")[2]))}
    assert spoken_to <= {"127.0.0.1"}


def test_when_the_parent_is_killed_no_worker_serves_on_and_the_address_is_free(scored, serving):
    settings, token = scored
    with serving(settings, WORKERS) as (process, url):
        wait_for(lambda: all_up(url, token))
        workers = workers_of(process)
        with load(url, token):
            process.send_signal(signal.SIGKILL)
            process.wait()
            psutil.wait_procs(workers, timeout=10)
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", int(url.rpartition(":")[2])))
                listener.listen()
        assert len(workers) == WORKERS
        assert [one.pid for one in workers if is_worker(one)] == []


@pytest.mark.parametrize(
    ("workers", "told"),
    [(1, signal.SIGTERM), (WORKERS, signal.SIGTERM), (WORKERS, signal.SIGHUP)],
)
def test_told_to_end_it_loses_nothing_that_was_sent(scored, serving, workers, told):
    settings, token = scored
    for _ in range(max(1, LONG // 4)):
        with serving(settings, workers) as (process, url), load(url, token) as clients:
            time.sleep(0.2)
            process.send_signal(told)
            assert process.wait(60) == 0
        assert set(all_statuses(clients)) == {200}
        assert [client.broken for client in clients] == [[]] * CLIENTS


def listening(processes):
    """Give the addresses that processes listen on, and whom they speak to, of any family."""
    found, spoken_to = set(), set()
    for process in processes:
        for one in process.net_connections(kind="all"):
            if one.status == psutil.CONN_LISTEN or (one.type == socket.SOCK_DGRAM and one.laddr):
                found.add(one.laddr)
            elif one.raddr:
                spoken_to.add(one.raddr[0])
    return found, spoken_to


def listening_on_files(processes):
    """Give the sockets in the file system, or without a name, that processes accept on."""
    accepts = "00010000"  # what the kernel calls __SO_ACCEPTCON
    table = Path(f"/proc/{processes[0].pid}/net/unix").read_text().splitlines()[1:]
    of_unix = {line.split()[6] for line in table if line.split()[3] == accepts}
    opened = [link for one in processes for link in Path(f"/proc/{one.pid}/fd").iterdir()]
    return {str(link.readlink())[8:-1] for link in opened} & of_unix
