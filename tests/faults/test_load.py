"""More requests than can be answered, and clients that take their time."""

import http.client
import json
import os
import socket
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta

import pytest

from features.home import Home
from serving.access.kept_sessions import open_session
from serving.access.tokens import add_token
from serving.access.users import Place, add_user, user_of
from serving.api.limits import ANSWERED_AT_ONCE, MOST_WAITING
from serving.parts import utc_now
from serving.protocol import HEAD_SECONDS
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.store.database import open_store

LOGIN = "load@example.com"
LONG = int(os.environ.get("FAULT_KILLS", "3"))  # `make faults` asks for many more
SLOW = 200
NORMAL = 100 * LONG // 3
THREE_TIMES = 3 * (ANSWERED_AT_ONCE + MOST_WAITING)


@pytest.fixture(scope="module")
def running(tmp_path_factory, company, serving):
    """One worker, whose one token may ask as often as it likes, with one that may not."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    settings = Settings(home=home)
    with closing(open_store(settings.store)) as store:
        bundles = {"churn": company.make_bundle("churn")}
        publish(store, home, company.scored_company(bundles), utc_now())
        token = add_token(store, "load", ["read", "predict"], utc_now())
        add_user(store, LOGIN, "Load", Place("admin"), utc_now())
        session = open_session(store, user_of(store, LOGIN), utc_now(), timedelta(days=1))
    with serving(settings) as (_, url):
        yield url.removeprefix("http://"), token, settings, session


@pytest.fixture(scope="module")
def rows(company):
    """A body whose answer takes a moment."""
    row = dict.fromkeys(company.FEATURES, 3.0)
    return json.dumps({"model": "churn", "rows": [row] * 200, "reasons": 5})


def asked(address, token, method, path, body=None):
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with closing(http.client.HTTPConnection(address, timeout=120)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["retry-after"]


def all_at_once(number, ask):
    """Ask on so many connections at the same time, and give what came, or what went wrong."""
    together, came = threading.Barrier(number), []

    def one():
        together.wait()
        try:
            came.append(ask())
        except (OSError, http.client.HTTPException) as error:
            came.append((repr(error), None))

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def test_three_times_what_it_can_take_on_is_answered_or_told_to_come_back(running, rows):
    address, token, *_ = running
    came = all_at_once(THREE_TIMES, lambda: asked(address, token, "POST", "/v1/predict", rows))
    assert len(came) == THREE_TIMES
    assert {status for status, _ in came} == {200, 503}
    assert {after for status, after in came if status == 503} == {"1"}
    assert asked(address, token, "GET", "/v1/worklist") == (200, None)


def test_a_token_over_its_rate_is_told_to_come_back(running, serving):
    _, token, settings, _ = running
    limits = {"TENURE_REQUESTS_PER_SECOND": "5", "TENURE_REQUESTS_AT_ONCE": "10"}
    with serving(settings, **limits) as (_, url):
        address = url.removeprefix("http://")
        came = all_at_once(60, lambda: asked(address, token, "GET", "/v1/worklist"))
    assert {status for status, _ in came} == {200, 429}
    assert all(int(after) >= 1 for status, after in came if status == 429)


HEAD = "GET /v1/worklist HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {token}\r\n"
POST = (
    "POST /v1/predict HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {token}\r\n"
    "content-type: application/json\r\ncontent-length: 100000\r\n\r\n"
)
BEGINNINGS = ("", "G", HEAD, POST)  # nothing, a byte, half of a head, a head without its body


def trickle(connections, ended):
    """Send a byte on each connection now and then: never an end of what was begun."""
    while not ended.wait(0.5):
        for connection in connections:
            try:
                connection.send(b"x")
            except OSError:
                continue  # it was given up on


@contextmanager
def slow_clients(address, texts):
    """Begin each of the texts on its own connections, and go on with every second round of them."""
    host, port = address.split(":")
    ended = threading.Event()
    with ExitStack() as opened:
        slow = [
            opened.enter_context(closing(socket.create_connection((host, int(port)))))
            for _ in range(SLOW)
        ]
        going_on = []
        for number, connection in enumerate(slow):
            text = texts[number % len(texts)]
            connection.sendall(text.encode())
            if len(text) > 1 and number // len(texts) % 2:
                going_on.append(connection)
        thread = threading.Thread(target=trickle, args=(going_on, ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def test_slow_clients_leave_the_others_what_they_had(running):
    address, token, *_ = running
    with slow_clients(address, [text.format(token=token) for text in BEGINNINGS]):
        came = [asked(address, token, "GET", "/v1/worklist")[0] for _ in range(NORMAL)]
    assert came.count(200) >= 0.95 * NORMAL


FORM = (
    "POST {path} HTTP/1.1\r\nhost: here\r\ncookie: tenure_session={session}\r\n"
    "content-type: application/x-www-form-urlencoded\r\ncontent-length: 100000\r\n\r\nmark="
)
FORMS = ("/login", "/logout", "/feedback", "/feedback/undo", "/disagreements")


def bodies(token, session):
    """Give the head and the first bytes of each body that the service reads, from who may send it.

    Logins are let in at some a second, and the others refused before a byte of them is read.
    """
    forms = [FORM.format(path=path, session=session) for path in FORMS]
    return [POST.format(token=token) + "{", *forms, *[one.replace(session, "") for one in forms]]


def test_slow_bodies_leave_the_others_what_they_had(running):
    address, token, _, session = running
    with slow_clients(address, bodies(token, session)):
        came = [asked(address, token, "GET", "/v1/worklist")[0] for _ in range(NORMAL)]
        came += [page(address, session) for _ in range(NORMAL)]
    assert came.count(200) >= 0.95 * len(came)


def page(address, session):
    with closing(http.client.HTTPConnection(address, timeout=120)) as connection:
        connection.request("GET", "/", headers={"cookie": f"tenure_session={session}"})
        return connection.getresponse().status


def test_a_head_that_does_not_end_is_given_up_on(running):
    address, token, *_ = running
    host, port = address.split(":")
    with ExitStack() as opened:
        begun = {
            text: opened.enter_context(
                closing(socket.create_connection((host, int(port)), timeout=4 * HEAD_SECONDS))
            )
            for text in BEGINNINGS[:3]
        }
        began = time.monotonic()
        for text, connection in begun.items():
            connection.sendall(text.format(token=token).encode())
        closed = {text: connection.recv(1) for text, connection in begun.items()}
    assert closed == dict.fromkeys(BEGINNINGS[:3], b"")
    assert time.monotonic() - began > HEAD_SECONDS / 2  # it was waited for
