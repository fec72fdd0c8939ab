"""A row is on the disk when it is said to be, and what cannot be written is refused."""

import errno
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features.errors import AuditError
from serving.audit_log.check import Checked, check
from serving.audit_log.rows import Read
from serving.audit_log.trail import Trail

if TYPE_CHECKING:
    from tests.serving.trail.conftest import Kept


def read_of(*accounts: str, address: str = "10.0.0.7") -> Read:
    return Read("ab12cd34ef56", "GET /v1/accounts/{account_id}", address, "f" * 32, accounts)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "log").iterdir())


def checked(folder: Path, kept: "Kept") -> Checked:
    return check(folder / "log", kept.heads)


@dataclass
class Disk:
    """The real disk, which counts what it is asked to sync, and may fail to."""

    syncs: int = 0
    fails: bool = False

    def sync(self, number: int) -> None:
        self.syncs += 1
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        os.fsync(number)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(os, "fdatasync", made.sync)
    return made


def test_with_sync_each_row_is_on_the_disk_before_its_answer_leaves(
    disk: Disk, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(syncs_each=True)
    trail.append(read_of("a" * 32))
    for _ in range(3):
        before = disk.syncs
        trail.append(read_of("a" * 32))
        assert disk.syncs > before


def test_with_sync_a_row_that_is_not_on_the_disk_is_refused(
    tmp_path: Path, kept: "Kept", disk: Disk, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(syncs_each=True)
    trail.append(read_of("a" * 32))
    disk.fails = True
    for _ in range(2):
        with pytest.raises(AuditError, match="Input/output error"):
            trail.append(read_of("b" * 32))
    disk.fails = False
    trail.append(read_of("c" * 32))
    trail.close()
    assert checked(tmp_path, kept).faults == []
    assert len(files(tmp_path)) == 2  # a file that could not be synced is not gone on with


def until(is_so: Callable[[], bool]) -> bool:
    """Wait for what a thread does by itself, for as long as a loaded machine may need."""
    ends = time.monotonic() + 60
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.02)
    return is_so()


def test_rows_are_synced_and_the_head_is_kept_without_another_read(
    kept: "Kept", disk: Disk, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    assert disk.syncs == 1  # that of the file's beginning
    assert until(lambda: [head.seq for head in kept.heads.values()] == [1])
    assert disk.syncs == 2


def test_a_sync_that_fails_later_is_logged_and_begins_another_file(
    tmp_path: Path,
    kept: "Kept",
    disk: Disk,
    open_trail: Callable[..., Trail],
    caplog: pytest.LogCaptureFixture,
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    disk.fails = True
    assert until(lambda: "cannot be synced: Input/output error" in caplog.text)
    with pytest.raises(AuditError, match="Input/output error"):
        trail.append(read_of("b" * 32))
    disk.fails = False
    trail.append(read_of("c" * 32))
    trail.close()
    assert len(files(tmp_path)) == 2
    assert checked(tmp_path, kept).faults == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse, and cut short, writes beyond a size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_row_that_does_not_fit_is_refused_and_the_next_one_follows(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    (path,) = files(tmp_path)
    with files_of_at_most(path.stat().st_size + 100):
        for _ in range(2):  # the first is cut short, the second is refused as a whole
            with pytest.raises(AuditError, match="to take a row"):
                trail.append(read_of("b" * 32))
    trail.append(read_of("c" * 32))
    trail.close()
    found = checked(tmp_path, kept)
    assert (found.rows, found.faults) == (2, [])
    assert [note.split(": ", 1)[1] for note in found.notes] == [
        "a row was cut short; its answer did not leave"
    ]


def test_a_file_that_cannot_be_begun_is_refused_and_leaves_nothing(
    tmp_path: Path, open_trail: Callable[..., Trail]
) -> None:
    with files_of_at_most(20), pytest.raises(AuditError, match="to take a row"):
        open_trail().append(read_of("a" * 32))
    assert files(tmp_path) == []


def test_a_folder_that_is_a_file_is_refused_in_a_sentence(
    tmp_path: Path, open_trail: Callable[..., Trail]
) -> None:
    (tmp_path / "log").write_text("")
    with pytest.raises(AuditError, match="to take a row, got: "):
        open_trail().append(read_of("a" * 32))


def test_a_file_that_is_taken_away_is_not_written_on(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(syncs_each=True)
    trail.append(read_of("a" * 32))
    files(tmp_path)[0].unlink()
    trail.append(read_of("b" * 32))
    trail.append(read_of("c" * 32))
    trail.close()
    assert [path.name[-12:] for path in files(tmp_path)] == ["000002.jsonl"]
    assert checked(tmp_path, kept).faults
