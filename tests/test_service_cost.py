"""The page of what a request costs says what its runs measured, and what of it is reached."""

import sys

import pytest

from benchmarks.servers import free_port, running
from benchmarks.service import (
    BARE,
    HALF,
    MLFLOW,
    OURS,
    PREDICT,
    SCORES,
    TYPED,
    figures,
    page,
)

LOAD = {"rate": 1000.0, "cpu_us": 100.0, "p50_ms": 1.0, "p99_ms": 4.0}
RUN = {
    f"{SCORES}: {OURS}": LOAD,
    f"{HALF}: {OURS}": LOAD,
    "memory": {"mb": 399.0},
    f"{PREDICT}: {OURS}": LOAD,
    f"{SCORES}: {BARE}": LOAD | {"rate": 2000.0},
    f"{HALF}: {BARE}": LOAD,
    f"{PREDICT}: {TYPED}": LOAD | {"cpu_us": 500.0},
    f"{PREDICT}: {MLFLOW}": LOAD | {"cpu_us": 2000.0},
}


def test_what_is_just_reached_is_said_to_be() -> None:
    assert [row[2:] for row in figures(RUN)] == [
        ["20", "yes"],
        ["5", "yes"],
        ["0.5", "yes"],
        ["4", "yes"],
        ["399", "yes"],
    ]


def test_what_is_just_missed_is_said_to_be() -> None:
    slower = RUN | {
        f"{PREDICT}: {OURS}": LOAD | {"cpu_us": 101.0},
        f"{SCORES}: {OURS}": LOAD | {"rate": 999.0},
        f"{HALF}: {OURS}": LOAD | {"p99_ms": 5.1},
        "memory": {"mb": 401.0},
    }
    assert [row[3] for row in figures(slower)] == ["**no**"] * 5


def test_the_page_shows_the_median_of_the_runs() -> None:
    runs = [RUN | {f"{SCORES}: {OURS}": LOAD | {"rate": rate}} for rate in (900.0, 1234.0, 5000.0)]
    assert f"| {SCORES} | {OURS} | 1,234 | 100 | 1.00 | 4.00 |" in page(runs, 100_000)


SPINS = "import time\nwhile time.process_time() < 1: pass"
SERVER = f"""
import http.server, subprocess, sys
subprocess.run([sys.executable, "-c", {SPINS!r}], check=True)
handler = http.server.SimpleHTTPRequestHandler
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
"""


def test_a_server_is_charged_for_what_it_waited_for_as_well() -> None:
    port = free_port()
    with running([sys.executable, "-c", SERVER, str(port)], port, "/", {}) as server:
        assert server.cpu_s() >= 1
        assert server.mb() > 1
        assert server.tree() == [server.process]


def test_a_server_that_ends_is_said_not_to_answer() -> None:
    port = free_port()
    with (
        pytest.raises(SystemExit, match="to answer at / "),
        running([sys.executable, "-c", "raise SystemExit(1)"], port, "/", {}),
    ):
        pass
