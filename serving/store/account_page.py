"""What an account's page shows: what the source told of it, its past scores, its group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from serving.publishing.publication import NEWEST_FIRST, Publication
from serving.store import tables
from serving.store.database import Store
from serving.store.lookup import Books, Row

MOST_PUBLICATIONS = 26
MOST_MEMBERS = 50


class Event(Struct, frozen=True, array_like=True):
    """Something that happened; `until` is when it was over, None where that was not known."""

    at: date
    kind: str
    detail: str | None = None
    amount: float | None = None
    until: date | None = None


class Line(Struct, frozen=True, array_like=True):
    """What is paid for, each month."""

    since: date
    product: str
    plan: str | None = None
    seats: int | None = None
    mrr: float | None = None
    billing: str | None = None
    cancel_asked: date | None = None


class Outcome(Struct, frozen=True, array_like=True):
    """A result that was agreed on; `met` is when it was met, None where that was not known."""

    agreed: date
    due: date | None = None
    met: date | None = None
    about: str | None = None


class Told(Struct, frozen=True):
    """What a source told of an account by the date of its scores, each list the newest first.

    Attributes
    ----------
    events, lines, outcomes, reviews, touches
        The newest of each; `all` says how many there are.
    ended
        When what it paid for ended last.
    renewed
        The newest end of a signed term that lies before the date, of what runs or ran.
    before_at, before
        A date about a month before, and what the numbers of the account's reasons were then, by
        feature; None and nothing where no table of that time is kept.
    all
        How many there are of each in all, those that are not here too; no key where there is none.
    absent
        The source's tables that it does not have: nothing is known of what they would tell.
    """

    events: tuple[Event, ...] = ()
    lines: tuple[Line, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    reviews: tuple[Event, ...] = ()
    touches: tuple[Event, ...] = ()
    ended: date | None = None
    renewed: date | None = None
    before_at: date | None = None
    before: dict[str, float] = {}
    all: dict[str, int] = {}
    absent: tuple[str, ...] = ()


Erased = Callable[[Sequence[str]], frozenset[str]]
TO_JSON = msgspec.json.Encoder()
FROM_JSON = msgspec.json.Decoder(Told)


@dataclass(frozen=True)
class Group:
    """The customer group of an account, as far as somebody may see it.

    Attributes
    ----------
    members
        The largest of those that may be seen: account_id, name, arr, status, expected_loss, and
        ``stands``: "this", "parent", "child" or "other".
    accounts
        How many may be seen. That there are more is not told, so that no book tells of another.
    arr, expected_loss
        Sums over those that may be seen; None where none of them has such a number.
    unscored
        How many of those have no expected loss.
    """

    members: tuple[Row, ...]
    accounts: int
    arr: float | None
    expected_loss: float | None
    unscored: int


def nobody_of(_account_ids: Sequence[str]) -> frozenset[str]:
    """Give none: nobody was erased."""
    return frozenset()


def told_of(store: Store, publication: int, account_id: str) -> Told | None:
    """Give what a source told of an account; None where that is not kept."""
    pages = tables.account_pages
    query = sa.select(pages.c.told).where(
        pages.c.publication == publication, pages.c.account_id == account_id
    )
    with store.reading() as connection:
        text = connection.execute(query).scalar()
    return None if text is None else FROM_JSON.decode(text)


def past_of(store: Store, publication: Publication, account_id: str) -> list[Row]:
    """Give an account's scores at the list's horizon, by date; of one date what was told last.

    Those of the newest `MOST_PUBLICATIONS` dates up to that of the one in service.
    """
    scores, published = tables.scores, tables.publications
    of_date = sa.select(sa.func.max(published.c.number)).where(
        published.c.as_of < publication.as_of
    )
    query = (
        sa.select(
            scores.c.model,
            scores.c.status,
            scores.c.probability,
            scores.c.model_version,
            scores.c.reasons,
            published.c.as_of,
        )
        .join(published, published.c.number == scores.c.publication)
        .where(
            scores.c.account_id == account_id,
            scores.c.horizon_days == publication.list_horizon_days,
            scores.c.publication.in_(of_date.group_by(published.c.as_of))
            | (scores.c.publication == publication.number),
        )
        .order_by(*NEWEST_FIRST, scores.c.model)
    )
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    dates = sorted({row["as_of"] for row in rows})[-MOST_PUBLICATIONS:]
    return [row for row in reversed(rows) if row["as_of"] in dates]


def terms_ended(store: Store, publication: Publication, account_id: str) -> list[datetime]:
    """Give the ends of terms that earlier publications told of and that have passed, by time."""
    renewals, published = tables.published_renewals, tables.publications
    query = (
        sa.select(renewals.c.renewal_date)
        .join(published, published.c.number == renewals.c.publication)
        .where(
            renewals.c.account_id == account_id,
            renewals.c.renewal_date < publication.as_of,
            published.c.as_of <= publication.as_of,
        )
        .distinct()
        .order_by(renewals.c.renewal_date)
    )
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


def products_of(store: Store, publication: int, account_id: str) -> list[str]:
    """Give the products that an account pays for, in order."""
    kept = tables.listed_products
    query = sa.select(kept.c.product).where(
        kept.c.publication == publication, kept.c.account_id == account_id
    )
    with store.reading() as connection:
        return list(connection.execute(query.order_by(kept.c.product)).scalars())


def listed_of(store: Store, publication: int, account_id: str) -> Row | None:
    """Give what the work list says of an account; None where that is not kept."""
    listed, details = tables.listed_accounts, tables.listed_details
    same = sa.and_(
        details.c.publication == listed.c.publication, details.c.account_id == listed.c.account_id
    )
    told = [details.c[name] for name in ("play", "change_text", "signal_text", "weekly_use")]
    query = sa.select(listed, *told).join(details, same, isouter=True)
    query = query.where(listed.c.publication == publication, listed.c.account_id == account_id)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def group_of(
    store: Store, publication: int, of: Row, books: Books, erased: Erased = nobody_of
) -> Group | None:
    """Give the group of an account; None where it stands alone in the books.

    Parameters
    ----------
    of
        The account's own row, as `serving.store.lookup.account` gives it.
    erased
        Asked once the rows are read: gives those of some accounts that were erased meanwhile.
    """
    if of["customer_group"] is None:
        return None
    accounts, pages = tables.published_accounts, tables.account_pages
    same = sa.and_(
        pages.c.publication == accounts.c.publication, pages.c.account_id == accounts.c.account_id
    )
    names = ("account_id", "name", "csm", "arr", "status", "expected_loss")
    query = sa.select(*(accounts.c[name] for name in names), pages.c.parent_account_id)
    query = query.join(pages, same, isouter=True).where(
        accounts.c.publication == publication,
        accounts.c.customer_group == of["customer_group"],
    )
    with store.reading() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    gone = erased([row["account_id"] for row in found])
    rows = [row for row in found if row["account_id"] not in gone]
    return _group(rows, of["account_id"], books)


def _group(rows: Sequence[Row], account_id: str, books: Books) -> Group | None:
    own = next((row for row in rows if row["account_id"] == account_id), None)
    seen = [row for row in rows if books is None or row["csm"] in books]
    if own is None or len(seen) < 2:  # noqa: PLR2004 - two
        return None
    for row in seen:
        row["stands"] = _stands(row, own)
    order = ("this", "parent", "child", "other")
    seen.sort(key=lambda row: (order.index(row["stands"]), -(row["arr"] or 0), row["account_id"]))
    return Group(
        members=tuple(seen[:MOST_MEMBERS]),
        accounts=len(seen),
        arr=_sum(seen, "arr"),
        expected_loss=_sum(seen, "expected_loss"),
        unscored=sum(row["expected_loss"] is None for row in seen),
    )


def _stands(row: Row, own: Row) -> str:
    if row["account_id"] == own["account_id"]:
        return "this"
    if row["account_id"] == own["parent_account_id"]:
        return "parent"
    return "child" if row["parent_account_id"] == own["account_id"] else "other"


def _sum(rows: Sequence[Row], name: str) -> float | None:
    known: list[Any] = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None
