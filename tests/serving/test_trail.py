"""The audit log: each break of its chains is found, and what cannot be written is refused."""

import errno
import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from features.errors import AuditError, StoreError
from serving.trail import Head, Trail
from serving.trail_check import Checked, check, reads_of
from serving.trail_rows import Read

NOW = datetime(2026, 3, 2, 23, 59, 58)  # noqa: DTZ001 - times are naive UTC everywhere


def read_of(*accounts: str, address: str = "10.0.0.7") -> Read:
    return Read("ab12cd34ef56", "GET /v1/accounts/{account_id}", address, "f" * 32, accounts)


@dataclass
class Kept:
    """The heads that a store would keep, and a clock that the test sets."""

    heads: dict[str, Head] = field(default_factory=dict)
    now: datetime = NOW
    is_away: bool = False

    def keep(self, head: Head) -> None:
        if self.is_away:
            raise StoreError("away")
        self.heads[head.chain] = head


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def open_trail(tmp_path: Path, kept: Kept) -> Iterator[Callable[..., Trail]]:
    opened: list[Trail] = []

    def open_it(**options: int) -> Trail:
        opened.append(Trail(tmp_path / "log", lambda: kept.now, kept.keep, **options))
        return opened[-1]

    yield open_it
    for trail in opened:
        trail.close()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "log").iterdir())


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def written(tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]) -> list[Path]:
    """Write nine reads into a chain of three files, close it, and give the files."""
    trail = open_trail(most_bytes=1100)
    for number in range(9):
        trail.append(read_of(f"{number:032x}"))
    trail.close()
    found = files(tmp_path)
    assert [len(lines(path)) for path in found] == [4, 4, 4]
    assert checked(tmp_path, kept).faults == []
    return found


def checked(folder: Path, kept: Kept) -> Checked:
    return check(folder / "log", kept.heads)


# Rows


def test_a_row_says_who_read_what_when_and_from_where(
    tmp_path: Path, open_trail: Callable[..., Trail]
) -> None:
    open_trail().append(read_of("1" * 32, "2" * 32))
    (path,) = files(tmp_path)
    opening, row = (json.loads(line) for line in lines(path))
    assert row == {
        "seq": 1,
        "at": "2026-03-02T23:59:58.000000Z",
        "token": "ab12cd34ef56",
        "call": "GET /v1/accounts/{account_id}",
        "from": "10.0.0.7",
        "request": "f" * 32,
        "accounts": ["1" * 32, "2" * 32],
        "before": opening["hash"],
        "hash": row["hash"],
    }
    assert path.name == f"{opening['chain']}-000001.jsonl"


def test_the_chain_can_be_followed_without_our_code(written: list[Path]) -> None:
    before = "0" * 64
    for text in (line for path in written for line in lines(path)):
        row = json.loads(text)
        assert row["before"] == before
        before = sha256(text.split(b',"hash"')[0]).hexdigest()
        assert row["hash"] == before


