"""Snapshots: what is looked up is what was written, and a changed byte is seen."""

import hashlib
import random
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import SnapshotError
from features.home import Home
from serving.snapshots import served, snapshot
from serving.snapshots.snapshot import Record, open_snapshot, without, write_snapshot

NOTHING = pa.table({"account_id": pa.array([], pa.string())})
ROWS = pa.table({"account_id": ["acme", "b\u00f6lt"], "usage": [1.5, None]})
RECORDS = {
    "acme": Record("acme", "Ann", "ab12", b'{"a":', b',"b":1}'),
    "b\u00f6lt": Record("b\u00f6lt", None, "", b"", b""),
    "c": Record("c", "", "cd34", b"x" * 10_000, b"y"),
}


def write(folder: Path, number: int = 7, records: dict[str, Record] | None = None) -> Path:
    kept = RECORDS if records is None else records
    name = write_snapshot(folder, number, b'{"at":1}', kept.values(), ROWS, {"churn": "{}"})
    return folder / name


def test_each_account_is_found_as_it_was_written(tmp_path: Path) -> None:
    opened = open_snapshot(write(tmp_path))
    assert {one: opened.find(one) for one in RECORDS} == RECORDS
    assert opened.find("d") is None
    assert opened.find("") is None
    assert {record.account_id: record for record in opened.records()} == RECORDS
    assert (opened.about, opened.accounts) == (b'{"at":1}', 3)
    assert opened.features().equals(ROWS)
    assert opened.golden()["churn"].read_text() == "{}"


def test_accounts_of_one_hash_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_hash", len)
    opened = open_snapshot(write(tmp_path))
    assert {one: opened.find(one) for one in RECORDS} == RECORDS
    assert opened.find("dune") is None


def test_a_snapshot_of_no_account_can_be_opened(tmp_path: Path) -> None:
    assert open_snapshot(write(tmp_path, records={})).find("acme") is None


def test_ten_thousand_accounts_are_each_found(tmp_path: Path) -> None:
    draw = random.Random(3)  # noqa: S311 - made-up ids are no secret
    records = {
        one: Record(one, None, one, one.encode(), b"")
        for one in (hashlib.sha256(draw.randbytes(8)).hexdigest() for _ in range(10_000))
    }
    opened = open_snapshot(write(tmp_path, records=records))
    assert all(opened.find(one) == record for one, record in records.items())


def test_what_is_the_same_has_the_same_name(tmp_path: Path) -> None:
    first = write(tmp_path)
    assert write(tmp_path) == first
    assert write(tmp_path, number=8).name == first.name.replace("7-", "8-")


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "publication.json",
        "index.bin",
        "accounts.bin",
        "features.arrow",
        "golden-churn.json",
    ],
)
def test_a_changed_byte_of_any_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(SnapshotError, match=name.replace(".", r"\.")):
        open_snapshot(folder)
    (folder / name).unlink()
    with pytest.raises(SnapshotError, match="No such file"):
        open_snapshot(folder)


def test_a_file_that_is_cut_short_later_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    folder = write(tmp_path)
    opened = open_snapshot(folder)
    (folder / "accounts.bin").write_bytes(b"")
    with pytest.raises(SnapshotError, match="cut short"):
        opened.find("acme")


def test_an_open_snapshot_outlives_its_folder(tmp_path: Path) -> None:
    folder = write(tmp_path)
    opened = open_snapshot(folder)
    for file in folder.iterdir():
        file.unlink()
    assert opened.find("acme") == RECORDS["acme"]


def test_only_the_owner_can_look_into_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "served")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_an_account_is_taken_out_of_a_snapshot(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert without(folder, {"nobody"}) is None
    name = without(folder, {"acme"})
    assert name is not None
    after = open_snapshot(tmp_path / name)
    assert {record.account_id for record in after.records()} == {"b\u00f6lt", "c"}
    assert after.features()["account_id"].to_pylist() == ["b\u00f6lt"]
    assert (after.about, [*after.golden()]) == (b'{"at":1}', ["churn"])
    assert all(b"acme" not in file.read_bytes() for file in after.folder.iterdir())


def test_an_account_is_erased_from_all_that_is_kept(home: Home) -> None:
    canary = "canary-7f3a"
    has = {canary: Record(canary, "Ann", "ab", b"{", canary.encode())}
    first = write(home.served, 1, has)
    other = write(home.served, 2)
    last = write(home.served, 3, {**RECORDS, **has})
    served.put_in_service(home, last.name)
    assert served.erase_accounts(home, {canary}) == 2
    left = [file.read_bytes() for file in home.served.rglob("*") if file.is_file()]
    assert not any(canary.encode() in content for content in left)
    name = served.current(home)
    assert name is not None
    assert {record.account_id for record in open_snapshot(home.served / name).records()} == {
        *RECORDS
    }
    assert other.exists()
    assert not first.exists()
    assert served.erase_accounts(home, {canary}) == 0


def test_old_snapshots_are_removed_but_the_one_in_service(home: Home) -> None:
    folders = [write(home.served, number) for number in range(1, 8)]
    served.put_in_service(home, folders[0].name)
    assert served.current(home) == folders[0].name
    assert [*map(snapshot.number_of, (folder.name for folder in served.kept(home)))] == [
        *(7, 6, 5, 4),
        1,
    ]


def test_what_a_killed_publisher_left_aside_is_removed(home: Home) -> None:
    write(home.served)
    left = home.served / f"{snapshot.ASIDE}left"
    left.mkdir()
    (left / "accounts.bin").write_bytes(b"half")
    write(home.served, 8)
    assert not left.exists()
