"""What was said last of accounts, by whom, and what a lead decided on it: for who reads of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.api.feedback import name_of
from serving.store import tables
from serving.store.database import Store
from serving.store.lookup import Row

TOLD, DECIDED = tables.feedback, tables.decisions
REMEMBERED = timedelta(days=90)
MOST_DECISIONS = 50


def said_last(
    connection: sa.Connection, now: datetime, account_ids: Sequence[str]
) -> dict[str, Row]:
    """Give by account the last that was said and stands, of whatever kind; as many as a query has.

    What was taken back was never said, nor was a snooze that is over.
    """
    stands = TOLD.c.withdrawn_at.is_(None) & (TOLD.c.until.is_(None) | (TOLD.c.until > now))
    newest = (
        sa.select(sa.func.max(TOLD.c.feedback_id))
        .where(TOLD.c.account_id.in_(account_ids), TOLD.c.recorded_at > now - REMEMBERED, stands)
        .group_by(TOLD.c.account_id)
    )
    columns = TOLD.c.account_id, TOLD.c.feedback_id, TOLD.c.kind, TOLD.c.note, TOLD.c.recorded_at
    who = TOLD.c.token_id.label("who"), name_of(TOLD.c.token_id).label("recorded_by")
    query = sa.select(*columns, *who).where(TOLD.c.feedback_id.in_(newest))
    return {row["account_id"]: dict(row) for row in connection.execute(query).mappings()}


def decided_last(
    connection: sa.Connection, now: datetime, account_ids: Sequence[str]
) -> dict[str, Row]:
    """Give by account the last decision of these days, on a judgement that stands."""
    query = _decisions().where(
        DECIDED.c.account_id.in_(account_ids),
        DECIDED.c.decided_at > now - REMEMBERED,
        TOLD.c.withdrawn_at.is_(None),
    )
    ordered = query.order_by(DECIDED.c.decided_at, DECIDED.c.feedback_id)
    return {row["account_id"]: dict(row) for row in connection.execute(ordered).mappings()}


def decisions_of(store: Store, account_id: str) -> list[Row]:
    """Give all decisions on an account, the newest first, also on what was taken back since."""
    query = _decisions().where(DECIDED.c.account_id == account_id)
    ordered = query.order_by(DECIDED.c.decided_at.desc(), DECIDED.c.feedback_id.desc())
    with store.reading() as connection:
        rows = connection.execute(ordered.limit(MOST_DECISIONS)).mappings()
        return [dict(row) for row in rows]


def _decisions() -> "sa.Select[Any]":
    decision = DECIDED.c.account_id, DECIDED.c.sides_with, DECIDED.c.note, DECIDED.c.decided_at
    by = name_of(DECIDED.c.decided_by).label("decided_by")
    judged = TOLD.c.kind, TOLD.c.withdrawn_at, name_of(TOLD.c.token_id).label("recorded_by")
    return sa.select(*decision, by, *judged).join(TOLD, TOLD.c.feedback_id == DECIDED.c.feedback_id)
