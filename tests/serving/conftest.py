"""A small company that is scored and served for real: real models, a real store, a real socket."""

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
from datetime import date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import lightgbm
import numpy as np
import pandas as pd
import pytest

from features.catalog import catalog, catalog_json, features_fingerprint
from features.home import Home
from models.amount import Amount
from models.bundle import Bundle
from models.calibration import identity
from models.golden import golden_set
from models.intervals import COVARIATES
from models.question import Question
from models.renewal import AtTermEnd
from serving.access.kept_sessions import open_session
from serving.access.tokens import add_token
from serving.access.users import KeptUser, Place, add_user, user_of
from serving.logs import logged
from serving.pages.cookies import SESSION
from serving.parts import Parts, open_parts
from serving.playbooks.read import read_playbook
from serving.playbooks.trigger import COLUMNS as TRIGGER_COLUMNS
from serving.publishing.bundles import keep_bundle
from serving.publishing.publication import Publication
from serving.publishing.publish import Scored, publish
from serving.scoring.listed import Around, Company, listed_rows
from serving.scoring.renewals import renewals
from serving.scoring.rules import Rules
from serving.scoring.score import score
from serving.scoring.signals import recent_signals
from serving.scoring.worklist import account_facts, rank
from serving.settings import Settings
from serving.snapshots.trial import Candidate, demand_tried
from serving.store.account_page import TO_JSON, Event, Line, Outcome, Told
from serving.store.database import Store, open_store

AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
NOW = AS_OF + timedelta(hours=36)
FEATURES = (
    "usage__active_users__28d",
    "support__open_tickets",
    "lifecycle__days_to_term_end",
    "lifecycle__term_months",
)
STATES = """
    account_id  status    mrr   term_ends_at
    acme        active    1000  2026-04-01
    bolt        active    5000  -
    corn        active    200   2027-01-01
    dune        active    1000  2026-09-01
    evil        active    50    -
    gone        inactive  0     -
    newt        no_data   0     -
    quit        leaving   700   -
"""
ACCOUNTS = """
    account_id  name       tier  csm
    acme        Acme~Ltd   high  Ann
    bolt        Bolt       mid   Bob
    corn        Corn       mid   Ann
    dune        Dune       tech  -
    evil        <script>alert(1)</script>  tech  "><img
    gone        Gone       mid   Bob
    newt        Newt       mid   Bob
    quit        Quit       mid   Bob
"""
TABLE = """
    account_id  active_users  open_tickets  days_to_term_end  term_months
    acme        2             4             30                12
    bolt        40            0             -                 -
    corn        30            1             305               12
    dune        2             4             183               12
    evil        -             0             -                 -
"""

TRIGGERS = [("acme", "use-halved", "Use fell by half", "csm", 28)]

NEXT_PRODUCTS = [
    {
        "account_id": "acme",
        "product": "maps",
        "share": 0.75,
        "text": "Of 12 purchases by customers with core, 9 of maps",
    }
]

USE = pd.DataFrame([["acme", *range(26, 0, -1)]], columns=["account_id", *range(26)])
AROUND = Around(USE, {"dune": pd.Timestamp("2026-01-05")})
TOLD = Told(
    events=(
        Event(date(2026, 2, 20), "incident", "critical"),
        Event(date(2026, 2, 10), "ticket", "<i>urgent</i>", until=date(2026, 2, 12)),
        Event(date(2026, 1, 5), "touch", "Ann"),
    ),
    lines=(Line(date(2025, 1, 1), "core", "pro", 5, 1000.0, "fixed", None),),
    outcomes=(
        Outcome(date(2025, 6, 1), date(2026, 6, 1), None, "go live"),
        Outcome(date(2025, 5, 1), date(2026, 1, 1), None, "train all"),
        Outcome(date(2025, 4, 1), date(2025, 9, 1), date(2025, 8, 1), "migrate"),
    ),
    reviews=(Event(date(2026, 1, 15), "review", "missed"),),
    touches=(Event(date(2026, 1, 5), "touch", "Ann"),),
    all={"events": 60, "touches": 1, "outcomes": 3, "lines": 1, "reviews": 1},
    absent=("invoices", "payments"),
)
PAGES = [
    ("acme", None, TO_JSON.encode(TOLD).decode()),
    ("bolt", "acme", TO_JSON.encode(Told()).decode()),
    ("gone", None, TO_JSON.encode(Told(ended=date(2026, 1, 31))).decode()),
]
PRODUCTS = [("acme", "core"), ("bolt", "core"), ("bolt", "maps"), ("quit", "core")]


