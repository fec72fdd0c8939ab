"""Rows of one publication, as the calls and the page need them."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from serving import tables
from serving.publication import Publication
from serving.store import Store

IDS_A_QUERY = 500  # below the number of variables that any SQLite allows

Row = dict[str, Any]


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


def account(store: Store, publication: Publication, account_id: str) -> Row | None:
    """Give an account's facts and signals, None when it is not in the publication."""
    accounts = tables.published_accounts
    query = sa.select(accounts).where(
        accounts.c.publication == publication.number, accounts.c.account_id == account_id
    )
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else {**row, "signals": json.loads(row["signals"])}


def renewals_of(store: Store, publication: int, account_ids: Sequence[str]) -> dict[str, Row]:
    """Give the next renewals by account, of those accounts that are under a term."""
    return _by_account(store, tables.published_renewals, publication, account_ids)


def next_products_of(store: Store, publication: int, account_ids: Sequence[str]) -> dict[str, Row]:
    """Give the next products by account, of those accounts of which one was named."""
    return _by_account(store, tables.published_next_products, publication, account_ids)


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


def work_list(
    store: Store,
    publication: int,
    *,
    after: int,
    limit: int,
    csm: str | None,
    tier: str | None,
) -> list[Row]:
    """Give ranked accounts after a position, in order of position."""
    accounts = tables.published_accounts
    query = (
        sa.select(accounts)
        .where(accounts.c.publication == publication, accounts.c.position > after)
        .order_by(accounts.c.position)
        .limit(limit)
    )
    if csm is not None:
        query = query.where(accounts.c.csm == csm)
    if tier is not None:
        query = query.where(accounts.c.tier == tier)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def choices(store: Store, publication: Publication, column: str) -> list[str]:
    """Give the values of ``csm`` or ``tier`` among the ranked accounts, in order."""
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
