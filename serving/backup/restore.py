"""Restores a backup into an empty home and an empty store, and counts what came."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from features.errors import BackupError, ErasureError
from features.home import Home, private
from features.tombstones import Tombstones, read_tombstones, tombstones_in, write_tombstones
from serving.backup.file import OWNER_ONLY, Manifest, Reader, opened_backup
from serving.erasure.erase import sweep_served
from serving.erasure.findings import sweep_findings
from serving.erasure.rows import erase_rows, purge
from serving.snapshots.served import kept, put_in_service
from serving.store.database import new_store, open_store, remove_store
from serving.store.migrate import knows, newest

ROWS_AT_ONCE = 1_000
SERVED = "files/served/current"


def check_backup(path: Path) -> Manifest:
    """Hold a backup against its seal and its manifest; raises BackupError as `restore` does."""
    with opened_backup(path) as backup:
        _demand_known(backup.manifest, path)
        return backup.manifest


def restore(path: Path, home: Home, store_url: str, tombstones: Path | None = None) -> Manifest:
    """Restore a backup; where that fails, home and store are left empty as they were.

    Parameters
    ----------
    path:
        A backup, of this release or an older one.
    home:
        Not there yet, or empty.
    store_url:
        SQLAlchemy URL of a database without a store. It need not be of the kind that the backup
        was made of.
    tombstones:
        Those of the home that the backup was made of, as they were last: accounts that were erased
        since the backup are taken out.

    Raises
    ------
    BackupError
        If the backup is damaged or newer, the home is not empty, or a table is not as it was.
    StoreError
        If there is a store already, or the database fails.
    ErasureError
        If the tombstones are damaged, or of another installation than the backup's.
    """
    with opened_backup(path) as backup:
        _demand_known(backup.manifest, path)
        with _emptied_again(home.root):
            _put_files(backup, home)
            erased = _erased_until_now(home, tombstones)
            sweep_findings(home, erased)
            sweep_served(home, erased)
            version, take_out = backup.manifest.store_version, partial(erase_rows, erased=erased)
            with new_store(store_url, version, take_out) as connection:
                _fill(backup, connection)
            with _removed_again(store_url):
                if erased:
                    with closing(open_store(store_url)) as store:
                        purge(store)
                for folder in kept(home):
                    put_in_service(home, folder.name)  # last: a service shows nothing before
        return backup.manifest


@contextmanager
def _removed_again(store_url: str) -> Iterator[None]:
    """Leave no store if what follows fails: what was erased may still be among its bytes."""
    try:
        yield
    except BaseException:
        remove_store(store_url)
        raise


def _erased_until_now(home: Home, tombstones: Path | None) -> Tombstones:
    """Give the tombstones of the backup, with those since, and keep all of them."""
    kept = read_tombstones(home)
    if tombstones is None:
        return kept
    later = tombstones_in(tombstones)
    if kept.key not in (b"", later.key):
        raise ErasureError(
            f"Expected {tombstones} to be of the installation that the backup is of, got another "
            "one's. Name the file erasure/tombstones.json of that home, or a copy of it."
        )
    kept = replace(later, erased_on={**later.erased_on, **kept.erased_on})
    write_tombstones(home, kept)
    return kept


def _demand_known(manifest: Manifest, path: Path) -> None:
    if not knows(manifest.store_version):
        raise BackupError(
            f"Expected a backup whose store is of version {newest()} or older, got version "
            f"{manifest.store_version} in {path}. Install Tenure {manifest.release} or newer."
        )


@contextmanager
def _emptied_again(folder: Path) -> Iterator[None]:
    """Demand an empty folder, and leave it empty if what follows fails."""
    if any(private(folder).iterdir()):
        raise BackupError(
            f"Expected an empty folder at {folder}, got one with files in it. "
            "Set TENURE_HOME to a new one, or move these away."
        )
    try:
        yield
    except BaseException:
        for child in folder.iterdir():
            if child.is_dir():
                shutil.rmtree(child)
            else:
                child.unlink()
        raise


def _put_files(backup: Reader, home: Home) -> None:
    for name in backup.manifest.members:
        if name.startswith("files/") and name != SERVED:
            file = home.root / name.removeprefix("files/")
            private(file.parent)
            file.touch(mode=OWNER_ONLY)
            with file.open("wb") as out:
                out.writelines(backup.chunks(name))
    if home.mlflow_database.exists():
        after = home.mlflow_artifacts.resolve().as_uri()
        _move_artifacts(home.mlflow_database, backup.manifest.artifacts, after)


def _move_artifacts(database: Path, before: str, after: str) -> None:
    """Let the registry find its files where they are now: it names them by their whole path."""
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
            for (column,) in columns.fetchall():
                connection.execute(
                    f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608 - names that the database itself gave
                    f'WHERE substr("{column}", 1, ?) IN (?, ?)',
                    (after, len(before) + 1, len(before), before, before),
                )


def _fill(backup: Reader, connection: Connection) -> None:
    counts = backup.manifest.rows
    there = sa.MetaData()
    there.reflect(connection, only=list(counts))
    for table in there.sorted_tables:
        rows = (_typed(table, row) for row in backup.rows(table.name))
        while some := list(islice(rows, ROWS_AT_ONCE)):
            connection.execute(sa.insert(table), some)
        found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        if found != counts[table.name]:
            raise BackupError(
                f"Expected {counts[table.name]} rows in {table.name}, got {found}. "
                "Report this with the version of the database."
            )
        if connection.dialect.name == "postgresql":
            _go_on_counting(table, connection)


def _typed(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value)
        if value is not None and isinstance(table.c[name].type, sa.DateTime)
        else value
        for name, value in row.items()
    }


def _go_on_counting(table: sa.Table, connection: Connection) -> None:
    """Let new rows be numbered after those that came with their numbers."""
    for column in table.primary_key.columns:
        if isinstance(column.type, sa.Integer):
            counter = sa.func.pg_get_serial_sequence(table.name, column.name)
            highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(counter, highest, False)))  # noqa: FBT003 - PostgreSQL's own signature
