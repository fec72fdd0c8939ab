"""A server as processes of its own: started, loaded by wrk, charged by its CPU time and memory."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

TICK = os.sysconf("SC_CLK_TCK")
START_S, STOP_S = 180, 20
LOAD = """
{headers}
local requests, n = {{}}, 0
init = function(_)
  math.randomseed(1)
  for line in io.lines("{lines}") do
    table.insert(requests, wrk.format("POST", "{path}", nil, line))
  end
end
request = function()
  n = n % #requests + 1
  return requests[n]
end
{delay}
done = function(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n{{"requests": %d, "errors": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f}}\\n',
    summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""
DELAY = "delay = function() return math.floor(-{mean_ms} * math.log(1 - math.random()) + 0.5) end"


@dataclass(frozen=True)
class Request:
    """What is asked: many bodies in turn, to one path."""

    path: str
    bodies: Sequence[bytes]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Load:
    """What came of a load: requests a second, CPU of the server for each, and how long they took.

    Attributes
    ----------
    rate
        Requests a second.
    cpu_us
        Microseconds of CPU, user and system, of all the server's processes, for a request.
    p50_ms, p99_ms
        Milliseconds from sending a request to its whole answer.
    """

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: int
    port: int

    def tree(self) -> list[int]:
        """Give its processes."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))):
                parents[int(entry.name)] = int(stat[1])
        found = [self.process]
        for each in found:
            found += [child for child, parent in parents.items() if parent == each]
        return found

    def cpu_s(self) -> float:
        """Give the CPU seconds of its processes so far, and of those that they waited for."""
        ticks = [sum(map(int, stat[11:15])) for each in self.tree() if (stat := _stat(each))]
        return sum(ticks) / TICK

    def mb(self) -> float:
        """Give the memory of its processes in MB; what they share is counted once."""
        total = 0
        for each in self.tree():
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def loaded(
        self, request: Request, seconds: int, connections: int, *, rate: float | None = None
    ) -> Load:
        """Ask as fast as it answers, or at random at about so many requests a second.

        Raises
        ------
        SystemExit
            An answer was none, or an error.
        """
        mean_ms = 0.0 if rate is None else connections / rate * 1000
        before = self.cpu_s()
        told = _wrk(self.port, request, seconds, connections, mean_ms)
        cpu_s = self.cpu_s() - before
        if told["errors"] or not told["requests"]:
            raise SystemExit(
                f"Expected answers without error of {request.path}, got {told}. "
                "Send one of its requests by hand and read the answer."
            )
        requests = told["requests"]
        return Load(
            rate=requests / told["seconds"],
            cpu_us=cpu_s / requests * 1e6,
            p50_ms=told["p50_ms"],
            p99_ms=told["p99_ms"],
        )


def _stat(process: int) -> list[str]:
    """Give the fields of /proc/PID/stat from the state on; none where it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _wrk(
    port: int, request: Request, seconds: int, connections: int, mean_ms: float
) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **request.headers}
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder) / "lines.txt", Path(folder) / "load.lua"
        lines.write_bytes(b"\n".join(request.bodies) + b"\n")
        script.write_text(
            LOAD.format(
                lines=lines,
                path=request.path,
                headers="\n".join(f'wrk.headers["{k}"] = "{v}"' for k, v in headers.items()),
                delay=DELAY.format(mean_ms=mean_ms) if mean_ms else "",
            )
        )
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
        )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@contextmanager
def running(
    command: Sequence[str], port: int, ready: str, environment: Mapping[str, str]
) -> Iterator[Server]:
    """Run a server in a session of its own until it answers at `ready`, and end all of it after.

    Raises
    ------
    SystemExit
        It ended, or did not answer in time.
    """
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _await(process, port, ready)
            yield Server(process.pid, port)
        finally:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, ready: str) -> None:
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        client = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            client.request("GET", ready)
            if client.getresponse().status < 300:  # noqa: PLR2004 - the answers of success
                return
        except (OSError, HTTPException):
            time.sleep(0.2)
        finally:
            client.close()
    raise SystemExit(
        f"Expected {process.args} to answer at {ready} within {START_S} s, got none. "
        "Run the command by hand and read its last lines."
    )
