"""The store of scores, feedback, tokens and audit: one SQLAlchemy engine, SQLite or PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from features.errors import StoreError
from features.home import private
from serving.store import tables
from serving.store.migrate import TABLE as VERSIONS
from serving.store.migrate import bring_up_to_date, filling

BUSY_MILLISECONDS = 10_000
OWNER_ONLY = 0o600
CONNECT_SECONDS = 10
# A server's machine that is gone says nothing: the kernel gives its connections up after these.
GIVEN_UP = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
AWAY = (  # it is not there, its disk is full, it only takes reads, or it has no connection left
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,
    sa.exc.TimeoutError,
)
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


def _place(engine: Engine) -> str:
    if engine.dialect.name == "sqlite" and engine.url.database:
        return engine.url.database
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def _as_store_errors(engine: Engine) -> Iterator[None]:
    place = _place(engine)
    try:
        yield
    except AWAY as error:
        told = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(
            f"Expected the store {place} to answer, got: {told}. "
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
    """Open the store at a SQLAlchemy URL; its tables are made, or brought to this code's version.

    Raises
    ------
    StoreError
        If the database cannot be reached, written or read, the URL is not one, or a newer Tenure
        wrote the store.
    """
    engine = _engine(url)
    with ExitStack() as unless_opened:
        unless_opened.callback(engine.dispose)
        with _as_store_errors(engine):
            bring_up_to_date(engine, _place(engine))
        unless_opened.pop_all()
    return Store(engine)


@contextmanager
def new_store(
    url: str, version: str, finish: Callable[[Connection], object] | None = None
) -> Iterator[Connection]:
    """Give the empty tables of a store of some version, to be filled; they come to be at the end.

    `finish` is called with the filled tables once they are of this code's version.

    Raises
    ------
    StoreError
        As `open_store`, or if there is a store already.
    """
    engine = _engine(url)
    with ExitStack() as opened:
        opened.callback(engine.dispose)
        opened.enter_context(_as_store_errors(engine))
        yield opened.enter_context(filling(engine, _place(engine), version, finish))


def remove_store(url: str) -> None:
    """Remove a store's tables, as far as they are there; raises StoreError as `open_store`."""
    engine = _engine(url)
    with ExitStack() as opened:
        opened.callback(engine.dispose)
        opened.enter_context(_as_store_errors(engine))
        connection = opened.enter_context(engine.begin())
        tables.METADATA.drop_all(connection)
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {VERSIONS}")


def _engine(url: str) -> Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            _private_file(Path(address.database))
        engine = sa.create_engine(
            address,
            pool_size=CONNECTIONS,
            max_overflow=CONNECTIONS,
            hide_parameters=True,  # they hold accounts, which are kept out of logs and errors
            **_for_servers(address),
        )
    except (sa.exc.ArgumentError, ImportError) as error:
        raise StoreError(
            f"Expected store_url to be a SQLAlchemy URL of SQLite or PostgreSQL that can be "
            f"opened, got {type(error).__name__}. Correct store_url, or install its driver."
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _make_durable)
    return engine


def _for_servers(address: sa.URL) -> dict[str, Any]:
    """Try a connection before it is used: a server may have been started anew since."""
    if address.get_backend_name() == "sqlite":
        return {}
    waits = {"connect_timeout": CONNECT_SECONDS, **GIVEN_UP}
    not_told = {name: value for name, value in waits.items() if name not in address.query}
    return {"pool_pre_ping": True, "connect_args": not_told}


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
