"""A row of the audit log says who read what, and each process has a chain of its own."""

import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from serving.audit_log.check import Checked, check
from serving.audit_log.rows import Read
from serving.audit_log.trail import Trail

if TYPE_CHECKING:
    from tests.serving.trail.conftest import Kept


def read_of(*accounts: str, address: str = "10.0.0.7") -> Read:
    return Read("ab12cd34ef56", "GET /v1/accounts/{account_id}", address, "f" * 32, accounts)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "log").iterdir())


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def checked(folder: Path, kept: "Kept") -> Checked:
    return check(folder / "log", kept.heads)


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


def test_another_day_begins_another_file_and_carries_the_chain_on(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    kept.now += timedelta(seconds=3)
    trail.append(read_of("a" * 32))
    trail.close()
    assert [len(lines(path)) for path in files(tmp_path)] == [2, 3]
    assert checked(tmp_path, kept) == Checked(chains=1, rows=2)


def test_a_clock_that_is_set_back_leaves_the_order_and_is_noted(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    start = kept.now
    for back in (0, 3600, 3590):
        kept.now = start - timedelta(seconds=back)
        trail.append(read_of("a" * 32))
    trail.close()
    rows = [json.loads(line) for line in lines(files(tmp_path)[0])][1:-1]
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
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
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
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    child = os.fork()
    if child == 0:
        trail.append(read_of("b" * 32))
        (tmp_path / "heads").write_bytes(pickle.dumps(kept.heads))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    kept.heads |= pickle.loads((tmp_path / "heads").read_bytes())  # noqa: S301 - our own child's
    trail.append(read_of("a" * 32))
    trail.close()
    found = checked(tmp_path, kept)
    assert (found.chains, found.rows, found.faults) == (2, 3, [])


def test_reads_at_the_same_time_make_one_chain(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail(most_bytes=20_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: trail.append(read_of(f"{n:032x}")), range(800)))
    trail.close()
    assert checked(tmp_path, kept) == Checked(chains=1, rows=800)
