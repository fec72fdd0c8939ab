"""What accounts' pages show of their past, gathered beside the scores and written with them."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection

from features.account_events import ENDED, KINDS, REVIEW, TOUCH, newest_events
from features.checked import CheckedSource
from features.contracts import TABLES
from features.groups import memberships
from features.known_rows import OF, newest_rows
from features.windows import day_number
from serving.publishing.own_past import OwnPast
from serving.publishing.publication import NEWEST_FIRST
from serving.store import tables
from serving.store.account_page import TO_JSON, Event, Line, Outcome, Told

MOST_EVENTS, MOST_LINES, MOST_OTHERS = 50, 30, 20
LONGEST_TEXT = 200
PUBLICATIONS_KEPT = 3
"""So many publications, those of the newest dates, keep their pages: they are large."""
COLUMNS = ("account_id", "parent_account_id", "told")
_LINE = ("started_at", "product", "plan", "seats", "mrr", "billing", "cancel_requested_at")
_TERM = ("started_at", "renews_at", "term_months", "ended_at")
_OUTCOME = ("agreed_at", "due_at", "achieved_at", "description")
_READ = frozenset({*(kind.table for kind in KINDS), "usage_events"})

Make = Callable[..., Any]


def account_pages(
    source: CheckedSource, states: pd.DataFrame, past: OwnPast | None = None
) -> pd.DataFrame:
    """Gather what the source told of each account by the date of its scores.

    Parameters
    ----------
    states
        `features.spine.account_states` of one date.
    past
        What the numbers of the reasons were before; None where nobody knows.

    Returns
    -------
    pandas.DataFrame
        One row per account: `COLUMNS`; told is the JSON of `serving.store.account_page.Told`.
    """
    as_of = states["as_of"].iloc[0].to_pydatetime()
    parents = _parents(source, day_number(as_of))
    ended = (
        newest_events(source, as_of, 1, (ENDED,)).set_index("account_id")["at"].dt.date.to_dict()
    )
    renewed, lists = _last_terms(source, as_of), _lists(source, as_of)
    numbers = past.numbers if past else {}
    counts = {name: _counts(frame) for name, (frame, _) in lists.items()}
    told = {name: _grouped(frame, make) for name, (frame, make) in lists.items()}
    absent = tuple(name for name in TABLES if name in _READ and not source.has(name))
    rows = []
    for one in states["account_id"].tolist():
        own = {name: by_account[one] for name, by_account in told.items() if one in by_account}
        many = {name: by_account[one] for name, by_account in counts.items() if one in by_account}
        page = Told(
            **own,
            ended=ended.get(one),
            renewed=renewed.get(one),
            before_at=past.at if past and one in numbers else None,
            before=numbers.get(one, {}),
            all=many,
            absent=absent,
        )
        rows.append((one, parents.get(one), TO_JSON.encode(page).decode()))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def _lists(source: CheckedSource, as_of: datetime) -> dict[str, tuple[pd.DataFrame, Make]]:
    """Give the newest of each kind of list, and what its rows become."""
    running = newest_rows(source, "subscriptions", _LINE, as_of, MOST_LINES, without="ended_at")
    return {
        "events": (newest_events(source, as_of, MOST_EVENTS), Event),
        "reviews": (newest_events(source, as_of, MOST_OTHERS, (REVIEW,)), Event),
        "touches": (newest_events(source, as_of, MOST_OTHERS, (TOUCH,)), Event),
        "outcomes": (newest_rows(source, "outcomes", _OUTCOME, as_of, MOST_OTHERS), Outcome),
        "lines": (running.astype({"seats": "Int64"}), Line),
    }


def _last_terms(source: CheckedSource, as_of: datetime) -> dict[str, date]:
    """Give by account the newest end of a signed term that lies before a date, where it has one.

    A row tells one end. Of a term that still runs it is the next one, and the one before it lies a
    term's length earlier: no end, if the row began later. That of a row that ended counts where the
    row ran until then.
    """
    rows = newest_rows(source, "subscriptions", _TERM, as_of, MOST_LINES)
    rows = rows.dropna(subset="renews_at")
    is_ahead = rows["renews_at"] >= as_of
    ends = [rows[~is_ahead]]
    for months in rows.loc[is_ahead, "term_months"].dropna().unique():
        ahead = rows[is_ahead & (rows["term_months"] == months)]
        before = ahead["renews_at"] - pd.DateOffset(months=int(months))
        ends.append(ahead.assign(renews_at=before))
    found = pd.concat(ends)
    end, ended = found["renews_at"], found["ended_at"]
    is_there = ended.isna() | (ended >= end.dt.normalize())
    found = found[is_there & (end > found["started_at"]) & (end < as_of)]
    last: dict[str, date] = found.groupby("account_id")["renews_at"].max().dt.date.to_dict()
    return last


def _parents(source: CheckedSource, day: int) -> dict[str, str]:
    """Give the direct parents that were known at a snapshot, by account."""
    return {
        each.account_id: each.parent
        for each in memberships(source)
        if each.enters <= day < each.leaves and each.parent not in (None, each.account_id)
    }


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    first = frame.drop_duplicates("account_id")
    return dict(zip(first["account_id"], map(int, first[OF]), strict=True))


def _grouped(frame: pd.DataFrame, make: Make) -> dict[str, tuple[Any, ...]]:
    """Give each account's rows, as what they become."""
    cells = [_plain(frame[name]) for name in frame if name not in ("account_id", OF)]
    made: dict[str, list[Any]] = {}
    for account_id, *row in zip(frame["account_id"], *cells, strict=True):
        made.setdefault(account_id, []).append(make(*row))
    return {account_id: tuple(rows) for account_id, rows in made.items()}


def _plain(column: pd.Series) -> list[Any]:
    """Give Python's values, of times the days, and None for what is not there."""
    is_time = pd.api.types.is_datetime64_any_dtype(column)
    objects = (column.dt.date if is_time else column).astype(object)
    cells = objects.where(column.notna(), None).tolist()
    return [cell[:LONGEST_TEXT] if isinstance(cell, str) else cell for cell in cells]


def no_pages() -> pd.DataFrame:
    """Give no rows of `account_pages`."""
    return pd.DataFrame(columns=list(COLUMNS))


def write_pages(connection: Connection, number: int, pages: pd.DataFrame) -> None:
    """Write a publication's pages in the transaction of its scores, and drop those of old ones."""
    kept = tables.account_pages
    rows = [
        {"publication": number, "account_id": one, "parent_account_id": parent, "told": told}
        for one, parent, told in pages[list(COLUMNS)].itertuples(index=False, name=None)
    ]
    if rows:
        connection.execute(sa.insert(kept), rows)
    newest = sa.select(tables.publications.c.number).order_by(*NEWEST_FIRST)
    numbers = list(connection.execute(newest.limit(PUBLICATIONS_KEPT)).scalars())
    connection.execute(sa.delete(kept).where(kept.c.publication.not_in(numbers)))
