"""The store of scores, feedback, tokens and audit: one SQLAlchemy engine, SQLite or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from features.errors import StoreError
from features.home import private
from serving import tables

BUSY_MILLISECONDS = 10_000
OWNER_ONLY = 0o600
CONNECTIONS = 20  # with as many again under load: as many as the service has threads


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes
    ----------
    engine:
        SQLAlchemy's pool of connections.
    """

    engine: Engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection; raises StoreError when the database fails."""
        with _as_store_errors(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose transaction is committed as a whole, or not at all."""
        with _as_store_errors(self.engine), self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _as_store_errors(engine: Engine) -> Iterator[None]:
    is_file = engine.dialect.name == "sqlite"
    place = engine.url.database if is_file else engine.url.render_as_string(hide_password=True)
    try:
        yield
    except sa.exc.OperationalError as error:
        raise StoreError(
            f"Expected the store {place} to answer, got: {error.orig}. "
            "Look whether its database is there, may be written and has room."
        ) from error
    except sa.exc.DatabaseError as error:
        if type(error) is not sa.exc.DatabaseError:  # its subclasses tell of a row or a query
            raise
        raise StoreError(
            f"Expected {place} to be the store's database, got: {error.orig}. "
            "Put a copy of it in its place, or move it away and score again."
        ) from error


def open_store(url: str) -> Store:
    """Open the store at a SQLAlchemy URL, and make its tables when they are not there.

    Raises
    ------
    StoreError
        If the database cannot be reached, written or read, or the URL is not one.
    """
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            _private_file(Path(address.database))
        engine = sa.create_engine(address, pool_size=CONNECTIONS, max_overflow=CONNECTIONS)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise StoreError(
            f"Expected store_url to be a SQLAlchemy URL of SQLite or PostgreSQL that can be "
            f"opened, got {type(error).__name__}. Correct store_url, or install its driver."
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _make_durable)
    with _as_store_errors(engine):
        tables.METADATA.create_all(engine)
    return Store(engine)


def _private_file(path: Path) -> None:
    try:
        private(path.parent)
        path.touch(mode=OWNER_ONLY, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"Expected a store that can be written at {path}, got: {error.strerror}. "
            "Make its folder writable, or set home or store_url to another place."
        ) from error


def _make_durable(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection has no type
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
