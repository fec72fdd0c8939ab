"""A log with three files, a store that keeps its heads, and a clock that a test sets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from features.errors import StoreError
from serving.audit_log.check import Checked, check
from serving.audit_log.rows import Read
from serving.audit_log.trail import Head, Trail

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
    assert [len(lines(path)) for path in found] == [4, 4, 5]
    assert checked(tmp_path, kept).faults == []
    return found


def checked(folder: Path, kept: Kept) -> Checked:
    return check(folder / "log", kept.heads)
