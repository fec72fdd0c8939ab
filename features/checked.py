"""A checked source: Parquet that keeps the contract, and the account of what was set aside."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from features.contracts import TABLES
from features.errors import SourceError
from features.ledger import Ledger, Stored, ledger_from, ledger_json

MANIFEST = "manifest.json"
VERSION_TIME = "recorded_at"


@dataclass(frozen=True)
class Finding:
    """One line of the validation report.

    Parameters
    ----------
    level
        "error" (rows were quarantined), "warning" (implausible, kept) or "note".
    table, column
        What it is about; empty when it is about the whole source or table.
    message
        One sentence.
    rows
        How many rows it concerns.
    share
        The same as a share of the table's rows, 0 to 1.
    """

    level: str
    table: str
    column: str
    message: str
    rows: int = 0
    share: float = 0.0


@dataclass(frozen=True)
class Counts:
    """Where the rows of one table went: read = accepted + quarantined + collapsed + erased.

    Those that are erased were of an account that somebody erased: nothing is kept of them.
    """

    read: int
    accepted: int
    quarantined: int
    collapsed: int
    erased: int = 0


@dataclass(frozen=True)
class CheckedSource:
    """Tables that keep the contract, as Parquet: one file per table, of a log one for each week.

    Times are naive UTC in microseconds, a date without a time is the last microsecond of its day,
    money is DECIMAL(18, 4). Each table also has `known_at`: its first time, or `recorded_at` where
    that is later. Rows are sorted, so equal content gives equal files.

    Parameters
    ----------
    folder
        Holds `<table>.parquet`, of a log `<table>/<monday>.parquet`, and `manifest.json`.
    columns
        Present tables, and the contract's columns that each has (without `known_at`).
    extracted_at
        When the extract was made, naive UTC; censoring depends on it.
    extracted_at_is_guess
        True when the source did not say, and the day after the latest happening was taken.
    currency
        The company's one currency, where the source names it.
    stable_columns
        (table, column) of overwritten columns that may be features: the source keeps their
        versions, or says that they never change.
    fingerprint
        SHA-256 over the checked content, in hexadecimal; the order of the rows read is not in it.
    counts
        Where the rows of each table went.
    findings
        The report's lines.
    quarantine
        The file with the rows set aside, or None when there are none.
    files
        By name below `folder`: size and digest of each file.
    ledgers
        By log: what was read for it, and its weekly parts.
    origin
        Digest of the folder's path or the database's URL: by it the next check knows this one.
    """

    folder: Path
    columns: Mapping[str, tuple[str, ...]]
    extracted_at: datetime
    extracted_at_is_guess: bool
    currency: str | None
    stable_columns: frozenset[tuple[str, str]]
    fingerprint: str
    counts: Mapping[str, Counts]
    findings: tuple[Finding, ...]
    quarantine: Path | None
    files: Mapping[str, Stored] = field(default_factory=lambda: MappingProxyType({}))
    ledgers: Mapping[str, Ledger] = field(default_factory=lambda: MappingProxyType({}))
    origin: str = ""

    @property
    def last_date(self) -> date:
        """The last date whose state is known: the extract was made at its midnight or later.

        An extract of the end of a day knows all that counts at the next.
        """
        return (self.extracted_at + timedelta(microseconds=1)).date()

    @property
    def quarantined(self) -> Mapping[str, int]:
        """How many rows of each present table were set aside."""
        return MappingProxyType({name: counts.quarantined for name, counts in self.counts.items()})

    def has(self, table: str) -> bool:
        """Whether the source has this table of the contract."""
        return table in self.columns

    def path(self, table: str) -> Path:
        """Give the table's Parquet file; of a log the folder of its parts.

        Raises
        ------
        SourceError
            When the source has no such table.
        """
        if not self.has(table):
            present = ", ".join(self.columns)
            raise SourceError(
                f"Expected the table {table} in the checked source, got only {present}. "
                "Ask `has` first, or add the table to the source."
            )
        return self.folder / (table if TABLES[table].is_log else f"{table}.parquet")

    def parts(self, table: str) -> tuple[Path, ...]:
        """Give the table's Parquet files, those of a log in the order of their weeks.

        There is at least one, of one schema; a log without rows has one part without rows.

        Raises
        ------
        SourceError
            When the source has no such table.
        """
        path = self.path(table)
        return tuple(sorted(path.glob("*.parquet"))) if TABLES[table].is_log else (path,)

    def read(self, table: str) -> pd.DataFrame:
        """Give a small table as a pandas frame, money as Decimal; raise SourceError if absent."""
        return pd.read_parquet(self.path(table))

    def newest(self, table: str) -> pd.DataFrame:
        """Give a small table like `read`, of each row's versions only the newest."""
        rows = in_order_of_versions(self.read(table))
        key = list(TABLES[table].key)
        return rows.drop_duplicates(key, keep="last") if VERSION_TIME in rows else rows