def text_table(text: str) -> pd.DataFrame:
    """Read rows aligned by white space: `-` is null, `~` a blank."""
    lines = [line.split() for line in text.strip().splitlines()]
    cells = [[None if cell == "-" else cell.replace("~", " ") for cell in row] for row in lines[1:]]
    return pd.DataFrame(cells, columns=lines[0])


def states() -> pd.DataFrame:
    frame = text_table(STATES)
    frame["as_of"] = pd.Timestamp(AS_OF).as_unit("us")
    frame["mrr"] = frame["mrr"].astype(float)
    frame["term_ends_at"] = pd.to_datetime(frame["term_ends_at"]).astype("datetime64[us]")
    frame["customer_group"] = frame["account_id"]
    return frame


def feature_table() -> pd.DataFrame:
    frame = text_table(TABLE).set_axis(["account_id", *FEATURES], axis="columns")
    frame = frame.astype(dict.fromkeys(FEATURES, float))
    frame.insert(1, "as_of", pd.Timestamp(AS_OF).as_unit("us"))
    notice = {"acme": 15.0, "dune": -7.0}
    return frame.assign(lifecycle__days_to_notice_deadline=frame["account_id"].map(notice))


def make_bundle(name: str, version: str = "1", seed: int = 0) -> Bundle:
    """Train a model on rows where few users and many tickets mean an event."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 50, size=(600, len(FEATURES) + len(COVARIATES))).astype(float)
    happened = (rows[:, 0] < 10) | (rows[:, 1] > 40)
    data = lightgbm.Dataset(
        rows, happened.astype(float), feature_name=[*FEATURES, *COVARIATES], free_raw_data=False
    )
    options = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}
    booster = lightgbm.train(options, data, num_boost_round=5)
    declared = {feature.column: feature for feature in catalog()}
    used = [declared[column] for column in FEATURES]
    return Bundle(
        question=Question(name=name, outcome=name, horizons_days=(30, 90)),
        features=FEATURES,
        catalogue=tuple(catalog_json(used)),
        features_fingerprint=features_fingerprint(used),
        booster_text=booster.model_to_string(),
        calibration=identity(2),
        base_rates={30: 0.1, 90: 0.2},
        version=version,
        trained_at=datetime(2026, 1, 5),  # noqa: DTZ001 - times are naive UTC everywhere
        as_of_range=(date(2024, 1, 1), date(2025, 9, 1)),
        at_term_end=AtTermEnd(monthly=0.5, longer=0.6) if name == "churn" else None,
        amount=Amount({30: 0.2, 90: 0.25}) if name == "expansion" else None,
    )


@pytest.fixture(scope="session")
def bundles() -> dict[str, Bundle]:
    return {"churn": make_bundle("churn"), "expansion": make_bundle("expansion", seed=1)}


def scored_company(bundles: dict[str, Bundle], as_of: datetime = AS_OF) -> Scored:
    """Give what `tenure score` would publish of the company above."""
    at = pd.Timestamp(as_of).as_unit("us")
    of_date = states().assign(as_of=at)
    table = feature_table().assign(as_of=at)
    scores = score(bundles, table, of_date, as_of + timedelta(hours=1))
    listed = rank(scores, account_facts(text_table(ACCOUNTS), of_date), 90)
    ends, catalogue = renewals(bundles, scores, table, of_date), bundles["churn"].catalogue
    company = Company(scores, listed, ends, table)
    return Scored(
        scores=scores,
        listed=listed,
        signals=recent_signals(table, catalogue),
        features=table,
        renewals=ends,
        rows=listed_rows(company, bundles, catalogue, 90, AROUND, Rules(), read_playbook()),
        products=pd.DataFrame(PRODUCTS, columns=["account_id", "product"]),
        next_products=pd.DataFrame(NEXT_PRODUCTS),
        pages=pd.DataFrame(
            PAGES, columns=["account_id", "parent_account_id", "told"], dtype=object
        ),
        triggers=pd.DataFrame(TRIGGERS, columns=[*TRIGGER_COLUMNS]),
        bundles=bundles,
        list_horizon_days=90,
        currency="EUR",
        about={"churn": {"metrics": {"auc": 0.71}}},
    )


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
