"""What a check takes over from the one before: the parts of a log whose source has not changed."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.checked import CheckedSource, read_manifest, verify
from features.home import Home
from features.ledger import Ledger, SourcePart
from features.sources.weeks import digest
from features.sources.workplace import checks_of

_WORLD = ("accounts.parquet", "account_merges.parquet", "subscriptions.parquet")


@dataclass(frozen=True)
class Previous:
    """A log as the check before left it.

    Parameters
    ----------
    ledger
        What was read then.
    extracted_at
        As of then.
    folder
        Holds, as links, what the log needs of that check, under the same names.
    table
        The log's name.
    """

    ledger: Ledger
    extracted_at: datetime
    folder: Path

    table: str

    @property
    def aside(self) -> Path:
        """The file with the rows that were set aside."""
        return self.folder / str(self.ledger.aside)

    def known(self) -> Mapping[str, SourcePart]:
        """Give the source's files that were read then, by name."""
        return {part.name: part for part in self.ledger.sources}

    def files(self, name: str) -> tuple[Path, ...]:
        """Give the file of that name below the checked source, or none."""
        path = self.folder / name
        return (path,) if path.is_file() else ()

    def parts(self, name: str = "*.parquet") -> tuple[Path, ...]:
        """Give the weekly parts, or the one of a name, if there is one."""
        return tuple(sorted((self.folder / self.table).glob(name)))

    def identities(self, name: str = "*.parquet") -> tuple[Path, ...]:
        """Give the files with the rows' identities, or the one of a name, if there is one."""
        return tuple(sorted((self.folder / f"{self.table}.identities").glob(name)))


def previous_log(
    home: Home, origin: str, table: str, terms: str, parts: Mapping[str, Path], work: Path
) -> Previous | None:
    """Find the newest check of the same source, and link what it has of a log to `work`.

    Returns
    -------
    Previous or None
        None where there is none, it was read on other terms, or a file that it read has changed
        or is gone: then the log is to be read as a whole.

    Raises
    ------
    SourceError
        When a file of that check is not what was written.
    """
    for folder in checks_of(origin, home)[:1]:
        source = read_manifest(folder)
        ledger = source.ledgers.get(table)
        if ledger and ledger.aside and ledger.terms == terms and _holds(ledger, parts):
            return _linked(source, table, ledger, work / f"{table}.previous")
    return None


def is_known(path: Path, part: SourcePart) -> bool:
    """Tell whether a file of the source is the part that was read; only in doubt by its content."""
    now = path.stat()
    if now.st_size != part.bytes:
        return False
    return now.st_mtime_ns == part.mtime_ns or digest(path) == part.sha256


def link(file: Path, target: Path) -> None:
    """Let a file stand under a second name, or copy it where there are no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _holds(ledger: Ledger, parts: Mapping[str, Path]) -> bool:
    return all(part.name in parts and is_known(parts[part.name], part) for part in ledger.sources)


def _linked(source: CheckedSource, table: str, ledger: Ledger, into: Path) -> Previous:
    names = [
        name
        for name in source.files
        if name in _WORLD or name == ledger.aside or name.split("/")[0].split(".")[0] == table
    ]
    for name in names:
        link(source.folder / name, into / name)
    verify(source, names)
    return Previous(ledger, source.extracted_at, into, table)
