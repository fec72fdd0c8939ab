"""What people did or learned about an account, recorded exactly once."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa

from features.errors import StoreError
from features.tombstones import nobody
from serving.api.refusal import RefusedError, no_account
from serving.store import tables
from serving.store.database import Store


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


def record(
    store: Store,
    feedback: Feedback,
    token_id: str,
    now: datetime,
    is_erased: Callable[[str], bool] = nobody,
) -> Recorded:
    """Record feedback; a second request with the same key and content gets the first's answer.

    Parameters
    ----------
    is_erased:
        Asked once the row is written, so that an erasure deletes it, or is seen here.

    Raises
    ------
    RefusedError
        With status 409 if the key was used for something else, 404 if the account was erased.
    """
    row = asdict(feedback)
    try:
        with store.writing() as connection:
            told = sa.insert(tables.feedback).values(**row, token_id=token_id, recorded_at=now)
            number = connection.execute(told.returning(tables.feedback.c.feedback_id)).scalar_one()
            tables.note(connection, now, token_id, "feedback", str(number))
            if is_erased(feedback.account_id):
                raise no_account()
    except sa.exc.IntegrityError:
        pass  # the unique key says that it is recorded already: the answer below is the first's
    recorded = recorded_before(store, feedback)
    if recorded is None:
        raise StoreError("Expected the feedback that was just recorded, got none. Send it again.")
    return recorded


def recorded_before(store: Store, feedback: Feedback) -> Recorded | None:
    """Give what was recorded under the key of this feedback, None before the first time.

    Raises
    ------
    RefusedError
        With status 409 if the key was used for something else.
    """
    told = tables.feedback
    query = sa.select(told).where(told.c.idempotency_key == feedback.idempotency_key)
    with store.reading() as connection:
        found = connection.execute(query).mappings().one_or_none()
    if found is None:
        return None
    if any(found[name] != value for name, value in asdict(feedback).items()):
        raise RefusedError(
            HTTPStatus.CONFLICT,
            "idempotency_key_reused",
            "This idempotency key was used for other feedback. Send a new key with it.",
        )
    return _recorded(dict(found))


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


def _recorded(row: dict[str, Any]) -> Recorded:
    return Recorded(
        feedback_id=row["feedback_id"],
        account_id=row["account_id"],
        kind=row["kind"],
        note=row["note"],
        recorded_at=row["recorded_at"],
    )
