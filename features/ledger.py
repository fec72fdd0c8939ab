"""What a log was read from, and the weekly parts that it became."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Stored:
    """A file as it was written.

    Parameters
    ----------
    bytes
        Its size.
    sha256
        The digest of its content, in hexadecimal.
    """

    bytes: int
    sha256: str


@dataclass(frozen=True)
class SourcePart:
    """A file of the source that a log was read from.

    Parameters
    ----------
    name
        Below the source's folder.
    bytes, mtime_ns, sha256
        By which it is known again; the time is None where the file was too young to be known by it.
    rows
        How many it holds.
    quarantined
        How many of them were set aside.
    erased
        How many of them were left out when it was read: they are of erased accounts.
    """

    name: str
    bytes: int
    mtime_ns: int | None
    sha256: str
    rows: int
    quarantined: int
    erased: int = 0


@dataclass(frozen=True)
class WeeklyPart:
    """The checked rows of one ISO week.

    Parameters
    ----------
    file
        `<monday>.parquet`.
    rows
        How many it holds.
    sha256
        The digest of the file.
    first_day, last_day
        Of the table's first time; None where there are no rows.
    last_known_day
        The latest day on which a row of it became known.
    early
        How many rows lie before what an account's rows usually come after.
    """

    file: str
    rows: int
    sha256: str
    first_day: date | None
    last_day: date | None
    last_known_day: date | None
    early: int


@dataclass(frozen=True)
class Ledger:
    """A log's account: what was read, and where it went.

    Parameters
    ----------
    terms
        Digest of all but the rows that the parts hang on: the mapping, the contract, the writer.
    sources
        The files that were read, in their order.
    parts
        The weekly parts, in the order of their weeks.
    aside
        The name, below the checked source's folder, of the file with the rows that were set aside:
        a later check judges them again. None where the log is read as a whole each time.
    erased
        How many rows an erasure took out of the parts and of those set aside since they were read.
    """

    terms: str
    sources: tuple[SourcePart, ...]
    parts: tuple[WeeklyPart, ...]
    aside: str | None
    erased: int = 0

    @property
    def left_out(self) -> int:
        """How many rows of erased accounts were left out, or taken out since."""
        return self.erased + sum(part.erased for part in self.sources)

    @property
    def latest_day(self) -> date | None:
        """The latest day on which a row became known; None where there are no rows."""
        return max(
            (part.last_known_day for part in self.parts if part.last_known_day), default=None
        )


def ledger_json(ledger: Ledger) -> dict[str, Any]:
    """Give a ledger as JSON takes it."""
    parts = [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in part}
        for part in (vars(part).items() for part in ledger.parts)
    ]
    sources = [vars(part) for part in ledger.sources]
    return {
        "terms": ledger.terms,
        "sources": sources,
        "parts": parts,
        "aside": ledger.aside,
        "erased": ledger.erased,
    }


def ledger_from(content: Mapping[str, Any]) -> Ledger:
    """Read a ledger back from what `ledger_json` gave."""
    return Ledger(
        terms=content["terms"],
        sources=tuple(SourcePart(**part) for part in content["sources"]),
        parts=tuple(_weekly(part) for part in content["parts"]),
        aside=content["aside"],
        erased=content.get("erased", 0),
    )


def _weekly(content: Mapping[str, Any]) -> WeeklyPart:
    days = {
        name: date.fromisoformat(value) if value else None
        for name, value in content.items()
        if name.endswith("_day")
    }
    return WeeklyPart(**{**content, **days})
