"""What a check takes over from the one before: the parts of a log whose source has not changed."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from features.checked import MANIFEST, CheckedSource, read_manifest, verify
from features.home import Home
from features.ledger import Ledger, SourcePart, Stored
from features.sources.weeks import digest
from features.sources.workplace import checks_of

_WORLD = ("accounts.parquet", "account_merges.parquet", "subscriptions.parquet")
TURNS = 11
"""After so many daily checks each file was read again; a prime, so that other rhythms meet all."""
YOUNG_NS = 2_000_000_000
"""Within it, a file may change twice at what its clock calls one time."""


@dataclass(frozen=True)
class Previous:
    """A log as the check before left it.

    Parameters
    ----------
    source
        That check.
    table
        The log's name.
    folder
        Holds, as links, what the log needs of that check, under the same names.
    """

    source: CheckedSource
    table: str
    folder: Path

    @property
    def ledger(self) -> Ledger:
        """What was read then."""
        return self.source.ledgers[self.table]

    @property
    def extracted_at(self) -> datetime:
        """As of then."""
        return self.source.extracted_at

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

    def verify(self, *files: Path) -> None:
        """Hold files in `folder` against their digests, before their rows are used."""
        verify(self.source, [file.relative_to(self.folder).as_posix() for file in files])

    def stored(self, out: Path) -> Mapping[str, Stored]:
        """Give what is known of the files below `out` that are links to those of then."""
        links = (name for name in self.source.files if _is_one(out / name, self.folder / name))
        return {name: self.source.files[name] for name in links}


def previous_log(
    home: Home, origin: str, table: str, terms: str, parts: Mapping[str, Path], work: Path
) -> Previous | None:
    """Find the newest check of the same source, and link what it has of a log to `work`.

    What is linked is held against its digest where it was written to since, and by turns: so a
    change of which the file system does not know is found too, in `TURNS` days.

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


def _is_one(file: Path, other: Path) -> bool:
    return file.exists() and other.exists() and file.samefile(other)


def _linked(source: CheckedSource, table: str, ledger: Ledger, into: Path) -> Previous:
    names = [
        name
        for name in source.files
        if name in _WORLD or name == ledger.aside or name.split("/")[0].split(".")[0] == table
    ]
    verify(source, _in_doubt(source, names))
    for name in names:
        link(source.folder / name, into / name)
    return Previous(source, table, into)


def _in_doubt(source: CheckedSource, names: Iterable[str]) -> list[str]:
    """Give the files that are no week's, that were written to since, and those whose turn it is."""
    published = (source.folder / MANIFEST).stat().st_mtime_ns
    turn = source.extracted_at.date().toordinal()
    return [
        name
        for name in names
        if "/" not in name
        or (turn + _week_of(name)) % TURNS == 0
        or not _is_older(source.folder / name, published - YOUNG_NS)
    ]


def _week_of(name: str) -> int:
    return date.fromisoformat(Path(name).stem).toordinal() // 7


def _is_older(file: Path, than_ns: int) -> bool:
    return file.is_file() and file.stat().st_mtime_ns <= than_ns
