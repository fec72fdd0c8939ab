"""Where people's own judgement and the model's differ by much, and how a lead decided."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select

from features.tombstones import nobody
from serving.api.feedback import name_of
from serving.api.refusal import no_account
from serving.store import tables
from serving.store.database import Store
from serving.store.lookup import Books, Row

TOLD, LISTED, DETAILS = tables.feedback, tables.listed_accounts, tables.listed_details
DECIDED = tables.decisions
SINCE = timedelta(days=90)
"""So long a judgement stands, as all feedback does."""
SHOWN = 200
JUDGING = ("will_renew", "will_leave", "not_a_risk", "unsure", "saved", "lost")
"""What is a judgement, or ends one: the last of them that was said of an account counts."""
DIFFERS: Mapping[str, str] = {"will_renew": "high", "not_a_risk": "high", "will_leave": "low"}
"""By judgement: the band of the model that it differs from by much. A medium band, and who is
unsure, differ from nothing."""
SIDES = ("csm", "model")


def open_ones(store: Store, publication: int, books: Books, now: datetime) -> list[Row]:
    """Give the judgements of some books that differ by much and nobody decided on, by ARR."""
    undecided = ~sa.exists().where(DECIDED.c.feedback_id == TOLD.c.feedback_id)
    query = _differing(publication, books, now).where(undecided)
    query = query.order_by(LISTED.c.arr.desc().nulls_last(), TOLD.c.feedback_id).limit(SHOWN)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def decided_ones(store: Store, publication: int, books: Books, now: datetime) -> list[Row]:
    """Give what was decided of late in some books, the newest first, also what was undone since."""
    columns = (*_columns(), DECIDED.c.sides_with, DECIDED.c.note.label("decision"))
    columns += (TOLD.c.withdrawn_at,)
    figures = (DECIDED.c.band, DECIDED.c.probability, DECIDED.c.decided_at)
    by = name_of(DECIDED.c.decided_by).label("decided_by")
    query = (
        sa.select(*columns, *figures, by)
        .join(TOLD, TOLD.c.feedback_id == DECIDED.c.feedback_id)
        .join(LISTED, LISTED.c.account_id == DECIDED.c.account_id)
        .where(LISTED.c.publication == publication, DECIDED.c.decided_at > now - SINCE)
        .where(*_of_books(books))
        .order_by(DECIDED.c.decided_at.desc(), DECIDED.c.feedback_id.desc())
        .limit(SHOWN)
    )
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def decide(
    store: Store,
    of: Row,
    sides_with: str,
    note: str | None,
    who: str,
    now: datetime,
    is_erased: Callable[[str], bool] = nobody,
) -> bool:
    """Record a lead's decision; False where another stands already. No probability is touched.

    Parameters
    ----------
    of
        A row of `open_ones`, or of `decided_ones` where it was sent twice.
    sides_with
        Among `SIDES`.
    is_erased
        Asked once the row is written, so that an erasure deletes it, or is seen here.

    Raises
    ------
    RefusedError
        With status 404 if the account was erased.
    """
    row = {name: of[name] for name in ("feedback_id", "account_id", "band", "probability")}
    said = {"sides_with": sides_with, "note": note, "decided_by": who}
    try:
        with store.writing() as connection:
            connection.execute(sa.insert(DECIDED).values(**row, **said, decided_at=now))
            tables.note(connection, now, who, "decide", str(of["feedback_id"]))
            if is_erased(of["account_id"]):
                raise no_account()
    except sa.exc.IntegrityError:
        before = sa.select(DECIDED).where(DECIDED.c.feedback_id == of["feedback_id"])
        with store.reading() as connection:
            kept = connection.execute(before).mappings().one()
        return all(kept[name] == value for name, value in said.items())
    return True


def _differing(publication: int, books: Books, now: datetime) -> "Select[Any]":
    judged = TOLD.alias()
    last = (
        sa.select(sa.func.max(judged.c.feedback_id))
        .where(judged.c.account_id == TOLD.c.account_id, judged.c.kind.in_(JUDGING))
        .where(judged.c.withdrawn_at.is_(None))
        .correlate(TOLD)
        .scalar_subquery()
    )
    return (
        sa.select(*_columns(), LISTED.c.band, LISTED.c.probability, DETAILS.c.reason)
        .join(LISTED, LISTED.c.account_id == TOLD.c.account_id)
        .join(
            DETAILS,
            (DETAILS.c.publication == LISTED.c.publication)
            & (DETAILS.c.account_id == LISTED.c.account_id),
        )
        .where(LISTED.c.publication == publication, LISTED.c.status == "scored")
        .where(TOLD.c.kind.in_(DIFFERS), sa.case(DIFFERS, value=TOLD.c.kind) == LISTED.c.band)
        .where(TOLD.c.recorded_at > now - SINCE, TOLD.c.feedback_id == last, *_of_books(books))
    )


def _columns() -> tuple["sa.ColumnElement[Any]", ...]:
    of_account = (LISTED.c.account_id, LISTED.c.name, LISTED.c.csm, LISTED.c.arr)
    said = (TOLD.c.feedback_id, TOLD.c.kind, TOLD.c.note, TOLD.c.recorded_at)
    return (*of_account, *said, name_of(TOLD.c.token_id).label("recorded_by"))


def _of_books(books: Books) -> tuple["sa.ColumnElement[bool]", ...]:
    return () if books is None else (LISTED.c.csm.in_(sorted(books)),)
