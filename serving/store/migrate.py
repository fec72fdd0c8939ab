"""Brings a store's tables to what this code reads and writes: Alembic's only door."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from features.errors import StoreError

if TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep

FOLDER = Path(__file__).parent / "migrations"
STEP = re.compile(r"r(\d{4})_\w+\.py")
TABLE = "store_version"  # not Alembic's own name: a database may hold MLflow's tables too
LOCK = 5_318_008  # any number, as long as every release takes the same
PATIENCE = "60s"


def newest() -> str:
    """Give the version that this code reads and writes."""
    return _versions()[-1]


def knows(version: str) -> bool:
    """Tell whether this code can read a store of a version, by bringing it up to date."""
    return version in _versions()


def version_of(connection: Connection) -> str | None:
    """Give a store's version; None for an empty database and for a store from before versions."""
    if not sa.inspect(connection).has_table(TABLE):
        return None
    found: str | None = connection.execute(
        sa.select(sa.column("version_num")).select_from(sa.table(TABLE))
    ).scalar()
    return found


def bring_up_to_date(engine: Engine, place: str) -> None:
    """Take the steps that a store lacks, in one transaction and one process at a time.

    Parameters
    ----------
    place:
        How errors name the store, without a password.

    Raises
    ------
    StoreError
        If the store is newer than this code, or may not be changed.
    """
    with engine.connect() as connection:
        if _is_up_to_date(connection, place):
            return
    with engine.connect() as connection:
        _wait_for_others(connection)
        if not _is_up_to_date(connection, place):
            take_steps(connection, place)
        connection.commit()


@contextmanager
def filling(
    engine: Engine,
    place: str,
    version: str,
    finish: Callable[[Connection], object] | None = None,
) -> Iterator[Connection]:
    """Make the tables of a version, let them be filled, and bring them up to date: all or nothing.

    `finish` is called last, before all of it is committed.

    Raises
    ------
    StoreError
        If there is a store already.
    """
    with engine.connect() as connection:
        _wait_for_others(connection)
        if any(map(sa.inspect(connection).has_table, (TABLE, "publications"))):
            raise StoreError(
                f"Expected a database without a store at {place}, got one that has one. "
                "Name a new one in store_url, or remove its tables."
            )
        take_steps(connection, place, version)
        yield connection
        take_steps(connection, place)
        if finish:
            finish(connection)
        connection.commit()


def take_steps(connection: Connection, place: str, to: str = "head") -> None:
    """Take the steps that a store lacks, up to a version; the caller commits them.

    Raises
    ------
    StoreError
        If they may not be taken.
    """
    # Imported late: most stores are up to date, and Alembic would double the time to open one.
    from alembic.config import Config  # noqa: PLC0415 - see above
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    steps = ScriptDirectory(str(FOLDER), version_locations=[str(FOLDER)])
    before = version_of(connection)

    def lacking(version: str, _context: object) -> "list[RevisionStep]":
        return steps._upgrade_revs(to, version)  # noqa: SLF001 - as Alembic's cookbook does

    try:
        with EnvironmentContext(Config(), steps, fn=lacking) as environment:
            environment.configure(connection=connection, version_table=TABLE)
            environment.run_migrations()
    except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
        raise StoreError(
            f"Expected to bring the store {place} from version {before or 'none'} to {newest()}, "
            f"got: {str(error.orig).splitlines()[0]}. It is as it was: see that its role owns its "
            "tables and its disk has room, then run `tenure tokens list`."
        ) from error


def _versions() -> list[str]:
    steps = (STEP.fullmatch(file.name) for file in FOLDER.iterdir())
    return sorted(step.group(1) for step in steps if step)


def _is_up_to_date(connection: Connection, place: str) -> bool:
    found, known = version_of(connection), _versions()
    if found is not None and found not in known:
        raise StoreError(
            f"Expected a store of version {known[-1]} or older at {place}, got version {found}. "
            "Install the newer Tenure that wrote it, or name another store."
        )
    return found == known[-1]


def _wait_for_others(connection: Connection) -> None:
    """Begin a transaction that no other process can change the tables beside."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
