"""The small company served for real: real models, a real store, a real socket."""

import json
import shutil
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pandas as pd
import pytest

from features.home import Home
from models.bundle import Bundle
from models.golden import golden_set
from serving.access.kept_sessions import open_session
from serving.access.tokens import add_token
from serving.access.users import KeptUser, Place, add_user, user_of
from serving.logs import logged
from serving.pages.cookies import SESSION
from serving.parts import Parts, open_parts
from serving.publishing.bundles import keep_bundle
from serving.publishing.publication import Publication
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.snapshots.trial import Candidate, demand_tried
from serving.store.database import Store, open_store
from tests.serving.company import (
    NOW,
    feature_table,
    make_bundle,
    scored_company,
    states,
    text_table,
)


@pytest.fixture(scope="session")
def bundles() -> dict[str, Bundle]:
    return {"churn": make_bundle("churn"), "expansion": make_bundle("expansion", seed=1)}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


@dataclass
class Clock:
    """Seconds that go on by themselves, and that a test can put forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@dataclass(frozen=True)
class Served:
    """A running service with one publication and a token for each scope."""

    url: str
    parts: Parts
    publication: Publication | None
    clock: Clock = field(default_factory=Clock)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)  # slow to make: once

    def token(
        self, *scopes: str, expires_at: datetime | None = None, book: str | None = None
    ) -> str:
        name = f"test {time.monotonic_ns()}"
        return add_token(self.parts.store, name, scopes, NOW, expires_at, book)

    def user(
        self, role: str = "admin", *, password: str | None = None, **place: str | None
    ) -> KeptUser:
        login = f"test{time.monotonic_ns()}@example.com"
        store = self.parts.store
        add_user(store, login, "Test", Place(role, **place), self.parts.now(), password)
        user = user_of(store, login)
        assert user is not None
        return user

    def browser(self, role: str = "admin", **place: str | None) -> httpx.Client:
        """Give a client in which somebody of that role has logged in."""
        cookies = {SESSION: self.session(self.user(role, **place))}
        return httpx.Client(base_url=self.url, cookies=cookies, timeout=30, verify=self.tls)

    def session(self, user: KeptUser, before: timedelta = timedelta(0)) -> str:
        """Give the cookie of a user who logged in some time before now."""
        then = self.parts.now() - before
        return open_session(self.parts.store, user, then, self.parts.signer.lifetime)

    def client(self, *scopes: str, book: str | None = None) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token(*scopes, book=book)}"} if scopes else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=self.tls)


@pytest.fixture(scope="session")
def serve() -> type[Served]:
    """Give what a service that a test itself serves is called by its clients."""
    return Served


def listening_socket() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


@pytest.fixture(name="states")
def _states() -> pd.DataFrame:
    return states()


@pytest.fixture(name="table")
def _table() -> pd.DataFrame:
    return feature_table()


@pytest.fixture(name="make_bundle")
def _make_bundle() -> Callable[..., Bundle]:
    return make_bundle


@pytest.fixture(scope="session", name="scored_company")
def _scored_company() -> Callable[..., Scored]:
    return scored_company


@pytest.fixture(name="read_table")
def _read_table() -> Callable[[str], pd.DataFrame]:
    return text_table


@dataclass
class Log:
    """What is logged, from the test's start on."""

    lines: list[bytes]
    start: int

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines[self.start :]]

    @property
    def text(self) -> str:
        return b"".join(self.lines[self.start :]).decode()


@pytest.fixture(scope="session", autouse=True)
def all_logged() -> Iterator[list[bytes]]:
    """Log as the service does, into a list."""
    lines: list[bytes] = []
    with logged(lines.append):
        yield lines


@pytest.fixture
def log(all_logged: list[bytes]) -> Log:
    return Log(all_logged, len(all_logged))


@pytest.fixture(scope="session")
def service() -> ModuleType:
    """Give `serving.service`, whose import of BentoML uses names that pathspec has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("serving.service")


ServeParts = Callable[[Parts], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serve_parts(service: ModuleType) -> ServeParts:
    """Give a context manager that serves parts through BentoML's service on a free port."""

    @contextmanager
    def run(parts: Parts) -> Iterator[str]:
        listener = listening_socket()
        uvicorn_server = service.server(parts)
        thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not uvicorn_server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        uvicorn_server.should_exit = True
        thread.join(timeout=20)
        listener.close()

    return run


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served_settings(
    request: pytest.FixtureRequest,
    new_store_url: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settings]:
    """Give the settings of an empty home whose store is in one database, then in the other."""
    folder = tmp_path_factory.mktemp("home")
    with new_store_url(request.param, folder) as url:
        yield Settings(home=Home(folder), store_url=url, requests_at_once=1_000_000)


@pytest.fixture(scope="session")
def tried(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what says that the models passed their trial, so that not every service tries them."""
    home = Home(tmp_path_factory.mktemp("tried"))
    candidates = []
    for name, bundle in bundles.items():
        golden = home.root / f"golden-{name}.json"
        golden.write_text(golden_set(bundle).to_text())
        candidates.append(Candidate(name, keep_bundle(home, name, bundle), golden))
    demand_tried(home, candidates)
    return home.served / "tried"


@pytest.fixture(scope="module")
def served(
    bundles: dict[str, Bundle], serve_parts: ServeParts, served_settings: Settings, tried: Path
) -> Iterator[Served]:
    clock = Clock()
    shutil.copytree(tried, served_settings.home.served / "tried")
    parts = open_parts(served_settings, now=lambda: NOW, clock=clock)
    publication = publish(parts.store, served_settings.home, scored_company(bundles), NOW)
    with serve_parts(parts) as url:
        yield Served(url, parts, publication, clock)
    parts.close()


@pytest.fixture(scope="module")
def unscored(serve_parts: ServeParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a service on its first day: nothing is published yet."""
    parts = open_parts(Settings(home=Home(tmp_path_factory.mktemp("home"))), now=lambda: NOW)
    with serve_parts(parts) as url:
        yield Served(url, parts, None)
    parts.close()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with served.client("score", "read", "feedback", "predict") as opened:
        yield opened
