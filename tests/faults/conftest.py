"""The service's small company, for faults that need a service; and a disk that can be full.

A test that asks for `disk` gets a file system of its own with a few megabytes: mounted here as
root, else the whole test runs once more as root of a namespace of its own. Where the machine allows
neither, as in a container without rights, writes beyond a size are refused to each process instead.
The test's name in the report says which it was.
"""

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import httpx
import psutil
import pytest

from models.gate import Gate, GateReport
from models.record import Training
from models.registry import Registry
from tenure import main

COMPANY = Path(__file__).parents[1] / "serving" / "company.py"


@pytest.fixture(scope="session")
def company() -> ModuleType:
    """Give what the tests of the service are about."""
    spec = spec_from_file_location("served_company", COMPANY)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def serving() -> Callable:
    """Run the service of some settings as a process of its own, and give it with its address."""
    return _serving


@contextmanager
def _serving(settings, workers=1, port=None, **environ):
    port = port or free_port()
    environ = {
        **os.environ,
        "TENURE_HOME": str(settings.home.root),
        "TENURE_STORE_URL": settings.store,
        "TENURE_PORT": str(port),
        "TENURE_WORKERS": str(workers),
        "TENURE_REQUESTS_AT_ONCE": "1000000",
        "TENURE_REQUESTS_PER_SECOND": "1000000",
        **environ,
    }
    command = [sys.executable, "-m", "serving"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        while process.poll() is None and not _is_alive(url):
            time.sleep(0.05)
        try:
            yield process, url
        finally:
            process.kill()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _is_alive(url):
    try:
        return httpx.get(f"{url}/livez").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def tenure(monkeypatch, capsys):
    """A factory: a home and the words of a command line in, how it ended and what it said out."""

    def run(home, *words):
        monkeypatch.setenv("TENURE_HOME", str(home.root))
        monkeypatch.setattr(sys, "argv", ["tenure", *words])
        ended = 0
        try:
            main()
        except SystemExit as error:
            ended = error.code
        return ended, capsys.readouterr().err

    return run


@pytest.fixture(scope="session")
def champion(stumps, tmp_path_factory):
    """A factory: registers a model that asks for little, and makes it the champion of a home."""
    page = tmp_path_factory.mktemp("champion") / "report.html"

    def make(home):
        page.write_text("<p>How sure</p>", encoding="utf-8")
        registry = Registry(home)
        version = registry.log(
            Training(
                bundle=stumps(("usage__events__28d", 1.5, 1.0, -1.0)),
                parameters={},
                metrics={"metrics": {}, "by_horizon": {}},
                data={"fingerprint": "d" * 64, "rows": 1, "extracted_at": "2024-01-01"},
                audit=(),
                reports=(page,),
            )
        )
        gates = (Gate("log_loss", passed=True, sentence="Better."),)
        registry.promote("churn", version, GateReport("churn", version, None, gates))

    return make


DISK_BYTES = 64 * 1024 * 1024
MOUNTED, IN_NAMESPACE, LIMITED = "mounted", "mounted in a namespace", "files of a limited size"
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = ("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs")
UNMOUNT = ("umount", "--lazy")
CUT_SHORT = 4096  # a file's size beyond which a limited process cannot write


@dataclass(frozen=True)
class Disk:
    """A folder whose disk a test can fill; `kind` says what that is."""

    folder: Path
    kind: str

    @contextmanager
    def full(self, *running, left=0):
        """Leave so many bytes to these processes, and make room again at the end."""
        if self.kind == LIMITED:
            with _limited([psutil.Process(one.pid) for one in running], left or CUT_SHORT):
                yield
            return
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(65536)):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - left))
        try:
            yield
        finally:
            ballast.unlink()


@contextmanager
def _limited(processes, size):
    all_of_it = [each for one in processes for each in (one, *one.children(recursive=True))]
    before = {one.pid: resource.prlimit(one.pid, resource.RLIMIT_FSIZE) for one in all_of_it}
    for process_id, limits in before.items():
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        for process_id, limits in before.items():
            if psutil.pid_exists(process_id):
                resource.prlimit(process_id, resource.RLIMIT_FSIZE, limits)


def pytest_generate_tests(metafunc):
    """Name a test by what its disk is, so that every report says it."""
    if "disk" in metafunc.fixturenames:
        metafunc.parametrize("disk", [kind_of_disk()], indirect=True)


@cache
def kind_of_disk():
    """Try what this machine allows."""
    with TemporaryDirectory() as folder:
        if _can([*MOUNT, folder]):
            subprocess.run([*UNMOUNT, folder], check=True)
            return MOUNTED
        return IN_NAMESPACE if _can([*NAMESPACE, *MOUNT, folder]) else LIMITED


@pytest.fixture
def disk(request, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == MOUNTED:
        subprocess.run([*MOUNT, folder], check=True)
    yield Disk(folder, request.param)
    if request.param == MOUNTED:
        subprocess.run([*UNMOUNT, folder], check=True)


def _can(command):
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test whose disk can be mounted in a namespace only there, from its fixtures on."""
    given = pyfuncitem.funcargs.get("disk")
    if given is None or given.kind != IN_NAMESPACE:
        return None
    test = f"{pyfuncitem.path}::{pyfuncitem.originalname}"
    command = [*NAMESPACE, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test]
    command += ["--basetemp", str(given.folder.parent / "namespace")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return True
