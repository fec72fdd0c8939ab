"""Erasing accounts from all that Tenure keeps, and keeping them out from then on.

First come the tombstones, on the disk; then everything that names an account under one is swept
out. So an erasure that is killed is finished by the next, whatever account that is asked for.
"""

import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from features.built import forget
from features.errors import ErasureError, SnapshotError
from features.home import Home
from features.sources.sweep import merged_here, sweep_checked
from features.sources.sweep_quarantine import sweep_quarantine
from features.tombstones import Tombstones, bury, erasing, lift
from serving.backup.made import Made, backups_made
from serving.erasure.findings import sweep_findings
from serving.erasure.rows import erase_rows, keep_writers_out, purge
from serving.publishing.publication import latest
from serving.snapshots.served import current, erase_accounts, kept
from serving.snapshots.snapshot import ASIDE, open_snapshot
from serving.store import tables
from serving.store.database import Store

Say = Callable[[str], None]
SPACES = "".join(chr(n) for n in range(0x3001) if unicodedata.category(chr(n)) == "Zs")
"""What a check of a source trims: any other character is a part of an id, also a tab."""


@dataclass(frozen=True)
class Swept:
    """What an erasure took out.

    Attributes
    ----------
    rows:
        Of the store, by table.
    checked, quarantine, feature_tables, snapshots, reports:
        How many of these held something.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    checked: int = 0
    quarantine: int = 0
    feature_tables: int = 0
    snapshots: int = 0
    reports: int = 0

    @property
    def found_any(self) -> bool:
        """Whether there was anything to take out."""
        files = self.checked + self.quarantine + self.feature_tables + self.snapshots
        return bool(files + self.reports + sum(self.rows.values()))


@dataclass(frozen=True)
class Erased:
    """What was erased, and what remains.

    Attributes
    ----------
    accounts, merged:
        How many were asked for, and how many records merged into them went with them.
    models:
        The models in service, which learned from all accounts there were: name and version.
    backups:
        Backups that were written before, and are still where they were written.
    """

    accounts: int
    merged: int
    swept: Swept
    models: tuple[str, ...]
    backups: tuple[Made, ...]

    def text(self) -> str:
        """Say it to people."""
        return "\n".join([*self._gone(), "", *self._remains()])

    def to_json(self) -> dict[str, Any]:
        """Give it to a script."""
        swept = self.swept
        return {
            "accounts": self.accounts,
            "merged": self.merged,
            "found_any": swept.found_any,
            "rows": dict(swept.rows),
            "checked_sources": swept.checked,
            "quarantine_files": swept.quarantine,
            "feature_tables": swept.feature_tables,
            "snapshots": swept.snapshots,
            "reports": swept.reports,
            "remains": {
                "models": list(self.models),
                "backups": [made.to_json() for made in self.backups],
            },
        }

    def _gone(self) -> Iterable[str]:
        swept, rows = self.swept, sum(self.swept.rows.values())
        more = f", with {self.merged} records that were merged into them" if self.merged else ""
        if not swept.found_any:
            yield f"{self.accounts} accounts{more}: nothing of them was found."
        else:
            yield (
                f"{self.accounts} accounts{more}: {rows:,} rows of the store, and what was in "
                f"{swept.checked} checked sources, {swept.quarantine} quarantine files, "
                f"{swept.feature_tables} feature tables, {swept.snapshots} snapshots and "
                f"{swept.reports} reports."
            )
        yield "An extract, a score or feedback that names them from now on is left out."

    def _remains(self) -> Iterable[str]:
        yield "What remains:"
        yield (
            "- in your source, which Tenure does not touch: take them out there; and in files that "
            "you had written elsewhere (--out, --spark-out)."
        )
        if self.models:
            named = ", ".join(self.models)
            yield (
                f"- in models ({named}, and older versions): weights, categories and counts that "
                "were learned from all accounts, and no row of any, until you train and promote "
                "anew and delete the old versions."
            )
        yield from self._in_backups()

    def _in_backups(self) -> Iterable[str]:
        if not self.backups:
            yield "- in copies and backups that others made, until they are deleted."
            return
        yield "- in these backups, and their copies, until you delete them:"
        for made in self.backups:
            yield f"    {made.file} of {made.made_at:%Y-%m-%d %H:%M} UTC"
        yield "  Restore one only with --tombstones, which takes the accounts out again."


def demand_ids(account_ids: Iterable[str]) -> tuple[str, ...]:
    """Give ids as a check of a source keeps them, each once: without spaces around them.

    Raises
    ------
    ErasureError
        When there is none, or one that is no text.
    """
    found = tuple(dict.fromkeys(text for one in account_ids if (text := one.strip(SPACES))))
    if not found:
        raise ErasureError("Expected the id of an account, got none. Name one, or a file of ids.")
    try:
        "".join(found).encode()
    except UnicodeEncodeError as error:
        raise ErasureError(
            "Expected ids in UTF-8, got other bytes. Name them in a file with --ids-from."
        ) from error
    return found


def erase(account_ids: Iterable[str], store: Store, home: Home, now: datetime, say: Say) -> Erased:
    """Erase accounts, and the records that were merged into them.

    Parameters
    ----------
    account_ids:
        As the source names them.
    now:
        Naive UTC.
    say:
        Told what it is at.

    Raises
    ------
    ErasureError
        If an id is none, or something holds on to what was deleted: then run it again.
    StoreError, SnapshotError
        If the store or a snapshot fails; the tombstones are kept, so run it again.
    """
    asked = demand_ids(account_ids)
    with erasing(home, say):
        tombstones = bury(home, asked, now.date())
        also = tombstones.with_merged(merged_here(home)).also - {*asked}
        tombstones = bury(home, also, now.date())
        swept = sweep(store, home, tombstones, say)
        with store.writing() as connection:
            for one in asked:
                tables.note(connection, now, "command line", "erase", tombstones.mac(one))
        publication = latest(store)
    models = publication.models if publication else ()
    return Erased(
        accounts=len(asked),
        merged=len(also),
        swept=swept,
        models=tuple(f"{each.model} {each.model_version}" for each in models),
        backups=backups_made(home),
    )


def let_back(account_ids: Iterable[str], store: Store, home: Home, now: datetime) -> int:
    """Lift tombstones, and give how many there were: the next extract may bring these back."""
    asked = demand_ids(account_ids)
    with erasing(home):
        lifted = lift(home, asked)
        with store.writing() as connection:
            tables.note(connection, now, "command line", "lift erasure", f"{lifted} accounts")
    return lifted


def sweep(store: Store, home: Home, erased: Tombstones, say: Say) -> Swept:
    """Take all that names an erased account out of a home and its store.

    Whoever calls it holds `features.tombstones.erasing`.
    """
    say("in checked sources")
    checked = sweep_checked(home, erased, say)
    quarantine, feature_tables = sweep_quarantine(home, erased), forget(home, erased)
    say("in the store")
    with store.writing() as connection:
        keep_writers_out(connection)
        rows = erase_rows(connection, erased)
    say("in the files that are served")
    snapshots = sweep_served(home, erased)
    reports = sweep_findings(home, erased)
    say("overwriting what is deleted in the store")
    purge(store)
    return Swept(rows, checked, quarantine, feature_tables, snapshots, reports)


def sweep_served(home: Home, erased: Tombstones) -> int:
    """Take erased accounts out of the snapshots that the service reads; give how many had any."""
    for left in home.served.glob(f"{ASIDE}*"):
        shutil.rmtree(left)  # no publication is at work, or nobody could be erasing
    gone: set[str] = set()
    removed = 0
    for folder in kept(home):
        try:
            gone |= erased.among(record.account_id for record in open_snapshot(folder).records())
        except SnapshotError:
            if current(home) == folder.name:
                raise
            shutil.rmtree(folder)  # nobody can serve it, and nobody can tell whose rows it has
            removed += 1
    return removed + erase_accounts(home, gone)
