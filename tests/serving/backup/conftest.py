"""A small backup, the store that it is of, and empty stores to restore one to."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.home import Home
from serving.api.feedback import Feedback, record
from serving.backup.write import back_up
from serving.store import tables
from serving.store.database import Store, open_store

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


@pytest.fixture(name="told")
def _told() -> Callable[[Store, str], int]:
    return told


def told(store: Store, key: str) -> int:
    return record(store, Feedback("acme", "contacted", "Größe", key), "a token", NOW).feedback_id


@pytest.fixture(name="rows_of")
def _rows_of() -> Callable[[Store], dict[str, list[tuple[object, ...]]]]:
    return rows_of


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in tables.METADATA.sorted_tables
        }


@pytest.fixture(name="resealed")
def _resealed() -> Callable[..., None]:
    return resealed


def resealed(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members of a backup, and seal it as the format says."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"0" * 64
        for name, content in members.items():
            archive.writestr(name, content)
    body = out.getvalue()[:-64]
    file.write_bytes(body + hashlib.sha256(body).hexdigest().encode())