def origin_of(place: str) -> str:
    """Give the digest of a folder's path or a database's URL, which may hold a password."""
    return hashlib.sha256(place.encode()).hexdigest()


def in_order_of_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort a table's rows by `recorded_at`, where it has that; a row without it by `known_at`."""
    if VERSION_TIME not in rows:
        return rows
    recorded = rows[VERSION_TIME]
    # At one moment, the version that says when it was recorded comes after the one that does not.
    order = pd.DataFrame(
        {"recorded": recorded.fillna(rows["known_at"]), "says_when": recorded.notna()}
    )
    return rows.loc[order.sort_values(["recorded", "says_when"], kind="stable").index]


def open_checked(folder: Path) -> CheckedSource:
    """Open what `features.sources.check.check` wrote; of its files, only the sizes are looked at.

    Raises
    ------
    SourceError
        When the folder is not a checked source, or one of its files is gone or of another size.
    """
    source = read_manifest(folder)
    for name, stored in source.files.items():
        size = (folder / name).stat().st_size if (folder / name).is_file() else None
        if size != stored.bytes:
            came = "no such file" if size is None else f"{size:,} bytes"
            raise _damaged(folder, f"{name} of {stored.bytes:,} bytes", came)
    return source


def verify(source: CheckedSource, names: Iterable[str]) -> None:
    """Hold files of a checked source, named below its folder, against their digests.

    Raises
    ------
    SourceError
        When one is gone, or is not what was written.
    """
    for name in names:
        expected = source.files[name].sha256
        try:
            with (source.folder / name).open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise _damaged(source.folder, f"a readable {name}", str(error)) from error
        if found != expected:
            raise _damaged(source.folder, f"{name} with the SHA-256 {expected[:12]}…", found[:12])


def manifest_of(origin: str) -> str:
    """Name the manifest that is kept of a source whose copy was checked after it."""
    return f"manifest.{origin}.json"


def read_manifest(folder: Path, name: str = MANIFEST) -> CheckedSource:
    """Read a checked source's manifest, without a look at the files; SourceError if it is none."""
    try:
        manifest = json.loads((folder / name).read_text(encoding="utf-8"))
        return _from_manifest(folder, manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"Expected a checked source with a {name} of this version in {folder}, got "
            f"{error!r}. Check the source again."
        ) from error


def _damaged(folder: Path, expected: str, came: str) -> SourceError:
    return SourceError(
        f"Expected {expected} in the checked source {folder}, got {came}. "
        "Delete the folder and check the source again."
    )


def write_manifest(source: CheckedSource) -> str:
    """Give the text of a checked source's manifest, from which `open_checked` reads it back."""
    return json.dumps(
        {
            "columns": {name: list(columns) for name, columns in source.columns.items()},
            "extracted_at": source.extracted_at.isoformat(),
            "extracted_at_is_guess": source.extracted_at_is_guess,
            "currency": source.currency,
            "stable_columns": sorted(source.stable_columns),
            "fingerprint": source.fingerprint,
            "counts": {name: asdict(counts) for name, counts in source.counts.items()},
            "findings": [asdict(finding) for finding in source.findings],
            "quarantine": str(source.quarantine) if source.quarantine else None,
            "files": {name: vars(stored) for name, stored in source.files.items()},
            "origin": source.origin,
            "ledgers": {name: ledger_json(ledger) for name, ledger in source.ledgers.items()},
        },
        indent=1,
    )


def _from_manifest(folder: Path, manifest: Mapping[str, Any]) -> CheckedSource:
    columns = {
        name: tuple(manifest["columns"][name]) for name in TABLES if name in manifest["columns"]
    }
    return CheckedSource(
        folder=folder,
        columns=MappingProxyType(columns),
        extracted_at=datetime.fromisoformat(manifest["extracted_at"]),
        extracted_at_is_guess=manifest["extracted_at_is_guess"],
        currency=manifest["currency"],
        stable_columns=frozenset((table, column) for table, column in manifest["stable_columns"]),
        fingerprint=manifest["fingerprint"],
        counts=MappingProxyType({name: Counts(**c) for name, c in manifest["counts"].items()}),
        findings=tuple(Finding(**finding) for finding in manifest["findings"]),
        quarantine=Path(manifest["quarantine"]) if manifest["quarantine"] else None,
        files=MappingProxyType({name: Stored(**f) for name, f in manifest["files"].items()}),
        origin=manifest["origin"],
        ledgers=MappingProxyType(
            {name: ledger_from(ledger) for name, ledger in manifest["ledgers"].items()}
        ),
    )
