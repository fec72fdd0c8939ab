"""The accounts of a view of the work list: books, filters and order are the database's affair."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from serving.store import tables
from serving.store.database import Store
from serving.store.lookup import IDS_A_QUERY, Books, Row
from serving.store.said import REMEMBERED, decided_last, said_last
from serving.store.searched import ESCAPE, pattern
from serving.store.view import STATES, TABS, Sort, State, Tab, View

LISTED, DETAILS, PRODUCTS = tables.listed_accounts, tables.listed_details, tables.listed_products
FEEDBACK = tables.feedback
MOST_EXPORTED = 50_000
CHOSEN = ("csm", "tier", "segment", "region", "family")
STATE_OF_KIND: Mapping[str, State] = {
    "contacted": "contacted",
    "play_done": "in_progress",
    "expansion_opened": "in_progress",
    "snoozed": "snoozed",
    "will_renew": "resolved",
    "will_leave": "resolved",
    "expanding": "resolved",
    "score_wrong": "resolved",
    "not_a_risk": "resolved",
    "saved": "resolved",
    "lost": "resolved",
}
PUSHING: frozenset[Tab] = frozenset({"risk", "grow", "watch"})
"""The tabs that a snoozed account is not on until its day, unless the snoozed are asked for."""
SORTS: Mapping[Sort, "sa.Column[Any]"] = {
    "expected_loss": LISTED.c.expected_loss,
    "name": LISTED.c.searched,
    "csm": LISTED.c.csm,
    "tier": LISTED.c.tier,
    "arr": LISTED.c.arr,
    "renewal": LISTED.c.renewal_date,
    "notice": LISTED.c.notice_deadline,
    "probability": LISTED.c.probability,
    "change": LISTED.c.change,
    "renews": LISTED.c.renewal_probability,
    "expansion": LISTED.c.expansion_probability,
    "added": LISTED.c.expected_added_mrr,
    "reason": LISTED.c.family,
    "signal": LISTED.c.signal,
    "why": LISTED.c.why_not,
}
IS_SCORED = LISTED.c.status == "scored"
OF_TAB: Mapping[Tab, "ColumnElement[bool]"] = {
    "risk": IS_SCORED & LISTED.c.why_not.is_(None),
    "grow": IS_SCORED & LISTED.c.expansion_band.in_(["high", "medium"]) & (LISTED.c.band != "high"),
    "leaving": LISTED.c.status == "leaving",
    "watch": IS_SCORED & LISTED.c.signal.is_not(None) & (LISTED.c.band == "low"),
    "all": sa.true(),
}
"""What belongs on each tab; *watch* is what the model does not count as risk yet."""


@dataclass(frozen=True)
class Asked:
    """A view as one person may see it at one time.

    Attributes
    ----------
    publication
        The number of the one in service.
    books
        The CSMs whose accounts are looked at, and no others; None: all accounts.
    now
        Naive UTC.
    day
        What days that are to come are told from; by default that of `now`.
    """

    publication: int
    books: Books
    now: datetime
    view: View
    day: date | None = None

    @property
    def today(self) -> date:
        """What days that are to come are told from."""
        return self.day or self.now.date()


def page(store: Store, asked: Asked) -> list[Row]:
    """Give the rows of the page that is asked for, with their details."""
    view = asked.view
    return _rows(store, asked, view.limit, (view.page - 1) * view.limit)


def whole(store: Store, asked: Asked) -> list[Row]:
    """Give the rows of all pages, up to `MOST_EXPORTED`."""
    return _rows(store, asked, MOST_EXPORTED, 0)


def counts(store: Store, asked: Asked) -> dict[str, int]:
    """Give how many accounts each tab has, by the filters of the view."""
    of_tabs = [
        sa.func.coalesce(sa.func.sum(sa.case((_on(tab, asked), 1), else_=0)), 0).label(tab)
        for tab in TABS
    ]
    with store.reading() as connection:
        return dict(connection.execute(_chosen(sa.select(*of_tabs), asked)).mappings().one())


def choices(store: Store, asked: Asked) -> dict[str, list[str]]:
    """Give what there is to choose from among the accounts of the books, by filter."""
    columns = [LISTED.c[name] for name in CHOSEN]
    query = _of_books(sa.select(*columns), asked).distinct()
    bought = sa.select(PRODUCTS.c.product).join(LISTED, _same(PRODUCTS))
    with store.reading() as connection:
        found = [set(values) for values in zip(*connection.execute(query), strict=True)]
        products = connection.execute(_of_books(bought, asked).distinct()).scalars()
        said = dict(zip(CHOSEN, found or [set()] * len(CHOSEN), strict=True))
        said["product"] = set(products)
    return {name: sorted(value for value in values if value) for name, values in said.items()}


@dataclass(frozen=True)
class Choices:
    """What there is to choose from, remembered while a publication is in service: it is the same.

    Attributes
    ----------
    most
        When so many books are remembered, all are let go.
    """

    store: Store
    most: int = 200
    _found: dict[tuple[int, Books], dict[str, list[str]]] = field(default_factory=dict, repr=False)

    def of(self, asked: Asked) -> dict[str, list[str]]:
        """Give what `choices` gives."""
        key = (asked.publication, asked.books)
        known = self._found.get(key)  # other threads look, and let go, at the same time
        if known is not None:
            return known
        found = choices(self.store, asked)
        before = list(self._found)
        if len(before) >= self.most or any(number != key[0] for number, _ in before):
            self._found.clear()
        self._found[key] = found
        return found


def is_laid_out(store: Store, publication: int) -> bool:
    """Tell whether a publication has rows for the list: older releases wrote none."""
    query = sa.select(LISTED.c.account_id).where(LISTED.c.publication == publication).limit(1)
    with store.reading() as connection:
        return connection.execute(query).first() is not None


def _rows(store: Store, asked: Asked, limit: int, offset: int) -> list[Row]:
    query = _chosen(sa.select(LISTED), asked).where(_on(asked.view.tab, asked))
    ordered = query.order_by(*_order(store, asked)).limit(limit).offset(offset)
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(ordered).mappings()]
        ids = [row["account_id"] for row in rows]
        details = _details(connection, asked.publication, ids)
        told = _states(connection, asked.now, ids)
    return [
        {**row, **details[row["account_id"]], **NEW, **told.get(row["account_id"], {})}
        for row in rows
    ]


NEW: Mapping[str, Any] = {
    "state": "new",
    "state_since": None,
    "snoozed_until": None,
    "said": None,
    "decision": None,
}


def _on(tab: Tab, asked: Asked) -> "ColumnElement[bool]":
    """Tell what is on a tab: those that push leave out who is snoozed."""
    if tab not in PUSHING or asked.view.state == "snoozed":
        return OF_TAB[tab]
    return OF_TAB[tab] & LISTED.c.account_id.not_in(snoozed(asked.now))


def snoozed(now: datetime) -> "Select[Any]":
    """Select the accounts that are snoozed: the last that was said of them, and before its day."""
    later = FEEDBACK.alias()
    overruled = sa.select(later.c.feedback_id).where(
        later.c.account_id == FEEDBACK.c.account_id,
        later.c.feedback_id > FEEDBACK.c.feedback_id,
        _counts(later, now),
    )
    is_snooze = FEEDBACK.c.until > now, FEEDBACK.c.withdrawn_at.is_(None)
    is_last = ~overruled.correlate(FEEDBACK).exists()
    return sa.select(FEEDBACK.c.account_id).where(*is_snooze, is_last)


def snoozes_of(store: Store, now: datetime, account_ids: Sequence[str]) -> dict[str, datetime]:
    """Give until when accounts are snoozed, of those among some that are."""
    found: dict[str, datetime] = {}
    with store.reading() as connection:
        for some in _chunks(account_ids):
            last = _newest(now).where(FEEDBACK.c.account_id.in_(some))
            query = sa.select(FEEDBACK.c.account_id, FEEDBACK.c.until).where(
                FEEDBACK.c.feedback_id.in_(last.group_by(FEEDBACK.c.account_id)),
                FEEDBACK.c.until.is_not(None),
            )
            found |= {row.account_id: row.until for row in connection.execute(query)}
    return found


def _chosen(query: "Select[Any]", asked: Asked) -> "Select[Any]":
    """Keep to the books and the filters of a view, but not to its tab."""
    return _of_books(query, asked).where(*_filters(asked))


def _filters(asked: Asked) -> Iterator["ColumnElement[bool]"]:
    view = asked.view
    for name in (*CHOSEN, "why_not"):
        if (value := getattr(view, name)) is not None:
            yield LISTED.c[name] == value
    yield from _within(LISTED.c.renewal_date, view.renews, asked.today)
    yield from _within(LISTED.c.notice_deadline, view.notice, asked.today)
    for word in (view.q or "").split():
        yield LISTED.c.searched.like(pattern(word), escape=ESCAPE)
    if view.product is not None:
        bought = sa.select(PRODUCTS.c.account_id).where(PRODUCTS.c.product == view.product)
        yield bought.where(_same(PRODUCTS)).correlate(LISTED).exists()
    if view.state is not None:
        yield sa.case(STATE_OF_KIND, value=_kind(asked.now), else_=STATES[0]) == view.state


def _within(
    column: "ColumnElement[Any]", days: int | None, day: date
) -> Iterator["ColumnElement[bool]"]:
    if days is not None:
        today = datetime.combine(day, time.min)
        yield column.between(today, today + timedelta(days=days))


def _of_books(query: "Select[Any]", asked: Asked) -> "Select[Any]":
    query = query.where(LISTED.c.publication == asked.publication)
    if asked.books is None:
        return query
    return query.where(LISTED.c.csm.in_(sorted(asked.books)))


def _same(other: sa.Table) -> "ColumnElement[bool]":
    return sa.and_(
        other.c.publication == LISTED.c.publication, other.c.account_id == LISTED.c.account_id
    )


def _order(store: Store, asked: Asked) -> Iterator["ColumnElement[Any]"]:
    """Order by a column, nulls last either way, and equal ones by id."""
    view, is_server = asked.view, store.engine.dialect.name != "sqlite"
    column = _place(asked.now) if view.sorted_by == "state" else SORTS[view.sorted_by]
    is_text = isinstance(column.type, sa.String)
    by = sa.collate(column, "C") if is_server and is_text else column
    yield (by.asc() if view.is_rising else by.desc()).nulls_last()
    yield sa.collate(LISTED.c.account_id, "C") if is_server else LISTED.c.account_id


def _place(now: datetime) -> "ColumnElement[int]":
    places = {kind: STATES.index(state) for kind, state in STATE_OF_KIND.items()}
    return sa.case(places, value=_kind(now), else_=0)


def _kind(now: datetime) -> "ColumnElement[str]":
    """Give the kind of an account's newest feedback that says how far somebody is with it."""
    newest = _newest(now).where(FEEDBACK.c.account_id == LISTED.c.account_id)
    kinds = FEEDBACK.alias()
    kind = sa.select(kinds.c.kind)
    return (
        kind.where(kinds.c.feedback_id == newest.correlate(LISTED).scalar_subquery())
        .correlate(LISTED)
        .scalar_subquery()
    )


