"""What became of lists, over a company written by hand, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from serving.api.feedback import Feedback, record, withdraw
from serving.publishing.listing import write_listing
from serving.store import tables
from serving.store.database import Store, open_store
from serving.store.portfolio import (
    InBooks,
    Past,
    a_quarter_ago,
    by_quarter,
    first_kept,
    first_listed,
    loads,
    pasts,
    since_then,
    untouched,
    weekly,
)

TODAY = datetime(2026, 6, 1)  # noqa: DTZ001 - times are naive UTC everywhere
DAYS_AGO = (200, 110, 90, 80, 40, 7, 0)
"""When a publication was made; the oldest has no list."""
OURS = InBooks(7, frozenset({"Ann"}))
ALL = InBooks(7, None)
# `then` is 110 and 90 days ago, `between` 80, 40 and 7; `was_on` and `is_on` are last touches.
LISTED = """
    account_id csm then_csm tier then     between  now      then_arr arr loss was_on     is_on
    left       Ann Ann      high listed   listed   inactive 100      0   -    -          -
    worked     Ann Ann      high listed   listed   inactive 100      0   -    2026-04-15 -
    asked      Ann Ann      mid  listed   listed   leaving  100      100 -    -          -
    grew       Ann Ann      mid  listed   listed   listed   100      110 5    -          2026-05-20
    shrank     Ann Ann      high listed   listed   listed   100      90  9    -          -
    told       Ann Ann      high listed   off      listed   100      100 7    -          -
    before     Ann Ann      mid  listed   listed   listed   100      100 3    2026-01-05 2026-01-05
    quiet      Ann Ann      tech off      off      off      100      100 1    -          -
    gone       Ann Ann      tech off      off      inactive 100      0   -    -          -
    late       Ann Ann      high no_data  off      listed   100      100 4    -          -
    moved      Bob Ann      high listed   listed   listed   100      100 8    -          -
