"""What comes over a raw socket: read in one way or refused, and never kept without an end."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from serving.protocol import MOST_AHEAD, MOST_HEAD

ECHOES = """
import json, sys
from serving.api.limits import Load
from serving.server import Server

async def echo(scope, receive, send):
    message = await receive()
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    names = [name.decode() for name, _ in scope["headers"]]
    told = json.dumps([scope["path"], names, len(body)]).encode()
    length = (b"content-length", str(len(told)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": told})

server = Server(echo, Load())
server.config.port = int(sys.argv[1])
server.run()
"""
PROJECT = Path(__file__).resolve().parents[3]
MIB = 1024 * 1024
POURED = 32 * MIB
MOST_GROWTH = 3 * MIB
HOST = "host: here\r\n"
LAST = "GET /last HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
END = "0\r\n\r\n"
CHUNKED = f"POST /first HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def echoing(
    free_port: Callable[[], int], wait_until_alive: Callable[[subprocess.Popen[bytes], str], None]
) -> Iterator[tuple[int, int]]:
    """Give port and process id of a server that tells what it has read."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", ECHOES, str(port)], cwd=PROJECT) as process:
        wait_until_alive(process, f"http://127.0.0.1:{port}")
        yield port, process.pid
        process.terminate()


def sent_back(port: int, text: str) -> str:
    """Send a text at once; give all that comes until the connection is closed."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.sendall(text.encode("latin-1"))
        return connection.makefile("rb").read().decode()


def answered(port: int, text: str) -> list[int | str]:
    """Give the paths that are answered, and the statuses where there is none."""
    found = re.findall(r'HTTP/1\.1 (\d+)[^\[]*?\r\n\r\n(?:\["(.+?)")?', sent_back(port, text))
    return [path or int(status) for status, path in found]


def told(port: int, text: str) -> list[str | int | list[str]]:
    """Give what the first request was read as: its path, its headers, the bytes of its body."""
    body = sent_back(port, text + LAST).partition("\r\n\r\n")[2]
    found: list[str | int | list[str]] = json.JSONDecoder().raw_decode(body)[0]
    return found


def post(headers: str, body: str = "") -> str:
    return f"POST /first HTTP/1.1\r\n{HOST}{headers}\r\n\r\n{body}"


TWO_MEANINGS = {
    "two lengths": post("content-length: 3\r\ncontent-length: 4", "abc"),
    "the same length twice": post("content-length: 3\r\ncontent-length: 3", "abc"),
    "a list of lengths": post("content-length: 3, 3", "abc"),
    "a length with a sign": post("content-length: +3", "abc"),
    "a length below zero": post("content-length: -3", "abc"),
    "a hexadecimal length": post("content-length: 0x3", "abc"),
    "an empty length": post("content-length:", "abc"),
    "a length that overflows": post("content-length: 18446744073709551619", "abc"),
    "a space before the colon": post("content-length : 3", "abc"),
    "a length, then chunks": post("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
    "chunks, then a length": post("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
    "chunked twice": post("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
    "chunked after another": post("transfer-encoding: gzip\r\ntransfer-encoding: chunked", END),
    "chunked before another": post("transfer-encoding: chunked\r\ntransfer-encoding: gzip", END),
    "chunked within another": post("transfer-encoding: gzip, chunked", "0\r\n\r\n"),
    "another after chunked": post("transfer-encoding: chunked, identity", "0\r\n\r\n"),
    "nearly chunked": post("transfer-encoding: xchunked", "0\r\n\r\n"),
    "chunked with a vertical tab": post("transfer-encoding: \x0bchunked", "0\r\n\r\n"),
    "chunked on the next line": post("transfer-encoding:\r\n chunked", "0\r\n\r\n"),
    "chunked in HTTP/1.0": CHUNKED.replace("HTTP/1.1", "HTTP/1.0") + "0\r\n\r\n",
    "a chunk below zero": CHUNKED + "-3\r\nabc\r\n0\r\n\r\n",
    "a chunk of no number": CHUNKED + "g\r\nabc\r\n0\r\n\r\n",
    "a chunk with a prefix": CHUNKED + "0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk that overflows": CHUNKED + "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "a chunk with a space": CHUNKED + "3 \r\nabc\r\n0\r\n\r\n",
    "a chunk without a carriage return": CHUNKED + "3\nabc\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + "3\r\nabcd\r\n0\r\n\r\n",
    "a folded header": post("x-a: a\r\n b\r\ncontent-length: 0"),
    "a folded first header": "POST /first HTTP/1.1\r\n x-a: a\r\nhost: here\r\n\r\n",
    "a zero character in a value": post("x-a: a\0b\r\ncontent-length: 0"),
    "a zero character in a name": post("x-a\0: a\r\ncontent-length: 0"),
    "a zero character in the path": "GET /\0 HTTP/1.1\r\nhost: here\r\n\r\n",
    "a lone line feed": "POST /first HTTP/1.1\nhost: here\ncontent-length: 0\n\n",
    "a lone carriage return": post("x-a: a\rx-b: b\r\ncontent-length: 0"),
    "no host": "GET /first HTTP/1.1\r\n\r\n",
    "two hosts": post("host: there\r\ncontent-length: 0"),
    "a version that is none": "GET /first HTTP/1.9\r\nhost: here\r\n\r\n",
    "a tunnel": "CONNECT there:443 HTTP/1.1\r\nhost: there\r\n\r\n",
}


@pytest.mark.parametrize("text", TWO_MEANINGS.values(), ids=TWO_MEANINGS)
def test_what_may_be_read_in_two_ways_is_refused_with_all_after_it(
    echoing: tuple[int, int], text: str
) -> None:
    assert answered(echoing[0], text + LAST) == [400]


def test_a_header_after_the_body_is_not_added_to_those_before(echoing: tuple[int, int]) -> None:
    text = CHUNKED + "3\r\nabc\r\n0\r\nx-forwarded-for: 1.2.3.4\r\n\r\n"
    assert told(echoing[0], text) == ["/first", ["host", "transfer-encoding"], 3]


def test_a_request_that_would_leave_http_is_read_with_its_body(echoing: tuple[int, int]) -> None:
    text = post("connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3", "abc")
    assert told(echoing[0], text) == ["/first", ["host", "connection", "content-length"], 3]
    assert answered(echoing[0], text + LAST) == ["/first", "/last"]


def test_requests_sent_ahead_are_answered_in_their_order(echoing: tuple[int, int]) -> None:
    ahead = [f"/{number}" for number in range(MOST_AHEAD)]
    text = "".join(f"GET {path} HTTP/1.1\r\n{HOST}\r\n" for path in ahead)
    assert answered(echoing[0], text + LAST) == [*ahead, "/last"]


@pytest.mark.parametrize("wrong", ["x", TWO_MEANINGS["two lengths"]])
def test_what_was_sent_before_something_wrong_is_answered(
    echoing: tuple[int, int], wrong: str
) -> None:
    text = f"GET /first HTTP/1.1\r\n{HOST}\r\n"
    assert answered(echoing[0], text + wrong + LAST) == ["/first"]


def test_of_too_many_sent_ahead_the_first_are_answered(echoing: tuple[int, int]) -> None:
    text = f"GET /first HTTP/1.1\r\n{HOST}\r\n" * 100
    assert answered(echoing[0], text + LAST) == ["/first"] * (MOST_AHEAD + 1)


def test_an_answer_leaves_in_one_packet(echoing: tuple[int, int]) -> None:
    with closing(socket.create_connection(("127.0.0.1", echoing[0]), timeout=30)) as connection:
        for _ in range(200):
            connection.sendall(f"GET /first HTTP/1.1\r\n{HOST}\r\n".encode())
            assert b'["/first"' in connection.recv(65536)


def test_who_asks_before_sending_a_body_is_told_to(echoing: tuple[int, int]) -> None:
    head = post("content-length: 3\r\nexpect: 100-continue")
    with closing(socket.create_connection(("127.0.0.1", echoing[0]), timeout=30)) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(65536).endswith(
            b'["/first", ["host", "content-length", "expect"], 3]'
        )


def test_the_head_alone_is_answered_without_a_body(echoing: tuple[int, int]) -> None:
    text = f"HEAD /first HTTP/1.1\r\n{HOST}\r\n"
    assert answered(echoing[0], text + LAST) == [200, "/last"]


GET = f"GET / HTTP/1.1\r\n{HOST}"
WITHOUT_END = {
    "a path": ("GET /", "a"),
    "a value": (f"{GET}x-a: ", "a"),
    "a name": (GET, "a"),
    "headers": (GET, "a:b\r\n"),
    "headers after the body": (CHUNKED + "1\r\na\r\n0\r\n", "a:b\r\n"),
    "what is said of a chunk": (CHUNKED + "1;", "a"),
    "lines before the request": ("", "\r\n"),
    "requests": ("", f"{GET}\r\n"),
}


@pytest.mark.parametrize(("begun", "part"), WITHOUT_END.values(), ids=WITHOUT_END)
def test_what_does_not_end_is_cut_off_and_takes_no_memory(
    echoing: tuple[int, int], begun: str, part: str
) -> None:
    port, process_id = echoing
    answered(port, f"{GET}x-a: {'a' * (MOST_HEAD // 2)}\r\nconnection: close\r\n\r\n")
    before = peak_bytes(process_id)
    block = (part * (65536 // len(part))).encode()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.sendall(begun.encode())
        sent = 0
        with suppress(ConnectionError):
            while sent < POURED:
                connection.sendall(block)
                sent += len(block)
    assert sent < POURED
    assert peak_bytes(process_id) - before < MOST_GROWTH


def peak_bytes(process_id: int) -> int:
    """Give the most memory that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
