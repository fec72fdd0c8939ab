"""A backup holds what could not be computed again, of one moment, and comes back whole."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from features.errors import BackupError
from features.home import Home
from models.bundle import Bundle
from models.record import Training
from models.registry import Registry
from serving.access.tokens import add_token, principal_of
from serving.audit_log.account_keys import key_of
from serving.audit_log.check import check
from serving.audit_log.heads import heads
from serving.backup.restore import check_backup, restore
from serving.backup.write import as_of_one_moment, back_up
from serving.publishing.publication import latest
from serving.publishing.publish import Scored, publish
from serving.snapshots.loaded import Watch
from serving.store import tables
from serving.store.database import Store, open_store
from serving.store.migrate import newest
from tenure import cli

if TYPE_CHECKING:
    from tests.serving.conftest import Served

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere


def files_of(home: Home) -> dict[str, bytes]:
    """Read all files but the store and what the service makes of it when it begins."""
    files = {file.relative_to(home.root): file for file in home.root.rglob("*") if file.is_file()}
    return {
        name.as_posix(): file.read_bytes()
        for name, file in files.items()
        if not name.name.startswith("store.db") and name.parts[0] != "served"
    }


def test_all_comes_back_in_either_database(
    store: Store,
    empty_url: str,
    home: Home,
    tmp_path: Path,
    scored_company: Callable[..., Scored],
    bundles: dict[str, Bundle],
    rows_of: Callable[[Store], dict[str, list[tuple[object, ...]]]],
    told: Callable[[Store, str], int],
) -> None:
    publication = publish(store, home, scored_company(bundles), NOW)
    token = add_token(store, "crm", ["read"], NOW)
    ids = [told(store, key) for key in ("k1", "k2")]
    manifest = back_up(store, home, tmp_path / "b", NOW)
    there = Home(tmp_path / "there")
    assert restore(tmp_path / "b", there, empty_url) == manifest == check_backup(tmp_path / "b")
    with closing(open_store(empty_url)) as again:
        assert rows_of(again) == rows_of(store)
        assert latest(again) == publication
        assert principal_of(again, token, NOW) is not None
        assert [told(again, "k3"), told(again, "k2")] == [ids[1] + 1, ids[1]]
    assert files_of(there) == files_of(home)
    assert {file.stat().st_mode & 0o777 for file in there.bundles.rglob("*.json")} == {0o600}


def test_a_registry_is_found_where_it_was_restored_to(
    sqlite: Store, home: Home, tmp_path: Path, stumps: Callable[..., Bundle]
) -> None:
    bundle = stumps(("usage__events__28d", 40.0, 2.0, -2.0))
    version = Registry(home).log(Training(bundle, {}, {"metrics": {}}, {}, (), {}))
    back_up(sqlite, home, tmp_path / "b", NOW)
    shutil.rmtree(home.root)
    there = Home(tmp_path / "there")
    restore(tmp_path / "b", there, f"sqlite:///{there.store}")
    assert Registry(there).fetch_anew("churn", version).booster_text == bundle.booster_text
    assert Registry(there).log(Training(bundle, {}, {"metrics": {}}, {}, (), {})) == "2"


def test_it_is_of_one_moment_while_others_write(
    store: Store,
    rows_of: Callable[[Store], dict[str, list[tuple[object, ...]]]],
    told: Callable[[Store, str], int],
) -> None:
    told(store, "before")
    with as_of_one_moment(store) as connection:
        seen = connection.execute(sa.select(tables.audit)).all()
        told(store, "meanwhile")
        assert connection.execute(sa.select(tables.audit)).all() == seen
        assert len(connection.execute(sa.select(tables.feedback)).all()) == 1
    assert len(rows_of(store)["feedback"]) == 2


def test_all_that_was_acknowledged_before_it_is_in_it_while_others_write(
    store: Store,
    home: Home,
    tmp_path: Path,
    rows_of: Callable[[Store], dict[str, list[tuple[object, ...]]]],
    told: Callable[[Store, str], int],
) -> None:
    ended, acknowledged = Event(), [0, 0]

    def write(side: int) -> None:
        while not ended.is_set():
            told(store, f"{side} {acknowledged[side]}")
            acknowledged[side] += 1

    writers = [Thread(target=write, args=(side,)) for side in (0, 1)]
    for writer in writers:
        writer.start()
    while min(acknowledged) < 20:
        assert all(writer.is_alive() for writer in writers)
    before = list(acknowledged)
    back_up(store, home, tmp_path / "b", NOW)
    ended.set()
    for writer in writers:
        writer.join()
    there = Home(tmp_path / "there")
    restore(tmp_path / "b", there, f"sqlite:///{there.store}")
    with closing(open_store(f"sqlite:///{there.store}")) as again:
        keys = {row[1] for row in rows_of(again)["feedback"]}
        assert len(rows_of(again)["audit"]) == len(keys)
    for side in (0, 1):
        of_side = {key for key in keys if key.startswith(str(side))}
        assert before[side] <= len(of_side) <= acknowledged[side]
        assert of_side == {f"{side} {number}" for number in range(len(of_side))}


def test_its_audit_log_still_holds_together_and_tells_who_read(
    served: "Served", tmp_path: Path
) -> None:
    with served.client("read") as client:
        client.get("/v1/accounts/acme")
        parts = served.parts
        back_up(parts.store, parts.settings.home, tmp_path / "b", NOW)
        client.get("/v1/accounts/bolt")
    there = Home(tmp_path / "there")
    restore(tmp_path / "b", there, f"sqlite:///{there.store}")
    with closing(open_store(f"sqlite:///{there.store}")) as again:
        found = check(there.audit_log, heads(again))
        found.demand()
        assert key_of(again, "acme") == key_of(parts.store, "acme")
    assert found.rows >= 1


def test_of_a_log_that_is_written_to_only_whole_lines_are_taken(
    sqlite: Store, home: Home, tmp_path: Path
) -> None:
    home.audit_log.mkdir(parents=True)
    (home.audit_log / "chain").write_bytes(b'{"row": 1}\n{"row"')
    back_up(sqlite, home, tmp_path / "b", NOW)
    there = Home(tmp_path / "there")
    restore(tmp_path / "b", there, f"sqlite:///{there.store}")
    assert (there.audit_log / "chain").read_bytes() == b'{"row": 1}\n'


def test_of_a_token_it_holds_the_hash_only(sqlite: Store, home: Home, tmp_path: Path) -> None:
    token = add_token(sqlite, "crm", ["read"], NOW)
    file = tmp_path / "b"
    back_up(sqlite, home, file, NOW)
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    secret = token.split("_", 2)[2].encode()
    assert hashlib.sha256(secret).hexdigest().encode() in content
    assert secret not in content
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_written_over(sqlite: Store, home: Home, made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(BackupError, match="Expected a new file"):
        back_up(sqlite, home, made, NOW)
    assert made.read_bytes() == before
    assert [file.name for file in made.parent.glob(".made*")] == []


def test_the_verbs_make_check_and_restore_one(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b"

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, [*words, str(file)], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    monkeypatch.setenv("TENURE_HOME", str(home.root))
    made = json.loads(run("backup", "--json"))
    assert made["store_version"] == newest()
    assert "rows of the store" in run("restore", "--check")
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "there"))
    assert json.loads(run("restore", "--json")) == made


def test_what_is_in_service_serves_after_a_restore(
    sqlite: Store,
    home: Home,
    empty_url: str,
    tmp_path: Path,
    scored_company: Callable[..., Scored],
    bundles: dict[str, Bundle],
) -> None:
    published = publish(sqlite, home, scored_company(bundles), NOW)
    before = Watch(sqlite, home).take_over().in_service
    back_up(sqlite, home, tmp_path / "made.tenure", NOW)
    other = Home(tmp_path / "elsewhere")
    restore(tmp_path / "made.tenure", other, empty_url)
    with closing(open_store(empty_url)) as store:
        after = Watch(store, other).take_over().in_service
    assert before is not None
    assert after is not None
    assert after.publication == published
    assert {*after.snapshot.records()} == {*before.snapshot.records()}
    assert after.snapshot.features().equals(before.snapshot.features())