def _newest(now: datetime) -> "Select[Any]":
    return sa.select(sa.func.max(FEEDBACK.c.feedback_id)).where(_counts(FEEDBACK, now))


def _counts(told: "sa.FromClause", now: datetime) -> "ColumnElement[bool]":
    """Tell which feedback says how far somebody is; a snooze that is over never was."""
    return sa.and_(
        told.c.kind.in_(STATE_OF_KIND),
        told.c.recorded_at > now - REMEMBERED,
        told.c.withdrawn_at.is_(None),
        sa.or_(told.c.until.is_(None), told.c.until > now),
    )


def _states(connection: sa.Connection, now: datetime, account_ids: Sequence[str]) -> dict[str, Row]:
    """Give how far somebody is with accounts, what was said last of them, and what was decided."""
    told = sa.select(FEEDBACK.c.account_id, FEEDBACK.c.kind, FEEDBACK.c.recorded_at)
    told = told.add_columns(FEEDBACK.c.until)
    found: dict[str, Row] = {}
    for some in _chunks(account_ids):
        decided = decided_last(connection, now, some)
        for account_id, said in said_last(connection, now, some).items():
            found[account_id] = {"said": said}
        for account_id, decision in decided.items():
            found.setdefault(account_id, {})["decision"] = decision
        newest = _newest(now).where(FEEDBACK.c.account_id.in_(some)).group_by(FEEDBACK.c.account_id)
        for row in connection.execute(told.where(FEEDBACK.c.feedback_id.in_(newest))):
            found.setdefault(row.account_id, {}).update(
                state=STATE_OF_KIND[row.kind], state_since=row.recorded_at, snoozed_until=row.until
            )
    return found


def _details(
    connection: sa.Connection, publication: int, account_ids: Sequence[str]
) -> dict[str, Row]:
    shown = [column for column in DETAILS.c if column.name not in {"publication", "effects"}]
    found: dict[str, Row] = {}
    for some in _chunks(account_ids):
        query = sa.select(*shown).where(
            DETAILS.c.publication == publication, DETAILS.c.account_id.in_(some)
        )
        for row in connection.execute(query).mappings():
            weeks = row["weekly_use"]
            used = None if weeks is None else json.loads(weeks)
            found[row["account_id"]] = {**row, "weekly_use": used}
    return found


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[first : first + IDS_A_QUERY] for first in range(0, len(ids), IDS_A_QUERY))