def test_a_row_has_reached_the_file_when_append_returns(
    tmp_path: Path, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    for number in range(1, 4):
        trail.append(read_of("a" * 32))
        assert len(lines(files(tmp_path)[0])) == 1 + number


def test_an_address_that_is_none_cannot_forge_a_row(
    tmp_path: Path, open_trail: Callable[..., Trail]
) -> None:
    open_trail().append(read_of("a" * 32, address='1.2.3.4","token":"other'))
    assert json.loads(lines(files(tmp_path)[0])[1])["from"] == "unknown"


def test_only_its_owner_can_read_the_log(written: list[Path]) -> None:
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert written[0].parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_written_before_the_first_read(
    tmp_path: Path, open_trail: Callable[..., Trail]
) -> None:
    open_trail().close()
    assert not (tmp_path / "log").exists()


# Files


def test_another_day_begins_another_file_and_carries_the_chain_on(
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    kept.now += timedelta(seconds=3)
    trail.append(read_of("a" * 32))
    trail.close()
    assert [len(lines(path)) for path in files(tmp_path)] == [2, 2]
    assert checked(tmp_path, kept) == Checked(chains=1, rows=2)


def test_a_clock_that_is_set_back_leaves_the_order_and_is_noted(
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    for back in (0, 3600, 3590):
        kept.now = NOW - timedelta(seconds=back)
        trail.append(read_of("a" * 32))
    trail.close()
    rows = [json.loads(line) for line in lines(files(tmp_path)[0])][1:]
    assert [(row["seq"], row.get("clock")) for row in rows] == [
        (1, None),
        (2, "set back"),
        (3, None),
    ]
    found = checked(tmp_path, kept)
    assert found.faults == []
    assert [note.split(": ", 1)[1] for note in found.notes] == [
        "the clock was set back before row 2"
    ]


def test_a_clock_that_is_set_back_as_a_file_ends_is_noted_too(
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(most_bytes=1)
    trail.append(read_of("a" * 32))
    kept.now -= timedelta(hours=1)
    trail.append(read_of("a" * 32))
    trail.close()
    found = checked(tmp_path, kept)
    assert found.faults == []
    assert [note.split(": ", 1)[1] for note in found.notes] == [
        "the clock was set back before row 2"
    ]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the trail has a thread
def test_a_process_that_was_forked_begins_a_chain_of_its_own(
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    child = os.fork()
    if child == 0:
        trail.append(read_of("b" * 32))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    trail.append(read_of("a" * 32))
    trail.close()
    found = checked(tmp_path, kept)
    assert (found.chains, found.rows, found.faults) == (2, 3, [])


def test_reads_at_the_same_time_make_one_chain(
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(most_bytes=20_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: trail.append(read_of(f"{n:032x}")), range(800)))
    trail.close()
    assert checked(tmp_path, kept) == Checked(chains=1, rows=800)


# The disk


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
    tmp_path: Path, kept: Kept, disk: Disk, open_trail: Callable[..., Trail]
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
    kept: Kept, disk: Disk, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    assert disk.syncs == 1  # that of the file's beginning
    assert until(lambda: bool(kept.heads))
    assert disk.syncs == 2
    assert [head.seq for head in kept.heads.values()] == [1]


def test_a_sync_that_fails_later_is_logged_and_begins_another_file(
    tmp_path: Path,
    kept: Kept,
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


# Breaks


def _rewritten(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(lines(path))))


def _flip(text: bytes, place: int) -> bytes:
    return text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]


BREAKS = {
    "a removed row": lambda f: _rewritten(f[1], lambda all_: [*all_[:2], *all_[3:]]),
    "swapped rows": lambda f: _rewritten(f[1], lambda a: [a[0], a[2], a[1], a[3]]),
    "a doubled row": lambda f: _rewritten(f[1], lambda a: [*a[:2], a[1], *a[2:]]),
    "a removed last row of a file": lambda f: _rewritten(f[1], lambda all_: all_[:-1]),
    "a removed last row": lambda f: _rewritten(f[2], lambda all_: all_[:-1]),
    "a last row that lost its end": lambda f: f[2].write_bytes(f[2].read_bytes()[:-9]),
    "a removed file": lambda f: f[1].unlink(),
    "a removed first file": lambda f: f[0].unlink(),
    "a removed last file": lambda f: f[2].unlink(),
    "a removed chain": lambda f: [path.unlink() for path in f],
    "an emptied file": lambda f: f[1].write_bytes(b""),
    "swapped files": lambda f: (
        f[1].rename(f[1].with_suffix(".x")),
        f[2].rename(f[1]),
        f[1].with_suffix(".x").rename(f[2]),
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_break_is_found(tmp_path: Path, kept: Kept, written: list[Path], what: str) -> None:
    BREAKS[what](written)
    found = checked(tmp_path, kept)
    assert found.faults
    with pytest.raises(AuditError, match="to hold together"):
        found.demand()


def test_a_byte_that_is_changed_is_found_wherever_it_is(
    tmp_path: Path, kept: Kept, written: list[Path]
) -> None:
    for path, step in zip(
        written, (7, 7, 1), strict=True
    ):  # all of the last, which nothing follows
        whole = path.read_bytes()
        for place in range(0, len(whole), step):
            path.write_bytes(_flip(whole, place))
            assert checked(tmp_path, kept).faults, (path.name, place)
        path.write_bytes(whole)


def _forged(text: bytes, before: str, account: bytes) -> tuple[bytes, str]:
    """Write a row anew so that it follows, with all hashes right."""
    body = re.sub(rb'"accounts":\["\w+"\]', b'"accounts":["%b"]' % account, text)
    body = re.sub(rb'"before":"\w+"', b'"before":"%b"' % before.encode(), body.split(b',"hash"')[0])
    digest = sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, digest.encode()), digest


def test_a_chain_that_was_written_anew_from_a_row_on_does_not_end_in_the_head_that_is_kept(
    tmp_path: Path, kept: Kept, written: list[Path]
) -> None:
    before = json.loads(lines(written[2])[0])["hash"]
    rows = lines(written[2])[:1]
    for text in lines(written[2])[1:]:
        row, before = _forged(text, before, b"0" * 32)
        rows.append(row)
    written[2].write_bytes(b"".join(rows))
    assert check(tmp_path / "log", {}).faults == []
    assert [fault.split(": ", 1)[1] for fault in checked(tmp_path, kept).faults] == [
        "row 11 is not the one the store knows"
    ]


def test_without_a_head_a_missing_end_cannot_be_found_and_that_is_said(
    tmp_path: Path, written: list[Path]
) -> None:
    BREAKS["a removed last row"](written)
    found = check(tmp_path / "log", {})
    assert found.faults == []
    assert "the store keeps no head of this chain" in found.notes[0]


def test_the_head_is_kept_later_when_the_store_was_away(
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail], caplog: pytest.LogCaptureFixture
) -> None:
    kept.is_away = True
    trail = open_trail()
    trail.append(read_of("a" * 32))
    kept.is_away = False
    trail.close()
    assert [head.seq for head in kept.heads.values()] == [1]
    assert checked(tmp_path, kept) == Checked(chains=1, rows=1)
    assert "a" * 32 not in caplog.text


def test_an_account_is_found_in_the_rows_that_show_it(written: list[Path]) -> None:
    folder = written[0].parent
    assert [row.seq for row in reads_of(folder, f"{7:032x}")] == [10]
    assert reads_of(folder, "f" * 32) == []


# What cannot be written


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
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
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
    tmp_path: Path, kept: Kept, open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(syncs_each=True)
    trail.append(read_of("a" * 32))
    files(tmp_path)[0].unlink()
    trail.append(read_of("b" * 32))
    trail.append(read_of("c" * 32))
    trail.close()
    assert [path.name[-12:] for path in files(tmp_path)] == ["000002.jsonl"]
    assert checked(tmp_path, kept).faults
