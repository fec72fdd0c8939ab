"""The Bento: built without a network, unpacked where nothing else is, and started as it says."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from serving.access.tokens import add_token
from serving.parts import utc_now
from serving.settings import Settings
from serving.store.database import open_store

PROJECT = Path(__file__).resolve().parents[3]
CLOSED = "http://127.0.0.1:9"  # nothing that is asked for through it is answered


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a Bento, export it, and unpack the file elsewhere."""
    folder = tmp_path_factory.mktemp("built")
    environ = {**os.environ, "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}
    environ |= {"HTTPS_PROXY": CLOSED, "HTTP_PROXY": CLOSED}
    tag = _bentoml(environ, "build", "--output", "tag", ".").strip().removeprefix("__tag__:")
    _bentoml(environ, "export", tag, str(folder / "tenure.bento"))
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(folder / "tenure.bento") as archive:
        archive.extractall(unpacked, filter="data")
    return unpacked


def _bentoml(environ: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "bentoml", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dockerfile(bento: Path) -> str:
    return (bento / "env/docker/Dockerfile").read_text()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty environment that finds the locked packages where they are installed already.

    Installing them once more from the lock would take minutes. A line with a folder adds what lies
    right in it, and nothing that the folder's own `.pth` files point to: not this project.
    """
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "installed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def test_it_holds_what_it_needs_and_nothing_else(bento: Path) -> None:
    inside = {str(path.relative_to(bento / "src")) for path in bento.glob("src/**/*")}
    assert {
        "serving/api/app.py",
        "serving/pages/worklist.html",
        "serving/pages/tenure.css",
        "serving/playbooks.toml",
    } <= inside
    assert {"models/bundle.py", "features/build.py", "requirements.lock"} <= inside
    top = {path.name for path in (bento / "src").iterdir()}
    files = {"pyproject.toml", "requirements.lock", "LICENSE", "bentofile.yaml"}
    assert top == {"features", "models", "serving"} | files


def test_its_image_installs_what_the_project_asks_for_in_the_locked_versions(
    bento: Path, dockerfile: str
) -> None:
    required = (bento / "env/python/requirements.txt").read_text().splitlines()
    assert {"bentoml==1.4.39", "lightgbm>=4.7,<5", "sqlalchemy>=2.1,<3"} <= set(required)
    lock = "requirements.lock"
    copied = dockerfile.index(f"./src/{lock} ./env/python/{lock}")
    held = dockerfile.index(f"ENV UV_CONSTRAINT={_in_the_image(dockerfile)}/env/python/{lock}")
    assert copied < held < dockerfile.index("/env/python/install.sh")
    assert (bento / "src" / lock).read_bytes() == (PROJECT / lock).read_bytes()


def test_the_environment_has_no_code_of_ours(python: Path, tmp_path: Path) -> None:
    command = [str(python), "-c", "import uvicorn, bentoml; import serving"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "No module named 'serving'" in done.stderr


def _in_the_image(dockerfile: str) -> str:
    (path,) = re.findall(r"^ARG BENTO_PATH=(.*)$", dockerfile, flags=re.MULTILINE)
    return str(path)


def _entrypoint(dockerfile: str) -> tuple[list[str], str]:
    """Give the command of an image and the folder that it runs in."""
    (command,) = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, flags=re.MULTILINE)
    return json.loads(command), re.findall(r"^WORKDIR (.*)$", dockerfile, flags=re.MULTILINE)[-1]


def test_its_entrypoint_is_ours(dockerfile: str) -> None:
    folder = f"{_in_the_image(dockerfile)}/src"
    assert _entrypoint(dockerfile) == (["python", "-m", "serving"], folder)


@contextmanager
def _started(command: list[str], folder: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL) as process:
        yield process
        process.terminate()
        process.wait(timeout=40)


def _processes(root: int) -> list[int]:
    children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    return [root, *(each for child in children for each in _processes(int(child)))]


def _open_files(process_id: int) -> Iterator[str]:
    for link in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            yield str(link.readlink())


def _listening(root: int) -> dict[str, str]:
    """Read from /proc the listening TCP sockets of a process and its children, by number."""
    opened = {target for process_id in _processes(root) for target in _open_files(process_id)}
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{root}/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        line[9]: line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in opened
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_what_it_starts_has_one_listening_socket_and_asks_for_a_token(
    bento: Path,
    python: Path,
    dockerfile: str,
    published: Settings,
    free_port: Callable[[], int],
    wait_until_alive: Callable[[subprocess.Popen[bytes], str], None],
    workers: int,
) -> None:
    command, folder = _entrypoint(dockerfile)
    command[0], port = str(python), free_port()
    store = open_store(published.store)
    token = add_token(store, f"me {workers}", ["read"], utc_now())
    store.close()
    environ = {"TENURE_HOME": str(published.home.root), "TENURE_PORT": str(port)}
    environ |= {"TENURE_WORKERS": str(workers), "PATH": f"{python.parent}:/usr/bin:/bin"}
    unpacked = Path(folder.replace(_in_the_image(dockerfile), str(bento)))
    url = f"http://127.0.0.1:{port}"
    with _started(command, unpacked, **environ) as process:
        wait_until_alive(process, url)
        while len(_processes(process.pid)) < (1 if workers == 1 else workers + 1):
            time.sleep(0.05)
        assert list(_listening(process.pid).values()) == [f"0100007F:{port:04X}"]
        assert httpx.get(f"{url}/v1/worklist").status_code == 401
        allowed = httpx.get(f"{url}/v1/worklist", headers={"authorization": f"Bearer {token}"})
        assert allowed.status_code == 200
        assert Path(f"/proc/{process.pid}/cwd").resolve() == (bento / "src").resolve()


def test_a_second_listening_socket_is_found(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "opened = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]\n"
        "print(flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(_listening(process.pid)) == 2
        process.communicate(b"")
