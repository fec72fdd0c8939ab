"""What happened to each account, for people: the newest of it, as it was known at a date."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import narwhals as nw
import pandas as pd

from features.checked import CheckedSource
from features.contracts import Type
from features.engine import Engine, Session, session
from features.known_rows import PLACE, in_own_unit, known_rows, newest_of_each
from features.windows import Rows


@dataclass(frozen=True)
class Kind:
    """One kind of event.

    Parameters
    ----------
    name
        What it is called.
    table, at
        The source table, and the column of when it happened.
    detail, amount, until
        The columns that say more of it: a text, an amount or a number, and when it was over.
    also
        Further columns that `where` reads.
    where
        Which rows are such events.
    """

    name: str
    table: str
    at: str
    detail: str | None = None
    amount: str | None = None
    until: str | None = None
    also: tuple[str, ...] = ()
    where: nw.Expr | None = field(default=None, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that it is made of."""
        named = (self.at, self.detail, self.amount, self.until, *self.also)
        return tuple(dict.fromkeys(name for name in named if name))


_WAS_DONE = nw.col("arm").fill_null("treatment") != "control"  # others were held back
TOUCH = Kind("touch", "touches", "occurred_at", "csm", also=("arm",), where=_WAS_DONE)
REVIEW = Kind("review", "reviews", "held_at", "verdict")
ENDED = Kind("ended", "subscriptions", "ended_at", "product")
KINDS = (
    Kind("ticket", "support_tickets", "opened_at", "priority", until="resolved_at"),
    Kind("escalation", "support_tickets", "escalated_at", "priority"),
    Kind("incident", "incidents", "started_at", "severity", until="resolved_at"),
    Kind("invoice", "invoices", "issued_at", amount="amount", until="paid_at"),
    Kind(
        "failed_payment",
        "payments",
        "attempted_at",
        amount="amount",
        also=("succeeded",),
        where=nw.col("succeeded") == 0,
    ),
    Kind("person_came", "contacts", "joined_at", "role"),
    Kind("person_left", "contacts", "left_at", "role"),
    TOUCH,
    Kind("survey", "surveys", "responded_at", "kind", amount="score"),
    Kind("outcome_agreed", "outcomes", "agreed_at", "description"),
    Kind("outcome_met", "outcomes", "achieved_at", "description"),
    REVIEW,
    Kind("cancel_asked", "subscriptions", "cancel_requested_at", "product"),
    ENDED,
)
COLUMNS = ("account_id", "at", "kind", "detail", "amount", "until", "of")
_UNITS = {"at": Type.TIME, "until": Type.TIME, "amount": Type.NUMBER}


def newest_events(
    source: CheckedSource,
    as_of: datetime,
    limit: int,
    kinds: Iterable[Kind] = KINDS,
    *,
    engine: Engine = Engine.DUCKDB,
) -> pd.DataFrame:
    """Give the newest events of each account that were known just before 00:00 UTC of a date.

    Parameters
    ----------
    as_of
        Naive UTC, 00:00 of a date.
    limit
        At most so many of an account.
    kinds
        Those whose table the source lacks give nothing.

    Returns
    -------
    pandas.DataFrame
        In order of account_id and of time, the newest first: `COLUMNS`. amount is a float, ``of``
        how many events the account has in all, those that are left out too.

    Raises
    ------
    TenureError
        When the engine is not installed.
    """
    present = [kind for kind in kinds if source.has(kind.table)]
    if not present:
        return pd.DataFrame(columns=list(COLUMNS))
    with session(engine) as running:
        rows = [_of_kind(source, kind, as_of, running) for kind in present]
        every = rows[0] if len(rows) == 1 else nw.concat(rows, how="vertical")
        found = running.collect(newest_of_each(running.settle(every), "at", limit))
    found = found.sort_values(["account_id", PLACE], ignore_index=True)
    for name, dtype in _UNITS.items():
        found[name] = in_own_unit(found[name], dtype)
    return found[list(COLUMNS)]


def _of_kind(source: CheckedSource, kind: Kind, as_of: datetime, running: Session) -> Rows:
    rows = known_rows(source, kind.table, kind.columns, as_of, running)
    if kind.where is not None:
        rows = rows.filter(kind.where)
    no_text, no_number = nw.lit(None, nw.String), nw.lit(None, nw.Int64)
    return rows.filter(~nw.col(kind.at).is_null()).select(
        "account_id",
        at=nw.col(kind.at),
        kind=nw.lit(kind.name, nw.String),
        detail=nw.col(kind.detail) if kind.detail else no_text,
        amount=nw.col(kind.amount) if kind.amount else no_number,
        until=nw.col(kind.until) if kind.until else no_number,
    )
