"""Each break of the audit log is found, as far as the store knows its heads."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features.errors import AuditError
from serving.audit_log.check import Checked, check, reads_of
from serving.audit_log.rows import Read
from serving.audit_log.trail import Trail

if TYPE_CHECKING:
    from tests.serving.trail.conftest import Kept


def read_of(*accounts: str, address: str = "10.0.0.7") -> Read:
    return Read("ab12cd34ef56", "GET /v1/accounts/{account_id}", address, "f" * 32, accounts)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def checked(folder: Path, kept: "Kept") -> Checked:
    return check(folder / "log", kept.heads)


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
def test_a_break_is_found(tmp_path: Path, kept: "Kept", written: list[Path], what: str) -> None:
    BREAKS[what](written)
    found = checked(tmp_path, kept)
    assert found.faults
    with pytest.raises(AuditError, match="to hold together"):
        found.demand()


def test_a_byte_that_is_changed_is_found_wherever_it_is(
    tmp_path: Path, kept: "Kept", written: list[Path]
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
    tmp_path: Path, kept: "Kept", written: list[Path]
) -> None:
    before = json.loads(lines(written[2])[0])["hash"]
    rows = lines(written[2])[:1]
    for text in lines(written[2])[1:]:
        row, before = _forged(text, before, b"0" * 32)
        rows.append(row)
    written[2].write_bytes(b"".join(rows))
    (unknown,) = check(tmp_path / "log", {}).faults
    assert unknown.endswith("the store does not know this chain: it was added")
    assert [fault.split(": ", 1)[1] for fault in checked(tmp_path, kept).faults] == [
        "row 12 is not the one the store knows"
    ]


def test_a_chain_that_the_store_does_not_know_was_added(
    tmp_path: Path, kept: "Kept", written: list[Path]
) -> None:
    name = written[0].name.removesuffix("-000001.jsonl")
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    before = "0" * 64
    rows = []
    for text in lines(written[0])[:2]:
        body = text.replace(name.encode(), other.encode())
        row, before = _forged(body, before, b"0" * 32)
        rows.append(row)
    written[0].with_name(f"{other}-000001.jsonl").write_bytes(b"".join(rows))
    assert checked(tmp_path, kept).faults == [
        f"{other}: the store does not know this chain: it was added"
    ]


def test_a_row_after_the_end_of_a_chain_was_added(
    tmp_path: Path, kept: "Kept", written: list[Path]
) -> None:
    last = json.loads(lines(written[2])[-1])
    row = lines(written[2])[-2].replace(b'"seq":%d' % (last["seq"] - 1), b'"seq":%d' % last["seq"])
    row = row.replace(b'"seq":%d' % last["seq"], b'"seq":%d' % (last["seq"] + 1))
    added, _ = _forged(row, last["hash"], b"0" * 32)
    written[2].write_bytes(written[2].read_bytes() + added)
    assert [fault.split(": ", 1)[1] for fault in checked(tmp_path, kept).faults] == [
        f"row {last['seq'] + 1} stands after the end of its chain"
    ]


def test_a_chain_begins_only_where_the_store_can_be_told_of_it(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail]
) -> None:
    trail = open_trail()
    kept.is_away = True
    with pytest.raises(AuditError, match="Expected the store to take"):
        trail.append(read_of("a" * 32))
    assert not trail.is_open
    assert [*(tmp_path / "log").iterdir()] == []
    kept.is_away = False
    trail.append(read_of("a" * 32))
    trail.close()
    assert checked(tmp_path, kept) == Checked(chains=1, rows=1)


def test_the_head_is_kept_later_when_the_store_was_away(
    tmp_path: Path, kept: "Kept", open_trail: Callable[..., Trail], caplog: pytest.LogCaptureFixture
) -> None:
    trail = open_trail()
    trail.append(read_of("a" * 32))
    kept.is_away = True
    trail.append(read_of("a" * 32))
    kept.is_away = False
    trail.close()
    assert [head.seq for head in kept.heads.values()] == [3]
    assert checked(tmp_path, kept) == Checked(chains=1, rows=2)
    assert "a" * 32 not in caplog.text


def test_an_account_is_found_in_the_rows_that_show_it(written: list[Path]) -> None:
    folder = written[0].parent
    assert [row.seq for row in reads_of(folder, f"{7:032x}")] == [10]
    assert reads_of(folder, "f" * 32) == []
