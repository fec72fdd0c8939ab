"""Accounts that were erased do not come back with a backup that is older than that."""

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from features.errors import ErasureError, StoreError
from features.home import Home
from features.tombstones import bury, erasing, read_tombstones
from models.bundle import Bundle
from serving.api.feedback import Feedback, record
from serving.backup.restore import restore
from serving.backup.write import back_up
from serving.erasure.erase import erase
from serving.publishing.publish import Scored, publish
from serving.store import tables
from serving.store.database import Store, open_store

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere


def accounts(url: str) -> set[str]:
    with closing(open_store(url)) as store, store.reading() as connection:
        named = (tables.scores, tables.published_accounts, tables.feedback, tables.account_keys)
        return {
            one
            for table in named
            for one in connection.execute(sa.select(table.c.account_id)).scalars()
        }


@pytest.fixture
def older(
    sqlite: Store,
    home: Home,
    tmp_path: Path,
    scored_company: Callable[..., Scored],
    bundles: dict[str, Bundle],
) -> Path:
    """Give a backup that was made before an account was erased, as the home says now."""
    publish(sqlite, home, scored_company(bundles), NOW)
    record(sqlite, Feedback("acme", "contacted", None, "k1"), "a token", NOW)
    file = tmp_path / "older.tenure"
    back_up(sqlite, home, file, NOW)
    erase(["acme"], sqlite, home, NOW, print)
    return file


def test_with_the_tombstones_it_is_taken_out_again(
    older: Path, home: Home, tmp_path: Path, empty_url: str
) -> None:
    there = Home(tmp_path / "there")
    restore(older, there, empty_url, home.tombstones)
    assert "acme" not in accounts(empty_url)
    assert "bolt" in accounts(empty_url)
    files = [file for file in there.root.rglob("*") if file.is_file()]
    assert any(file.parts[-3] == "served" for file in files)
    assert [file for file in files if b"acme" in file.read_bytes()] == []
    assert read_tombstones(there).has("acme")
    assert there.tombstones.stat().st_mode & 0o777 == 0o600


def test_without_them_an_older_backup_brings_it_back_as_is_said(
    older: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'there.db'}"
    restore(older, Home(tmp_path / "there"), url)
    assert "acme" in accounts(url)


def test_a_backup_carries_the_tombstones_that_there_were(
    older: Path, sqlite: Store, home: Home, tmp_path: Path
) -> None:
    older.unlink()
    back_up(sqlite, home, older, NOW)
    there = Home(tmp_path / "there")
    url = f"sqlite:///{tmp_path / 'there.db'}"
    restore(older, there, url)
    assert read_tombstones(there).has("acme")
    assert "acme" not in accounts(url)


def test_tombstones_of_another_installation_are_refused(
    older: Path, sqlite: Store, home: Home, tmp_path: Path
) -> None:
    older.unlink()
    back_up(sqlite, home, older, NOW)
    other = Home(tmp_path / "other-home")
    with erasing(other):
        bury(other, ["bolt"], NOW.date())
    there = Home(tmp_path / "there")
    with pytest.raises(ErasureError, match="another one's"):
        restore(older, there, f"sqlite:///{tmp_path / 'there.db'}", other.tombstones)
    assert list(there.root.iterdir()) == []


def test_damaged_tombstones_leave_nothing_restored(older: Path, home: Home, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.json"
    shutil.copyfile(home.tombstones, damaged)
    damaged.write_text(damaged.read_text()[:40])
    there = Home(tmp_path / "there")
    with pytest.raises(ErasureError, match="Expected the tombstones"):
        restore(older, there, f"sqlite:///{tmp_path / 'there.db'}", damaged)
    assert list(there.root.iterdir()) == []


def test_a_restore_that_cannot_overwrite_what_is_erased_leaves_nothing(
    older: Path, home: Home, tmp_path: Path, empty_url: str
) -> None:
    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("VACUUM"):
            raise sa.exc.OperationalError(statement, None, Exception("no space left"))

    there = Home(tmp_path / "there")
    sa.event.listen(sa.Engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(StoreError, match="no space left"):
            restore(older, there, empty_url, home.tombstones)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", fail)
    assert list(there.root.iterdir()) == []
    restore(older, there, empty_url, home.tombstones)  # as into an empty one
    assert "acme" not in accounts(empty_url)
