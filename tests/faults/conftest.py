"""The service's small company, for faults that need a service."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx
import pytest

COMPANY = Path(__file__).parents[1] / "serving" / "conftest.py"


@pytest.fixture(scope="session")
def company() -> ModuleType:
    """Give what the tests of the service are about, without its fixtures."""
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
