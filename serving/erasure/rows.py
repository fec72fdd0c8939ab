"""Taking erased accounts out of the store: their rows, then their bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from features.errors import ErasureError
from features.tombstones import Tombstones
from serving.publishing.origin import digests_without
from serving.store import tables
from serving.store.database import Store
from serving.store.lookup import IDS_A_QUERY

OF_ACCOUNTS = (
    tables.scores,
    tables.published_renewals,
    tables.published_next_products,
    tables.published_triggers,
    tables.account_pages,
    tables.listed_products,
    tables.listed_details,
    tables.listed_accounts,
    tables.published_accounts,
    tables.decisions,
    tables.feedback,
    tables.account_keys,
)
"""The tables with a row for an account, or several."""
NAMING = (
    tables.published_accounts.c.account_id,
    tables.published_accounts.c.customer_group,
    tables.account_pages.c.parent_account_id,
    tables.feedback.c.account_id,
    tables.decisions.c.account_id,
    tables.account_keys.c.account_id,
)
"""What names every account that the store knows."""
RELATED = (tables.published_accounts.c.customer_group, tables.account_pages.c.parent_account_id)
"""What names another account in the row of one."""
SOME = {"yield_per": 5_000}


def erase_rows(connection: Connection, erased: Tombstones) -> dict[str, int]:
    """Delete the rows of erased accounts, in the caller's transaction, which keeps writers out.

    With the key of an account, what the audit log calls it goes: no row of the log can be traced to
    it any more, and its chains hold as before. A publication whose rows were those that were
    published is sealed anew without the account's, and says how many accounts it lost.

    Returns
    -------
    dict
        By table: how many rows were deleted, where there were any.
    """
    if not erased:
        return {}
    gone = sorted({one for column in NAMING for one in _named(connection, column, erased)})
    for number, accounts in _publications_of(connection, gone).items():
        _seal_anew(connection, number, frozenset(gone))
        _note_erased(connection, number, accounts)
    deleted: dict[str, int] = {}
    for table in OF_ACCOUNTS:
        for some in _chunks(gone):
            rows = connection.execute(sa.delete(table).where(table.c.account_id.in_(some))).rowcount
            deleted[table.name] = deleted.get(table.name, 0) + rows
    for some in _chunks(gone):
        for column in RELATED:
            orphaned = sa.update(column.table).where(column.in_(some))
            connection.execute(orphaned.values({column.name: None}))
    return {name: rows for name, rows in deleted.items() if rows}


def keep_writers_out(connection: Connection) -> None:
    """Begin the transaction such that rows of these tables are written before it, or after it.

    Who writes one looks at the tombstones after that, and takes it back where it is of an erased
    account; so none is written behind its back.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        names = ", ".join(table.name for table in OF_ACCOUNTS)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def purge(store: Store) -> None:
    """Overwrite what deleted rows left in the database's files.

    SQLite's file is written anew and its log emptied. PostgreSQL writes the tables anew, which wait
    for that; its server's own log, statistics and backups are its own.

    Raises
    ------
    ErasureError
        If a reader holds on to the old rows.
    StoreError
        If the database fails.
    """
    with store.reading() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        if connection.dialect.name != "sqlite":
            for table in (*OF_ACCOUNTS, tables.published_origins):
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table.name}")
            return
        connection.exec_driver_sql("VACUUM")
        is_busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if is_busy:
            raise ErasureError(
                "Expected to empty the store's write-ahead log, got a reader that holds on to it. "
                "The rows are deleted; run the same again to overwrite them."
            )


def erased_of(store: Store, publication: int) -> int:
    """Give how many accounts of a publication were erased since."""
    kept = tables.published_erasures
    with store.reading() as connection:
        query = sa.select(kept.c.accounts).where(kept.c.publication == publication)
        return connection.execute(query).scalar() or 0


def _named(connection: Connection, column: "sa.Column[str]", erased: Tombstones) -> frozenset[str]:
    found = connection.execute(sa.select(column).distinct(), execution_options=SOME)
    return erased.among(found.scalars())


def _publications_of(connection: Connection, gone: Sequence[str]) -> dict[int, int]:
    """Give by publication how many of these accounts it has."""
    accounts = tables.published_accounts
    found: dict[int, int] = {}
    for some in _chunks(gone):
        query = (
            sa.select(accounts.c.publication, sa.func.count())
            .where(accounts.c.account_id.in_(some))
            .group_by(accounts.c.publication)
        )
        for number, rows in connection.execute(query):
            found[number] = found.get(number, 0) + rows
    return found


def _seal_anew(connection: Connection, number: int, gone: frozenset[str]) -> None:
    """Let a publication's digest be that of its other rows, unless it was another's before."""
    kept = tables.published_origins
    origin = sa.select(kept.c.scores_digest).where(kept.c.publication == number)
    sealed = connection.execute(origin).scalar()
    if sealed is None:
        return
    before, after = digests_without(_rows_in_order(connection, number), gone)
    if before == sealed:
        anew = sa.update(kept).where(kept.c.publication == number)
        connection.execute(anew.values(scores_digest=after))


def _rows_in_order(connection: Connection, number: int) -> Iterator[Mapping[str, Any]]:
    """Give a publication's scores in the order of `origin.KEY`, as Python sorts text."""
    scores = tables.scores
    is_server = connection.dialect.name != "sqlite"
    texts = [scores.c.account_id, scores.c.model]
    ordered = [sa.collate(each, "C") if is_server else each for each in texts]
    query = sa.select(scores).where(scores.c.publication == number)
    query = query.order_by(*ordered, scores.c.horizon_days)
    yield from map(dict, connection.execute(query, execution_options=SOME).mappings())


def _note_erased(connection: Connection, number: int, accounts: int) -> None:
    kept = tables.published_erasures
    more = sa.update(kept).where(kept.c.publication == number)
    if connection.execute(more.values(accounts=kept.c.accounts + accounts)).rowcount == 0:
        connection.execute(sa.insert(kept).values(publication=number, accounts=accounts))


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[first : first + IDS_A_QUERY] for first in range(0, len(ids), IDS_A_QUERY))
