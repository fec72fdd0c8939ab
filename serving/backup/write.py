"""Writes a backup while Tenure runs: what it keeps and could not compute again."""

import json
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from features.errors import StoreError
from features.home import Home
from serving.audit_log.rows import NAME
from serving.backup.file import CHUNK_BYTES, Manifest, Writer, new_backup
from serving.backup.made import note_backup
from serving.snapshots.served import CURRENT, current, undisturbed
from serving.store import tables
from serving.store.database import Store
from serving.store.migrate import version_of

ROWS_AT_ONCE = 5_000
# A session that was closed since would be open again where the backup is restored.
KEPT_TABLES = frozenset(tables.METADATA.tables) - {tables.sessions.name}


def kept_folders(home: Home) -> tuple[Path, ...]:
    """Name the folders of a home that are in a backup, with all that is below them."""
    made = (home.bundles, home.mlflow_artifacts, home.own_features, home.reports, home.audit_log)
    return (*made, home.erasure)


def back_up(store: Store, home: Home, path: Path, now: datetime) -> Manifest:
    """Write a backup; others go on writing meanwhile.

    The store is read as it was at one moment, the databases before the files that they speak of:
    files are never changed once a row names them, so that none lacks.

    Parameters
    ----------
    path:
        A new file.
    now:
        Naive UTC.

    Raises
    ------
    BackupError
        If the file is there already.
    StoreError
        If the store cannot be read.
    """
    served = current(home)  # what it names is in the store that is read after it
    with new_backup(path) as writer:
        note_backup(home, path, now)
        with as_of_one_moment(store) as connection:
            store_version = version_of(connection)
            there = sa.MetaData()
            there.reflect(connection, only=lambda name, _: name in KEPT_TABLES)
            for table in there.sorted_tables:
                writer.add(f"store/{table.name}.jsonl", _rows(connection, table))
            chains = _chains(connection) if tables.audit_heads.name in there.tables else None
        if home.mlflow_database.exists():
            _add_registry(writer, home)
        for folder in kept_folders(home):
            is_log = folder == home.audit_log
            later = _begun_later(home, chains) if is_log and chains is not None else frozenset()
            _add_folder(writer, folder, home, later)
        if served is not None:
            _add_served(writer, home, served)
        return writer.finish(
            made_at=now,
            release=version("tenure"),
            store_version=store_version,
            artifacts=home.mlflow_artifacts.resolve().as_uri(),
        )


@contextmanager
def as_of_one_moment(store: Store) -> Iterator[Connection]:
    """Give a connection that sees all tables as they are at its first query."""
    with store.reading() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def _rows(connection: Connection, table: sa.Table) -> Iterator[bytes]:
    """Give each row as a line of JSON, its times as text."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
    for row in found.mappings():
        yield json.dumps(dict(row), default=datetime.isoformat).encode() + b"\n"


def _add_registry(writer: Writer, home: Home) -> None:
    """Add a copy of the registry's database as of one moment."""
    with tempfile.TemporaryDirectory(prefix="tenure-backup-") as aside:
        copy = Path(aside) / home.mlflow_database.name
        try:
            with (
                closing(sqlite3.connect(home.mlflow_database)) as here,
                closing(sqlite3.connect(copy)) as there,
            ):
                here.backup(there)
        except sqlite3.Error as error:
            raise StoreError(
                f"Expected to copy {home.mlflow_database}, got: {error}. "
                "Look whether it can be read, and whether the disk has room."
            ) from error
        writer.add(f"files/{copy.name}", _chunks(copy))


def _chains(connection: Connection) -> frozenset[str]:
    """Name the chains of the audit log that the store knows."""
    return frozenset(connection.execute(sa.select(tables.audit_heads.c.chain)).scalars())


def _begun_later(home: Home, chains: Collection[str]) -> frozenset[Path]:
    """Give the files of the audit log that the copy of the store knows nothing of."""
    found = ((file, NAME.fullmatch(file.name)) for file in home.audit_log.glob("*"))
    return frozenset(file for file, named in found if named and named["chain"] not in chains)


def _add_folder(
    writer: Writer, folder: Path, home: Home, without: Collection[Path] = frozenset()
) -> None:
    for file in sorted({*folder.rglob("*")} - {*without}):
        name = file.relative_to(home.root)
        is_half_written = any(part.startswith(".") for part in name.parts)
        if file.is_file() and not is_half_written:
            is_log = folder == home.audit_log
            writer.add(f"files/{name.as_posix()}", _lines(file) if is_log else _chunks(file))


def _add_served(writer: Writer, home: Home, name: str) -> None:
    """Add the snapshot in service; one that is gone by now is laid out again from the store."""
    with undisturbed(home):
        if (home.served / name).is_dir():
            _add_folder(writer, home.served / name, home)
            writer.add(f"files/{home.served.name}/{CURRENT}", [f"{name}\n".encode()])


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk


def _lines(file: Path) -> Iterator[bytes]:
    """Give the whole lines of a file that is being appended to."""
    with file.open("rb") as opened:
        for line in opened:
            if line.endswith(b"\n"):
                yield line
