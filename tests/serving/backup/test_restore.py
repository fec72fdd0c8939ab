"""A restore brings all of a backup, or leaves what was there."""

import hashlib
import json
import resource
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.errors import BackupError, StoreError
from features.home import Home
from serving.backup.restore import restore
from serving.backup.write import back_up
from serving.store.database import Store, open_store
from serving.store.migrate import newest, take_steps

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere


def files_of(home: Home) -> dict[str, bytes]:
    return {
        file.relative_to(home.root).as_posix(): file.read_bytes()
        for file in home.root.rglob("*")
        if file.is_file() and not file.name.startswith("store.db")
    }


def test_a_backup_of_an_older_release_is_brought_up_to_date(
    store_url: str,
    home: Home,
    tmp_path: Path,
    empty_url: str,
    rows_of: Callable[[Store], dict[str, list[tuple[object, ...]]]],
) -> None:
    older = Store(sa.create_engine(store_url))
    with older.writing() as connection:
        take_steps(connection, "here", "0001")
        connection.execute(
            sa.text(
                "INSERT INTO tokens (token_id, name, secret_hash, scopes, created_at)"
                " VALUES ('1', 'crm', '2', 'read', '2026-01-01 00:00:00.000000')"
            )
        )
    manifest = back_up(older, home, tmp_path / "b", NOW)
    older.close()
    assert manifest.store_version == "0001" < newest()
    restore(tmp_path / "b", Home(tmp_path / "there"), empty_url)
    with closing(open_store(empty_url)) as again:
        (token,) = rows_of(again)["tokens"]
        assert token[:3] == ("1", "crm", "2")


def test_a_home_that_is_not_empty_is_left_as_it_is(made: Path, home: Home) -> None:
    before = files_of(home)
    with pytest.raises(BackupError, match="Expected an empty folder"):
        restore(made, home, f"sqlite:///{home.store}")
    assert files_of(home) == before


def test_a_store_that_is_there_is_left_as_it_is(
    made: Path,
    empty_url: str,
    tmp_path: Path,
    rows_of: Callable[[Store], dict[str, list[tuple[object, ...]]]],
    told: Callable[[Store, str], int],
) -> None:
    with closing(open_store(empty_url)) as store:
        told(store, "mine")
        before = rows_of(store)
        there = Home(tmp_path / "there")
        with pytest.raises(StoreError, match="Expected a database without a store"):
            restore(made, there, empty_url)
        assert rows_of(store) == before
    assert list(there.root.iterdir()) == []


def test_a_restore_that_fails_leaves_nothing(
    made: Path,
    empty_url: str,
    tmp_path: Path,
    resealed: Callable[..., None],
    rows_of: Callable[[Store], dict[str, list[tuple[object, ...]]]],
) -> None:
    def twice(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        rows = members["store/feedback.jsonl"] * 2
        digest = hashlib.sha256(rows).hexdigest()
        manifest["members"]["store/feedback.jsonl"]["digest"] = digest
        members |= {"store/feedback.jsonl": rows, "manifest.json": json.dumps(manifest).encode()}

    resealed(made, twice)
    there = Home(tmp_path / "there")
    with pytest.raises(sa.exc.IntegrityError):
        restore(made, there, empty_url)
    assert list(there.root.iterdir()) == []
    with closing(open_store(empty_url)) as store:
        assert not any(rows_of(store).values())


def test_a_disk_that_is_full_is_not_taken_for_a_damaged_backup(made: Path, tmp_path: Path) -> None:
    there = Home(tmp_path / "there")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            restore(made, there, f"sqlite:///{there.store}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(there.root.iterdir()) == []


def test_rows_that_are_fewer_than_were_counted_are_found(
    made: Path,
    tmp_path: Path,
    resealed: Callable[..., None],
) -> None:
    def uncounted(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["members"]["store/feedback.jsonl"]["rows"] += 1
        members["manifest.json"] = json.dumps(manifest).encode()

    resealed(made, uncounted)
    there = Home(tmp_path / "there")
    with pytest.raises(BackupError, match="Expected 2 rows in feedback, got 1"):
        restore(made, there, f"sqlite:///{there.store}")
    assert list(there.root.iterdir()) == []
