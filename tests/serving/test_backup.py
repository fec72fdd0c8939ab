"""A backup holds what could not be computed again, comes back whole, or is refused."""

import hashlib
import io
import json
import resource
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from features.errors import BackupError, StoreError
from features.home import Home
from models.bundle import Bundle
from models.record import Training
from models.registry import Registry
from serving import tables
from serving.access import add_token, principal_of
from serving.account_keys import key_of
from serving.backup import as_of_one_moment, back_up
from serving.feedback import Feedback, record
from serving.heads import heads
from serving.migrate import newest, take_steps
from serving.publication import latest
from serving.publish import Scored, publish
from serving.restore import check_backup, restore
from serving.store import Store, open_store
from serving.trail_check import check
from tenure import cli

if TYPE_CHECKING:
    from tests.serving.conftest import Served

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


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in tables.METADATA.sorted_tables
        }


def files_of(home: Home) -> dict[str, bytes]:
    return {
        file.relative_to(home.root).as_posix(): file.read_bytes()
        for file in home.root.rglob("*")
        if file.is_file() and not file.name.startswith("store.db")
    }


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


def with_manifest(**changed: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"]) | changed
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


def test_all_comes_back_in_either_database(
    store: Store,
    empty_url: str,
    home: Home,
    tmp_path: Path,
    scored_company: Callable[..., Scored],
    bundles: dict[str, Bundle],
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


def test_it_is_of_one_moment_while_others_write(store: Store) -> None:
    told(store, "before")
    with as_of_one_moment(store) as connection:
        seen = connection.execute(sa.select(tables.audit)).all()
        told(store, "meanwhile")
        assert connection.execute(sa.select(tables.audit)).all() == seen
        assert len(connection.execute(sa.select(tables.feedback)).all()) == 1
    assert len(rows_of(store)["feedback"]) == 2


def test_all_that_was_acknowledged_before_it_is_in_it_while_others_write(
    store: Store, home: Home, tmp_path: Path
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


def refused(file: Path, tmp_path: Path) -> str:
    """Tell why a backup is not restored; nothing may have come of it."""
    there = Home(tmp_path / "refused")
    with pytest.raises(BackupError) as error:
        restore(file, there, f"sqlite:///{there.store}")
    with pytest.raises(BackupError):
        check_backup(file)
    assert not there.root.exists()
    return str(error.value)


def test_a_backup_of_which_one_byte_changed_is_refused(made: Path, tmp_path: Path) -> None:
    whole = made.read_bytes()
    for at in [*range(0, len(whole), 97), len(whole) - 65, len(whole) - 1]:
        made.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "to be a whole backup" in refused(made, tmp_path)
    made.write_bytes(whole)
    assert check_backup(made)


def test_a_backup_that_was_cut_short_is_refused(made: Path, tmp_path: Path) -> None:
    whole = made.read_bytes()
    for length in (0, 1, 63, 64, 65, len(whole) // 2, len(whole) - 1):
        made.write_bytes(whole[:length])
        assert "to be a whole backup" in refused(made, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("store/feedback.jsonl"),
        lambda members: members.pop("files/own-features/abc.json"),
        lambda members: members.update({"files/own-features/abc.json": b"{ }"}),
        lambda members: members.update({"files/more": b""}),
        lambda members: members.pop("manifest.json"),
        lambda members: members.update({"manifest.json": b"[]"}),
    ],
)
def test_a_backup_whose_files_are_others_than_it_says_is_refused(
    made: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    resealed(made, dict.copy)
    assert check_backup(made)
    resealed(made, change)
    assert "to be a whole backup" in refused(made, tmp_path)


@pytest.mark.parametrize(
    "name", ["files/../up", "files/a/../../up", "/etc/up", "files/./up", "files//up", "up"]
)
def test_a_backup_that_would_write_elsewhere_is_refused(
    made: Path, tmp_path: Path, name: str
) -> None:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        digest = hashlib.sha256(b"x").hexdigest()
        manifest["members"][name] = {"size": 1, "digest": digest, "rows": 1}
        members |= {name: b"x", "manifest.json": json.dumps(manifest).encode()}

    resealed(made, change)
    assert "to be a whole backup" in refused(made, tmp_path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"store_version": "9999"}, r"older, got version 9999 in .* Install Tenure 0"),
        ({"format": 2, "release": "7.1"}, r"or an older one, got one of 7\.1\. Install"),
    ],
)
def test_a_backup_of_a_newer_release_is_refused(
    made: Path, tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    resealed(made, with_manifest(**changed))
    with pytest.raises(BackupError, match=says):
        restore(made, Home(tmp_path / "there"), f"sqlite:///{tmp_path / 'there.db'}")


def test_a_backup_of_an_older_release_is_brought_up_to_date(
    store_url: str, home: Home, tmp_path: Path, empty_url: str
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


def test_a_store_that_is_there_is_left_as_it_is(made: Path, empty_url: str, tmp_path: Path) -> None:
    with closing(open_store(empty_url)) as store:
        told(store, "mine")
        before = rows_of(store)
        there = Home(tmp_path / "there")
        with pytest.raises(StoreError, match="Expected a database without a store"):
            restore(made, there, empty_url)
        assert rows_of(store) == before
    assert list(there.root.iterdir()) == []


def test_a_restore_that_fails_leaves_nothing(made: Path, empty_url: str, tmp_path: Path) -> None:
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


def test_rows_that_are_fewer_than_were_counted_are_found(made: Path, tmp_path: Path) -> None:
    def uncounted(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["members"]["store/feedback.jsonl"]["rows"] += 1
        members["manifest.json"] = json.dumps(manifest).encode()

    resealed(made, uncounted)
    there = Home(tmp_path / "there")
    with pytest.raises(BackupError, match="Expected 2 rows in feedback, got 1"):
        restore(made, there, f"sqlite:///{there.store}")
    assert list(there.root.iterdir()) == []


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
