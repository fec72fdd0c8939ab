"""Rows of one publication, as the calls and the page need them."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from serving.api.cursor import Cursor
from serving.api.schema import WorklistQuery
from serving.publishing.publication import Publication
from serving.store import tables
from serving.store.database import Store

IDS_A_QUERY = 500  # below the number of variables that any SQLite allows

Row = dict[str, Any]
Books = frozenset[str] | None
"""The CSMs whose accounts are looked at, and no others; None: all accounts."""


def scores_of(store: Store, publication: Publication, account_ids: Sequence[str]) -> list[Row]:
    """Give all scores of some accounts, ordered by account, model and horizon."""
    scores = tables.scores
    rows: list[Row] = []
    with store.reading() as connection:
        for first in range(0, len(account_ids), IDS_A_QUERY):
            some = account_ids[first : first + IDS_A_QUERY]
            query = (
                sa.select(scores)
                .where(scores.c.publication == publication.number, scores.c.account_id.in_(some))
                .order_by(scores.c.account_id, scores.c.model, scores.c.horizon_days)
            )
            rows.extend(dict(row) for row in connection.execute(query).mappings())
    return [{**row, "reasons": json.loads(row["reasons"])} for row in rows]


def account(
    store: Store, publication: Publication, account_id: str, books: Books = None
) -> Row | None:
    """Give an account's facts and signals, None when it is not in the publication and the books."""
    accounts = tables.published_accounts
    query = sa.select(accounts).where(
        accounts.c.publication == publication.number, accounts.c.account_id == account_id
    )
    if books is not None:
        query = query.where(accounts.c.csm.in_(sorted(books)))
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else {**row, "signals": json.loads(row["signals"])}


def csms(store: Store, publication: int) -> dict[str, str | None]:
    """Give the CSM of each account of a publication, None where it has none."""
    accounts = tables.published_accounts
    query = sa.select(accounts.c.account_id, accounts.c.csm)
    with store.reading() as connection:
        found = connection.execute(query.where(accounts.c.publication == publication))
        return {row.account_id: row.csm for row in found}


def renewals_of(store: Store, publication: int, account_ids: Sequence[str]) -> dict[str, Row]:
    """Give the next renewals by account, of those accounts that are under a term."""
    return _by_account(store, tables.published_renewals, publication, account_ids)


def next_products_of(store: Store, publication: int, account_ids: Sequence[str]) -> dict[str, Row]:
    """Give the next products by account, of those accounts of which one was named."""
    return _by_account(store, tables.published_next_products, publication, account_ids)


def plays_of(store: Store, publication: int, account_ids: Sequence[str]) -> dict[str, str]:
    """Give the plays that were suggested with a publication, by account.

    One from before they were kept has none.
    """
    details = tables.listed_details
    query = sa.select(details.c.account_id, details.c.play).where(
        details.c.publication == publication,
        details.c.account_id.in_(account_ids),
        details.c.play.is_not(None),
    )
    with store.reading() as connection:
        return {row.account_id: row.play for row in connection.execute(query)}


def history(store: Store, account_id: str, limit: int) -> list[Row]:
    """Give an account's scores of the newest `limit` publications, newest first."""
    scores, published = tables.scores, tables.publications
    newest = (
        sa.select(scores.c.publication)
        .where(scores.c.account_id == account_id)
        .distinct()
        .order_by(scores.c.publication.desc())
        .limit(limit)
    )
    query = (
        sa.select(scores, published.c.as_of, published.c.scored_at)
        .join(published, published.c.number == scores.c.publication)
        .where(scores.c.account_id == account_id, scores.c.publication.in_(newest))
        .order_by(scores.c.publication.desc(), scores.c.model, scores.c.horizon_days)
    )
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def in_book(store: Store, publication: int, books: Books, account_ids: Sequence[str]) -> list[str]:
    """Give those of some accounts that are in some books, in their order; None: all of them.

    An account that another CSM has is not told from one that does not exist: neither is found.
    """
    if books is None:
        return list(account_ids)
    accounts = tables.published_accounts
    found: set[str] = set()
    with store.reading() as connection:
        for first in range(0, len(account_ids), IDS_A_QUERY):
            some = account_ids[first : first + IDS_A_QUERY]
            query = sa.select(accounts.c.account_id).where(
                accounts.c.publication == publication,
                accounts.c.csm.in_(sorted(books)),
                accounts.c.account_id.in_(some),
            )
            found.update(connection.execute(query).scalars())
    return [one for one in account_ids if one in found]


def work_list(
    store: Store, publication: int, cursor: Cursor, asked: WorklistQuery, books: Books
) -> list[Row]:
    """Give ranked accounts after a cursor, in order of position, one more than asked for.

    In books they are numbered from 1: the positions among all accounts would tell how many
    accounts of others stand before each, and so would a cursor.
    """
    accounts = tables.published_accounts
    position: sa.ColumnElement[int] = accounts.c.position
    of_list = [accounts.c.publication == publication, position.is_not(None)]
    if books is not None:
        of_list.append(accounts.c.csm.in_(sorted(books)))
        position = sa.func.row_number().over(order_by=position)
    listed = sa.select(accounts, position.label("shown_position")).where(*of_list).subquery()
    query = (
        sa.select(listed)
        .where(listed.c.shown_position > cursor.position)
        .order_by(listed.c.shown_position)
        .limit(asked.limit + 1)
    )
    if asked.csm is not None:
        query = query.where(listed.c.csm == asked.csm)
    if asked.tier is not None:
        query = query.where(listed.c.tier == asked.tier)
    with store.reading() as connection:
        rows = connection.execute(query).mappings()
        return [{**row, "position": row["shown_position"]} for row in rows]


def choices(store: Store, publication: Publication, column: str, books: Books) -> list[str]:
    """Give the values of ``csm`` or ``tier`` among the ranked accounts of some books, in order."""
    chosen = tables.published_accounts.c[column]
    accounts = tables.published_accounts
    query = (
        sa.select(chosen)
        .where(
            accounts.c.publication == publication.number,
            accounts.c.position.is_not(None),
            chosen.is_not(None),
        )
        .distinct()
        .order_by(chosen)
    )
    if books is not None:
        query = query.where(accounts.c.csm.in_(sorted(books)))
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


def _by_account(
    store: Store, kept: sa.Table, publication: int, account_ids: Sequence[str]
) -> dict[str, Row]:
    """Give the rows of a table that has at most one of each account."""
    found: dict[str, Row] = {}
    with store.reading() as connection:
        for first in range(0, len(account_ids), IDS_A_QUERY):
            some = account_ids[first : first + IDS_A_QUERY]
            query = sa.select(kept).where(
                kept.c.publication == publication, kept.c.account_id.in_(some)
            )
            found |= {row["account_id"]: dict(row) for row in connection.execute(query).mappings()}
    return found
