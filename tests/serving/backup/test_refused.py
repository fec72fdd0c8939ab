"""A backup that is damaged, made up or newer is refused."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from features.errors import BackupError
from features.home import Home
from serving.backup.restore import check_backup, restore

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere


def with_manifest(**changed: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"]) | changed
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


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
    made: Path,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], None],
    resealed: Callable[..., None],
) -> None:
    resealed(made, dict.copy)
    assert check_backup(made)
    resealed(made, change)
    assert "to be a whole backup" in refused(made, tmp_path)


@pytest.mark.parametrize(
    "name", ["files/../up", "files/a/../../up", "/etc/up", "files/./up", "files//up", "up"]
)
def test_a_backup_that_would_write_elsewhere_is_refused(
    made: Path,
    tmp_path: Path,
    name: str,
    resealed: Callable[..., None],
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
    made: Path,
    tmp_path: Path,
    changed: dict[str, object],
    says: str,
    resealed: Callable[..., None],
) -> None:
    resealed(made, with_manifest(**changed))
    with pytest.raises(BackupError, match=says):
        restore(made, Home(tmp_path / "there"), f"sqlite:///{tmp_path / 'there.db'}")
