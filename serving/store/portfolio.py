"""What a lead asks of the team's books: sums, which are the database's affair."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from serving.scoring.retention import Stakes
from serving.store import tables
from serving.store.database import Store
from serving.store.listing import (
    IS_SCORED,
    LISTED,
    OF_TAB,
    STATE_OF_KIND,
    snoozed,
)
from serving.store.lookup import Books, Row
from serving.store.said import REMEMBERED
from serving.store.touches import touches_told

MONTHS_A_YEAR = 12
MONTHS_A_QUARTER = 3
QUARTER = timedelta(days=91)
ABOUT_A_QUARTER = (timedelta(days=77), timedelta(days=105))
WEEK = timedelta(days=7)
BANDS = ("high", "medium", "low")
GREW, SHRANK = 1.1 - 1e-9, 0.9 + 1e-9
"""By so much the ARR has to change, as in docs/definitions.md; 110 is a tenth above 100."""
MOST_UNTOUCHED = 50
JUDGED = frozenset(kind for kind, state in STATE_OF_KIND.items() if state == "resolved")
"""What somebody who looked at an account says of it: as long as it stands, it counts as touched."""
THEN, NOW = LISTED.alias("then"), LISTED.alias("now")


@dataclass(frozen=True)
class InBooks:
    """Accounts of a publication: those of some books; None: all."""

    publication: int
    books: Books


@dataclass(frozen=True)
class Past:
    """A publication whose list is kept: its number, and its date, naive UTC."""

    number: int
    as_of: datetime


def erased(store: Store) -> int:
    """Give how many rows of publications were erased: what was read before may hold one of them."""
    with store.reading() as connection:
        query = sa.select(_sum(tables.published_erasures.c.accounts))
        return int(connection.execute(query).scalar_one())


def standing(store: Store, of: InBooks) -> dict[str, Row]:
    """Give by status how many accounts there are, and their ARR."""
    columns = (LISTED.c.status, sa.func.count().label("accounts"), _arr())
    query = _kept(sa.select(*columns), of).group_by(LISTED.c.status)
    with store.reading() as connection:
        rows = connection.execute(query).mappings()
        return {row["status"]: dict(row) for row in rows}


def by_quarter(store: Store, of: InBooks) -> dict[tuple[int, int] | None, dict[str, Row]]:
    """Give ARR and number of scored accounts by the quarter of their renewal and by band.

    Accounts without a term stand under None, after the quarters, which are (year, 1 to 4).
    """
    months = [sa.extract(part, LISTED.c.renewal_date).label(part) for part in ("year", "month")]
    columns = (*months, LISTED.c.band, sa.func.count().label("accounts"), _arr())
    query = _kept(sa.select(*columns), of).where(IS_SCORED)
    query = query.group_by("year", "month", LISTED.c.band)
    found: dict[tuple[int, int] | None, dict[str, Row]] = {}
    with store.reading() as connection:
        for row in connection.execute(query).mappings():
            bands = found.setdefault(_quarter(row["year"], row["month"]), {})
            cell = bands.setdefault(row["band"], {"accounts": 0, "arr": 0.0})
            cell["accounts"] += row["accounts"]
            cell["arr"] += row["arr"]
    return {key: found[key] for key in sorted(found, key=lambda key: key or (9999, 0))}


def _quarter(year: float | None, month: float | None) -> tuple[int, int] | None:
    if year is None or month is None:
        return None
    return int(year), (int(month) + MONTHS_A_QUARTER - 1) // MONTHS_A_QUARTER


def stakes(store: Store, of: InBooks, horizon_days: int) -> Stakes:
    """Give what hangs on each scored account at a horizon, for `scoring.retention`."""
    leaves, grows = tables.scores.alias("leaves"), tables.scores.alias("grows")
    accounts = tables.published_accounts
    is_same = sa.and_(
        accounts.c.publication == LISTED.c.publication,
        accounts.c.account_id == LISTED.c.account_id,
    )
    columns = (LISTED.c.arr, leaves.c.probability, grows.c.probability, grows.c.expected_added_mrr)
    customer = sa.func.coalesce(accounts.c.customer_group, LISTED.c.account_id)
    query = (
        sa.select(*columns, customer)
        .join(leaves, _scored_by(leaves, "churn", horizon_days))
        .join(grows, _scored_by(grows, "expansion", horizon_days), isouter=True)
        .join(accounts, is_same, isouter=True)
        .where(IS_SCORED, LISTED.c.arr.is_not(None), leaves.c.probability.is_not(None))
        .order_by(LISTED.c.account_id)  # the same draws for the same account
    )
    with store.reading() as connection:
        found = connection.execute(_kept(query, of)).all()
    rows = np.array([[value or 0.0 for value in row[:4]] for row in found], dtype=float)
    arr, leaving, growing, added = rows.reshape(-1, 4).T
    place: dict[str, int] = {}
    customers = [place.setdefault(row[4], len(place)) for row in found]
    return Stakes(arr, leaving, growing, added * MONTHS_A_YEAR, np.array(customers, dtype=np.intp))


def _scored_by(scores: Any, model: str, horizon_days: int) -> "ColumnElement[bool]":  # noqa: ANN401 - an alias of a table
    return sa.and_(
        scores.c.publication == LISTED.c.publication,
        scores.c.account_id == LISTED.c.account_id,
        scores.c.model == model,
        scores.c.horizon_days == horizon_days,
    )


def loads(store: Store, of: InBooks, accounts_a_csm: Mapping[str, int]) -> list[Row]:
    """Give by CSM how much there is to look after, the most first.

    Returns
    -------
    list
        csm, accounts that have not ended, and as parts of one capacity: whole (all of them), on
        (those on the list); how many are on the list and how many stand below its capacity, with
        the expected loss of these.
    """
    parts = sa.case({tier: 1 / most for tier, most in accounts_a_csm.items()}, value=LISTED.c.tier)
    is_on, is_below = OF_TAB["risk"], LISTED.c.why_not == "below_capacity"
    query = sa.select(
        LISTED.c.csm,
        sa.func.count().label("accounts"),
        _sum(parts).label("whole"),
        _sum(sa.case((is_on, parts))).label("on"),
        _sum(sa.case((is_on, 1))).label("listed"),
        _sum(sa.case((is_below, 1))).label("below"),
        _sum(sa.case((is_below, LISTED.c.expected_loss))).label("loss_below"),
    )
    query = _kept(query, of).where(LISTED.c.status != "inactive").group_by(LISTED.c.csm)
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(rows, key=lambda row: (row["csm"] is None, -row["whole"], row["csm"] or ""))


def pasts(store: Store, as_of: datetime) -> list[Past]:
    """Give the publications whose list is kept, from about a quarter before on, newest first.

    Of one date the last counts.
    """
    published = tables.publications
    of_date = sa.select(sa.func.max(published.c.number)).group_by(published.c.as_of)
    query = (
        sa.select(published.c.number, published.c.as_of)
        .where(published.c.as_of.between(as_of - ABOUT_A_QUARTER[1], as_of), _is_kept())
        .where(published.c.number.in_(of_date))
        .order_by(published.c.as_of.desc())
    )
    with store.reading() as connection:
        return [Past(*row) for row in connection.execute(query)]


def first_kept(store: Store) -> datetime | None:
    """Give the date of the oldest list that is kept."""
    query = sa.select(sa.func.min(tables.publications.c.as_of)).where(_is_kept())
    with store.reading() as connection:
        found: datetime | None = connection.execute(query).scalar()
        return found


def _is_kept() -> "ColumnElement[bool]":
    listed = sa.select(LISTED.c.account_id).correlate(tables.publications)
    return listed.where(LISTED.c.publication == tables.publications.c.number).exists()


def a_quarter_ago(found: list[Past], as_of: datetime) -> Past | None:
    """Give the one nearest to a quarter before, None where none is between 77 and 105 days."""
    least, most = ABOUT_A_QUARTER
    old = [past for past in found if least <= as_of - past.as_of <= most]
    return min(old, key=lambda past: abs(as_of - QUARTER - past.as_of), default=None)


def weekly(found: list[Past], as_of: datetime) -> list[Past]:
    """Give of each week before a date the newest: enough to see who was listed and touched."""
    of_week: dict[int, Past] = {}
    for past in found:
        of_week.setdefault((as_of - past.as_of) // WEEK, past)
    return list(of_week.values())


def first_listed(store: Store, as_of: datetime, found: list[Past]) -> dict[str, datetime]:
    """Give when each account was first listed within the last quarter, in any book.

    Parameters
    ----------
    found
        `pasts`; who was on a list is looked up in one of each week.
    """
    weeks = [past.number for past in weekly(found, as_of) if as_of - past.as_of <= QUARTER]
    published = tables.publications
    query = sa.select(LISTED.c.account_id, sa.func.min(published.c.as_of)).join(
        published, published.c.number == LISTED.c.publication
    )
    query = query.where(LISTED.c.publication.in_(weeks), OF_TAB["risk"])
    with store.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(LISTED.c.account_id))}


@dataclass(frozen=True)
class Untouched:
    """Listed accounts that nobody touched, and said nothing of, since they were first listed.

    Attributes
    ----------
    accounts, snoozed
        How many there are; and how many more, which somebody put off to a day that is to come.
    rows
        Up to 50 of the first, the highest expected loss first, with first_listed.
    """

    accounts: int
    snoozed: int
    rows: list[Row]


def untouched(store: Store, of: InBooks, first: Mapping[str, datetime], now: datetime) -> Untouched:
    """Find the listed accounts that nobody touched since they were first listed.

    Parameters
    ----------
    first
        `first_listed`.
    now
        Naive UTC: what is said of an account stands for 90 days, a snooze until its day.
    """
    query = _with_touches().where(OF_TAB["risk"])
    by = (LISTED.c.expected_loss.desc().nulls_last(), LISTED.c.account_id)
    with store.reading() as connection:
        asleep = set(connection.execute(snoozed(now)).scalars())
        alone = [
            row.account_id
            for row in connection.execute(_kept(query, of).order_by(*by))
            if row.account_id in first and _is_untouched(row, first[row.account_id], now)
        ]
        ids = [one for one in alone if one not in asleep]
        shown = sa.select(LISTED).where(LISTED.c.account_id.in_(ids[:MOST_UNTOUCHED]))
        rows = connection.execute(_kept(shown, of).order_by(*by)).mappings().all()
    found = [{**row, "first_listed": first[row["account_id"]]} for row in rows]
    return Untouched(len(ids), len(alone) - len(ids), found)


def _with_touches() -> "Select[Any]":
    """Select accounts, each with its touches by the source and by feedback, and its judgement."""
    told, judged = touches_told().subquery("told"), touches_told(None, JUDGED).subquery("judged")
    columns = (LISTED.c.account_id, LISTED.c.touched_at, told.c.touched_at.label("told_at"))
    return (
        sa.select(*columns, judged.c.touched_at.label("judged_at"))
        .join(told, told.c.account_id == LISTED.c.account_id, isouter=True)
        .join(judged, judged.c.account_id == LISTED.c.account_id, isouter=True)
    )


def _is_untouched(row: Any, first: datetime, now: datetime) -> bool:  # noqa: ANN401 - a row of the store
    is_judged = row.judged_at is not None and row.judged_at > now - REMEMBERED
    touches = (row.touched_at, row.told_at)
    return not is_judged and all(at is None or at < first for at in touches)


def since_then(
    store: Store, of: InBooks, then: Past, as_of: datetime, found: list[Past]
) -> list[Row]:
    """Count what became of the accounts that were scored then and are in the books now.

    Returns
    -------
    list
        One row for each is_listed (then), is_worked (touched between then and `as_of`) and
        outcome (left, leaving, shrank, there, grew), with the number of accounts.
    """
    between = [past.number for past in weekly(found, as_of) if past.as_of > then.as_of]
    last = sa.func.max(LISTED.c.touched_at).label("touched_at")
    seen = sa.select(LISTED.c.account_id, last).where(LISTED.c.publication.in_(between))
    touched = seen.group_by(LISTED.c.account_id).subquery("touched")
    told = touches_told(as_of).subquery("told")
    worked = (touched.c.touched_at > then.as_of) | (told.c.touched_at > then.as_of)
    each = (
        sa.select(
            sa.case((THEN.c.why_not.is_(None), 1), else_=0).label("is_listed"),
            sa.case((worked, 1), else_=0).label("is_worked"),
            _outcome().label("outcome"),
        )
        .join(NOW, NOW.c.account_id == THEN.c.account_id)
        .join(touched, touched.c.account_id == THEN.c.account_id, isouter=True)
        .join(told, told.c.account_id == THEN.c.account_id, isouter=True)
        .where(THEN.c.publication == then.number, THEN.c.status == "scored")
        .where(NOW.c.publication == of.publication)
    )
    if of.books is not None:
        each = each.where(NOW.c.csm.in_(sorted(of.books)))
    rows = each.subquery()
    query = sa.select(rows, sa.func.count().label("accounts")).group_by(*rows.c)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _outcome() -> "ColumnElement[str]":
    return sa.case(
        (NOW.c.status == "inactive", "left"),
        (NOW.c.status == "leaving", "leaving"),
        (NOW.c.arr >= GREW * THEN.c.arr, "grew"),
        (NOW.c.arr <= SHRANK * THEN.c.arr, "shrank"),
        else_="there",
    )


def _arr() -> "ColumnElement[float]":
    return _sum(LISTED.c.arr).label("arr")


def _sum(column: "ColumnElement[Any]") -> "ColumnElement[Any]":
    return sa.func.coalesce(sa.func.sum(column), 0)


def _kept(query: "Select[Any]", of: InBooks) -> "Select[Any]":
    query = query.where(LISTED.c.publication == of.publication)
    return query if of.books is None else query.where(LISTED.c.csm.in_(sorted(of.books)))
