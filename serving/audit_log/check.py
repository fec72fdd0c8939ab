"""Whether the audit log holds together, and who read an account by it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from features.errors import AuditError
from serving.audit_log.rows import NAME, NOTHING_BEFORE, Row, read_line
from serving.audit_log.trail import Head


@dataclass
class Checked:
    """What a check of the audit log found.

    Attributes
    ----------
    chains, rows:
        How many there are; opening rows do not count.
    faults:
        What cannot have come about by itself: rows were changed, taken out or moved.
    notes:
        What can: a row that was cut short by a kill or a full disk, a clock that was set back,
        a chain that was opened by a process that was killed before its first row.
    """

    chains: int = 0
    rows: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Say it to people."""
        said = f"{self.rows} rows in {self.chains} chains"
        return "\n".join(
            [
                *(f"broken: {fault}" for fault in self.faults),
                *(f"note: {note}" for note in self.notes),
                f"{said}: {len(self.faults)} breaks" if self.faults else f"{said} hold together",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Give it to a script."""
        return {
            "holds": not self.faults,
            "chains": self.chains,
            "rows": self.rows,
            "faults": self.faults,
            "notes": self.notes,
        }

    def demand(self) -> None:
        """Raise AuditError unless all chains hold."""
        if self.faults:
            raise AuditError(
                f"Expected the audit log to hold together, got {len(self.faults)} breaks. "
                "Keep a copy of it as it is, and find out who could write there."
            )


@dataclass
class _Chain:
    """One chain while it is read; a row has to follow the one before."""

    name: str
    head: Head | None
    found: Checked
    seq: int = -1
    digest: str = NOTHING_BEFORE
    at: str = ""
    met_head: bool = False
    has_ended: bool = False
    reads: int = 0

    def follow(self, row: Row, place: str) -> None:
        if self.has_ended:
            self.found.faults.append(f"{place}: row {row.seq} stands after the end of its chain")
        if (row.seq, row.before) != (self.seq + 1, self.digest):
            self.found.faults.append(
                f"{place}: row {row.seq} does not follow row {self.seq}: rows were changed, "
                "taken out or moved"
            )
        if row.clock or (row.chain and row.at < self.at):
            self.found.notes.append(f"{place}: the clock was set back before row {row.seq}")
        elif row.at < self.at:
            self.found.faults.append(f"{place}: row {row.seq} is older than the row before")
        if self.head and row.seq == self.head.seq:
            self.met_head = True
            if row.hash != self.head.digest:
                self.found.faults.append(f"{place}: row {row.seq} is not the one the store knows")
        self.seq, self.digest, self.at = row.seq, row.hash, row.at
        self.has_ended |= row.end
        self.reads += not row.chain
        self.found.rows += not row.chain

    def end(self) -> None:
        if self.head is None and not self.reads:
            self.found.notes.append(f"{self.name}: was begun, and no row written to it")
        elif self.head is None:
            self.found.faults.append(
                f"{self.name}: the store does not know this chain: it was added"
            )
        elif not self.met_head:
            self.found.faults.append(
                f"{self.name}: ends at row {self.seq}, and the store knows row {self.head.seq}: "
                "rows or a file were taken out"
            )


def check(folder: Path, heads: Mapping[str, Head]) -> Checked:
    """Check every chain from its first row to its last, against the heads that the store keeps.

    A service may go on writing meanwhile. Heads have to be read before this is called.
    """
    found = Checked()
    files = _files(folder)
    for name, parts in groupby(files, lambda path: _part(path)[0]):
        chain = _Chain(name, heads.get(name), found)
        found.chains += 1
        for path in parts:
            _follow_file(chain, path)
        chain.end()
    there = {_part(path)[0] for path in files}
    for missing in sorted(set(heads) - there):
        found.faults.append(f"{missing}: the store knows this chain, and its files are gone")
    return found


def reads_of(folder: Path, pseudonym: str) -> list[Row]:
    """Give the rows of the whole log that show an account, oldest first."""
    rows = (row for path in _files(folder) for _, row, _ in _lines(path) if row)
    return sorted((row for row in rows if pseudonym in row.accounts), key=lambda row: row.at)


def _follow_file(chain: _Chain, path: Path) -> None:
    faults, notes = chain.found.faults, chain.found.notes
    is_first, cut = True, ""
    for place, row, is_ended in _lines(path):
        if row is None:
            cut = place if is_ended else ""
            notes.append(f"{place}: a row was cut short; its answer did not leave")
            continue
        if is_first and (row.chain, row.part) != _part(path):
            faults.append(f"{place}: the file does not begin as its name says")
        is_first, cut = False, ""
        chain.follow(row, place)
    if cut:  # what is cut short has no end, and is ended only by a row that follows
        notes.pop()
        faults.append(f"{cut}: this is no row any more")


def _lines(path: Path) -> Iterator[tuple[str, Row | None, bool]]:
    """Give each line's place, its row if it is a whole one, and whether the line was ended."""
    with path.open("rb") as lines:
        for number, text in enumerate(lines, start=1):
            plain = text.removesuffix(b"\n")
            if plain:
                yield f"{path.name}:{number}", read_line(plain), plain != text


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))


def _part(path: Path) -> tuple[str, int]:
    named = NAME.fullmatch(path.name)
    assert named is not None  # noqa: S101 - `_files` gives no other
    return named["chain"], int(named["part"])
