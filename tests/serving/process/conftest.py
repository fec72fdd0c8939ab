"""The service as a process of its own: a home that it serves, and what waits for it."""

import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from features.home import Home
from models.bundle import Bundle
from serving.parts import utc_now
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.store.database import open_store


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory,
    bundles: dict[str, Bundle],
    scored_company: Callable[..., Scored],
) -> Settings:
    """Give the settings of a home with one publication, to be served by a process of its own."""
    settings = Settings(home=Home(tmp_path_factory.mktemp("published") / "home"))
    with closing(open_store(settings.store)) as store:
        publish(store, settings.home, scored_company(bundles), utc_now())
    return settings


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give what gives a port of loopback that nobody listens on."""

    def find() -> int:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return int(taken.getsockname()[1])

    return find


@pytest.fixture(scope="session")
def wait_until_alive() -> Callable[[subprocess.Popen[Any], str], None]:
    """Give what waits for a service that was started as a process."""

    def wait(process: subprocess.Popen[Any], url: str) -> None:
        while process.poll() is None:
            try:
                httpx.get(f"{url}/livez")
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"the service ended with {process.returncode}")

    return wait
