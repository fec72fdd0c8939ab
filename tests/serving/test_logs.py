"""How lines are written: each an object of its own, from all who speak, without what they know."""

import json
import logging
import threading
from typing import TYPE_CHECKING

import pytest
import structlog

from serving.logs import logged

if TYPE_CHECKING:
    from tests.serving.conftest import Log, Served


@pytest.fixture
def lines() -> list[bytes]:
    return []


def test_ours_is_one_object_a_line(lines: list[bytes]) -> None:
    with logged(lines.append):
        structlog.get_logger().info("two\nlines", status=200)
        logging.getLogger("tenure.audit").error("cannot be synced: %s", "No space left")
    first, second = map(json.loads, lines)
    assert (first["event"], first["status"], first["level"]) == ("two\nlines", 200, "info")
    assert (second["event"], second["logger"]) == (
        "cannot be synced: No space left",
        "tenure.audit",
    )
    assert [line.count(b"\n") for line in lines] == [1, 1]


def test_of_others_it_says_who_and_where_and_not_what(lines: list[bytes]) -> None:
    with logged(lines.append):
        logging.getLogger("sqlalchemy.pool").warning("lost %s of Acme Ltd", "the connection")
        logging.getLogger("uvicorn.error").warning("Invalid request of %s", "Acme Ltd")
    first, second = map(json.loads, lines)
    assert first["logger"] == "sqlalchemy.pool"
    assert first["place"].startswith("test_logs:")
    assert second["event"] == "Invalid request of %s"
    assert b"Acme" not in b"".join(lines)


def test_a_line_that_cannot_be_written_fails_nothing() -> None:
    tried = []

    def full(line: bytes) -> None:
        tried.append(line)
        raise OSError(28, "No space left on device")

    with logged(full):
        structlog.get_logger().error("said")
        structlog.get_logger().error("said on")
    assert [json.loads(line)["event"] for line in tried] == ["said", "said on"]


def test_lines_for_people_are_no_json(lines: list[bytes]) -> None:
    with logged(lines.append, for_people=True):
        structlog.get_logger().info("listening", url="http://127.0.0.1:3000")
    assert b"listening" in lines[0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[0])


def test_afterwards_it_is_logged_as_before(lines: list[bytes], log: "Log") -> None:
    with logged(lines.append):
        pass
    structlog.get_logger().info("after")
    assert [entry["event"] for entry in log.entries] == ["after"]
    assert lines == []


def test_lines_of_many_threads_do_not_mix(lines: list[bytes]) -> None:
    def speak() -> None:
        for _ in range(50):
            structlog.get_logger().info("x" * 200)

    with logged(lines.append):
        threads = [threading.Thread(target=speak) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [json.loads(line)["event"] for line in lines] == ["x" * 200] * 200


def test_a_request_is_found_by_its_id_with_the_code_of_its_refusal(
    served: "Served", log: "Log"
) -> None:
    with served.client("score") as client:
        request_id = client.get("/v1/worklist").headers["x-request-id"]
    said = [one for one in log.entries if one.get("request_id") == request_id]
    assert [(one["status"], one["code"], one["route"]) for one in said] == [
        (403, "forbidden", "/v1/worklist")
    ]
    assert (said[0]["method"], said[0]["worker"]) == ("GET", 0)
