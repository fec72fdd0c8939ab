"""What people did or learned about an account, recorded and withdrawn exactly once."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa

from features.errors import StoreError
from features.tombstones import nobody
from serving.access.tokens import Principal
from serving.api.refusal import Detail, RefusedError, no_account
from serving.store import tables
from serving.store.database import Store

TOLD = tables.feedback
USERS, TOKENS = tables.users, tables.tokens


@dataclass(frozen=True)
class Feedback:
    """What was told, before it is recorded; `until` is 00:00 UTC of a snooze's end."""

    account_id: str
    kind: str
    note: str | None
    idempotency_key: str
    until: datetime | None = None


@dataclass(frozen=True)
class Recorded:
    """Feedback as it was recorded; times are naive UTC, and people and tokens told by name.

    Attributes
    ----------
    who
        Id of the token or the user that `recorded_by` names.
    """

    feedback_id: int
    account_id: str
    kind: str
    note: str | None
    recorded_at: datetime
    recorded_by: str
    until: datetime | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    who: str


def record(
    store: Store,
    feedback: Feedback,
    who: str,
    now: datetime,
    is_erased: Callable[[str], bool] = nobody,
) -> Recorded:
    """Record feedback; a second request with the same key and content gets the first's answer.

    Parameters
    ----------
    who:
        Id of the token or the user.
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
            told = sa.insert(TOLD).values(**row, token_id=who, recorded_at=now)
            number = connection.execute(told.returning(TOLD.c.feedback_id)).scalar_one()
            tables.note(connection, now, who, "feedback", str(number))
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
    query = _named().where(TOLD.c.idempotency_key == feedback.idempotency_key)
    with store.reading() as connection:
        found = connection.execute(query).mappings().one_or_none()
    if found is None:
        return None
    if any(found[name] != value for name, value in asdict(feedback).items()):
        raise RefusedError(
            HTTPStatus.CONFLICT,
            "idempotency_key_reused",
            "This idempotency key was used for other feedback. Send a new key with it.",
            (Detail("idempotency_key", "Was used for other feedback"),),
        )
    return _recorded(found)


def recorded_as(store: Store, feedback_id: int) -> Recorded | None:
    """Give feedback by its number, withdrawn or not; None when there is none."""
    with store.reading() as connection:
        found = connection.execute(_named().where(TOLD.c.feedback_id == feedback_id)).mappings()
        row = found.one_or_none()
    return None if row is None else _recorded(row)


def may_withdraw(principal: Principal, who: str) -> bool:
    """Tell whether somebody may take back what another told: what they told themselves they may.

    Of others a lead may, and an admin. A CSM says anew how it is: the last that was said counts.
    """
    return principal.who == who or principal.role == "lead" or principal.may("admin")


def withdraw(store: Store, feedback_id: int, who: str, now: datetime) -> bool:
    """Let feedback count no more; False when it was withdrawn before, which stays as it was.

    Its row is kept, with who took it back and when.
    """
    still = sa.update(TOLD).where(TOLD.c.feedback_id == feedback_id, TOLD.c.withdrawn_at.is_(None))
    with store.writing() as connection:
        taken_back = connection.execute(still.values(withdrawn_at=now, withdrawn_by=who))
        if taken_back.rowcount == 0:
            return False
        tables.note(connection, now, who, "withdraw feedback", str(feedback_id))
    return True


def feedback_of(store: Store, account_id: str, limit: int) -> tuple[Recorded, ...]:
    """List an account's newest feedback first, with what was withdrawn."""
    query = _named().where(TOLD.c.account_id == account_id)
    query = query.order_by(TOLD.c.feedback_id.desc()).limit(limit)
    with store.reading() as connection:
        return tuple(_recorded(row) for row in connection.execute(query).mappings())


def name_of(who: "sa.ColumnElement[str]") -> "sa.ColumnElement[str]":
    """Give the name of the user or the token that a column names by its id, else the id."""
    user = sa.select(USERS.c.name).where(USERS.c.user_id == who).scalar_subquery()
    token = sa.select(TOKENS.c.name).where(TOKENS.c.token_id == who).scalar_subquery()
    return sa.func.coalesce(user, token, who)


def _named() -> "sa.Select[Any]":
    by = name_of(TOLD.c.token_id).label("recorded_by")
    undone_by = name_of(TOLD.c.withdrawn_by).label("undone_by")
    return sa.select(TOLD, by, undone_by)


def _recorded(row: sa.RowMapping) -> Recorded:
    return Recorded(
        feedback_id=row["feedback_id"],
        account_id=row["account_id"],
        kind=row["kind"],
        note=row["note"],
        recorded_at=row["recorded_at"],
        recorded_by=row["recorded_by"],
        until=row["until"],
        withdrawn_at=row["withdrawn_at"],
        withdrawn_by=row["undone_by"],
        who=row["token_id"],
    )
