"""What people did or learned about an account, recorded exactly once."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa

from serving import tables
from serving.refusal import RefusedError
from serving.store import Store


@dataclass(frozen=True)
class Feedback:
    """What was told, before it is recorded."""

    account_id: str
    kind: str
    note: str | None
    idempotency_key: str


@dataclass(frozen=True)
class Recorded:
    """Feedback as it was recorded; `recorded_at` is naive UTC."""

    feedback_id: int
    account_id: str
    kind: str
    note: str | None
    recorded_at: datetime


def record(store: Store, feedback: Feedback, token_id: str, now: datetime) -> Recorded:
    """Record feedback; a second request with the same key and content gets the first's answer.

    Raises
    ------
    RefusedError
        With status 409 if the key was used for something else.
    """
    row = {
        "idempotency_key": feedback.idempotency_key,
        "account_id": feedback.account_id,
        "kind": feedback.kind,
        "note": feedback.note,
    }
    try:
        with store.writing() as connection:
            connection.execute(
                sa.insert(tables.feedback).values(**row, token_id=token_id, recorded_at=now)
            )
            tables.note(connection, now, token_id, "feedback", feedback.account_id)
    except sa.exc.IntegrityError:
        pass  # the unique key says that it is recorded already: the answer below is the first's
    found = _by_key(store, feedback.idempotency_key)
    if any(found[name] != value for name, value in row.items()):
        raise RefusedError(
            HTTPStatus.CONFLICT,
            "idempotency_key_reused",
            "This idempotency key was used for other feedback. Send a new key with it.",
        )
    return _recorded(found)


def feedback_of(store: Store, account_id: str, limit: int) -> tuple[Recorded, ...]:
    """List an account's newest feedback first."""
    told = tables.feedback
    query = (
        sa.select(told)
        .where(told.c.account_id == account_id)
        .order_by(told.c.feedback_id.desc())
        .limit(limit)
    )
    with store.reading() as connection:
        return tuple(_recorded(dict(row)) for row in connection.execute(query).mappings())


def _by_key(store: Store, idempotency_key: str) -> dict[str, Any]:
    told = tables.feedback
    with store.reading() as connection:
        query = sa.select(told).where(told.c.idempotency_key == idempotency_key)
        return dict(connection.execute(query).mappings().one())


def _recorded(row: dict[str, Any]) -> Recorded:
    return Recorded(
        feedback_id=row["feedback_id"],
        account_id=row["account_id"],
        kind=row["kind"],
        note=row["note"],
        recorded_at=row["recorded_at"],
    )
