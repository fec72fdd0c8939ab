"""A small backup, the store that it is of, and empty stores to restore one to."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import datetime
from pathlib import Path

import pytest

from features.home import Home
from serving.backup import back_up
from serving.feedback import Feedback, record
from serving.store import Store, open_store

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere


KINDS = ["sqlite", "postgresql"]


@pytest.fixture(params=KINDS)
def empty_url(
    request: pytest.FixtureRequest,
    new_store_url: Callable[..., AbstractContextManager[str]],
    tmp_path: Path,
) -> Iterator[str]:
    """Give the URL of an empty store to restore to, in one database and then in the other."""
    folder = tmp_path / "other"
    folder.mkdir()
    with new_store_url(request.param, folder) as url:
        yield url


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'here.db'}")) as store:
        yield store


@pytest.fixture
def made(sqlite: Store, home: Home, tmp_path: Path) -> Path:
    """Give a small backup."""
    told(sqlite, "k1")
    private = home.own_features
    private.mkdir(parents=True)
    (private / "abc.json").write_text("{}")
    file = tmp_path / "made.tenure"
    back_up(sqlite, home, file, NOW)
    return file


def told(store: Store, key: str) -> int:
    return record(store, Feedback("acme", "contacted", "Größe", key), "a token", NOW).feedback_id