"""
COLUMNS = {
    column.name: None
    for table in (tables.listed_accounts, tables.listed_details)
    for column in table.columns
}


def listed() -> list[dict[str, Any]]:
    first, *rest = [line.split() for line in LISTED.strip().splitlines()]
    cells = ([None if cell == "-" else cell for cell in line] for line in rest)
    return [dict(zip(first, line, strict=True)) for line in cells]


def row_of(row: dict[str, Any], state: str, **values: Any) -> dict[str, Any]:
    known = {"status": "scored", "why_not": "below_capacity"} if state in {"listed", "off"} else {}
    known = known or {"status": state, "why_not": "ended"}
    if state == "listed":
        known["why_not"] = None
    found = {"account_id": row["account_id"], "tier": row["tier"], **known, **values}
    return {**COLUMNS, "band": "high", "expected_loss": row["loss"] and float(row["loss"]), **found}


def rows_of(table: list[dict[str, Any]], when: str) -> list[dict[str, Any]]:
    touched = "is_on" if when == "now" else "was_on"
    rows = []
    for row in table:
        at = row[touched] and datetime.fromisoformat(row[touched])
        csm, arr = ("csm", "arr") if when == "now" else ("then_csm", "then_arr")
        told = {"csm": row[csm], "arr": float(row[arr]), "touched_at": at}
        rows.append(row_of(row, row[when], **told))
    return rows


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(
    request: pytest.FixtureRequest,
    new_store_url: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Store]:
    table, none = listed(), pd.DataFrame(columns=["account_id", "product"])
    with new_store_url(request.param, tmp_path_factory.mktemp("store")) as url:
        store = open_store(url)
        with store.writing() as connection:
            for number, days in enumerate(DAYS_AGO, 1):
                about = dict.fromkeys(
                    ("as_of", "scored_at", "published_at"), TODAY - timedelta(days)
                )
                about |= {"list_horizon_days": 90, "currency": "EUR", "accounts": len(table)}
                connection.execute(sa.insert(tables.publications), [about])
                when = "now" if days == 0 else "then" if days >= 90 else "between"
                if days < 200:
                    write_listing(connection, number, rows_of(table, when), none)
        for days, (account_id, kind) in enumerate([("told", "contacted"), ("left", "other")]):
            told = Feedback(account_id, kind, None, account_id)
            record(store, told, "token", TODAY - timedelta(30 + days))
        record(store, Feedback("asked", "contacted", None, "late"), "token", TODAY + timedelta(1))
        yield store
        store.close()


def test_the_list_nearest_to_a_quarter_before_counts(store: Store) -> None:
    found = pasts(store, TODAY)
    assert [past.number for past in found] == [7, 6, 5, 4, 3]
    assert a_quarter_ago(found, TODAY) == Past(3, TODAY - timedelta(90))
    assert a_quarter_ago(found[:3], TODAY) is None
    assert first_kept(store) == TODAY - timedelta(110)


def test_of_each_week_the_newest_list_counts() -> None:
    found = [Past(9 - days, TODAY - timedelta(days)) for days in (0, 1, 6, 7, 8)]
    assert [past.number for past in weekly(found, TODAY)] == [9, 2]


def test_what_became_of_a_list_is_counted_by_who_was_touched_since(store: Store) -> None:
    found = pasts(store, TODAY)
    then = a_quarter_ago(found, TODAY)
    assert then is not None
    counted = since_then(store, OURS, then, TODAY, found)
    told = {
        (row["is_listed"], row["is_worked"], row["outcome"]): row["accounts"] for row in counted
    }
    assert told == {
        (1, 0, "left"): 1,  # what is told of it is no touch
        (1, 1, "left"): 1,  # touched before it left, as an earlier list has it
        (1, 0, "leaving"): 1,  # contacted after these scores only
        (1, 1, "grew"): 1,
        (1, 0, "shrank"): 1,
        (1, 1, "there"): 1,  # by feedback
        (1, 0, "there"): 1,  # touched before that list only
        (0, 0, "there"): 1,
        (0, 0, "left"): 1,
    }
    everybody = since_then(store, ALL, then, TODAY, found)
    assert sum(row["accounts"] for row in everybody) == 10  # with who moved to Bob's book


def test_who_is_listed_and_untouched_since_first_listed_is_found(store: Store) -> None:
    first = first_listed(store, TODAY, pasts(store, TODAY))
    found = untouched(store, OURS, first, TODAY)
    assert [row["account_id"] for row in found.rows] == ["shrank", "late", "before"]
    assert (found.accounts, found.snoozed) == (3, 0)
    since = {row["account_id"]: (TODAY - row["first_listed"]).days for row in found.rows}
    assert since == {"shrank": 90, "late": 0, "before": 90}
    assert untouched(store, ALL, first, TODAY).accounts == 4


@pytest.mark.parametrize(
    ("kind", "left", "snoozed"),
    [
        ("saved", 2, 0),
        ("not_a_risk", 2, 0),
        ("will_leave", 2, 0),
        ("contacted", 2, 0),
        ("snoozed", 2, 1),
        ("unsure", 3, 0),
    ],
)
def test_what_was_said_of_an_account_counts_until_it_is_withdrawn(
    store: Store, kind: str, left: int, snoozed: int
) -> None:
    first = first_listed(store, TODAY, pasts(store, TODAY))
    until = TODAY + timedelta(9) if kind == "snoozed" else None
    told = Feedback("shrank", kind, None, kind, until)
    number = record(store, told, "token", TODAY - timedelta(1)).feedback_id
    found = untouched(store, OURS, first, TODAY)
    later = untouched(store, OURS, first, TODAY + timedelta(90))
    assert withdraw(store, number, "token", TODAY)
    assert (found.accounts, found.snoozed) == (left, snoozed)
    assert later.accounts == (2 if kind == "contacted" else 3)  # what is said stands for 90 days
    assert untouched(store, OURS, first, TODAY).accounts == 3


def test_load_is_of_who_has_not_ended(store: Store) -> None:
    (ann,) = loads(store, OURS, {"high": 25, "mid": 150})
    assert (ann["accounts"], ann["listed"], ann["below"], ann["loss_below"]) == (7, 5, 1, 1.0)
    assert ann["whole"] == pytest.approx(3 / 25 + 3 / 150)
    assert ann["on"] == pytest.approx(3 / 25 + 2 / 150)
    assert [row["csm"] for row in loads(store, ALL, {"high": 25})] == ["Ann", "Bob"]


def test_books_without_accounts_are_empty(store: Store) -> None:
    nobody = InBooks(7, frozenset())
    assert (by_quarter(store, nobody), loads(store, nobody, {"high": 25})) == ({}, [])
