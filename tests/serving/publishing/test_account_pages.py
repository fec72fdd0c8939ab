"""What an account's page is made of: counted by hand, by plain SQL, and kept for a while only."""

import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from features.checked import CheckedSource
from features.home import Home
from features.spine import account_states
from features.tombstones import bury
from models.bundle import Bundle
from serving.publishing.account_pages import MOST_EVENTS, PUBLICATIONS_KEPT, account_pages
from serving.publishing.own_past import OwnPast
from serving.publishing.publish import Scored, publish, without_erased
from serving.store import tables
from serving.store.account_page import FROM_JSON, Event, Line, Outcome, Told
from serving.store.database import Store

Company = Callable[..., CheckedSource]
AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
TABLES = {
    "accounts": """
        account_id  created_at parent_account_id
        a           2025-01-01 -
        b           2025-01-01 a
        c           2025-01-01 -
    """,
    "subscriptions": """
        subscription_id account_id product plan mrr seats started_at ended_at
        s1              a          core    pro  10  5     2025-01-01 -
        s2              a          maps    -    20  -     2025-02-01 2026-03-05
        s3              b          core    -    10  -     2025-01-01 2026-01-31
        s4              c          core    -    10  -     2025-01-01 -
    """,
    "outcomes": """
        outcome_id account_id agreed_at  due_at     achieved_at description
        o1         a          2025-06-01 2026-01-01 2026-03-20  go-live
        o2         a          2025-07-01 2026-06-01 2026-01-20  migrate
    """,
    "reviews": """
        review_id account_id held_at    verdict
        r1        a          2026-01-15 missed
        r2        a          2026-03-15 met
    """,
    "touches": """
        touch_id account_id occurred_at csm
        x1       c          2026-02-25  Ann
        x2       c          2026-03-06  Ann
    """,
    "support_tickets": "ticket_id account_id opened_at\n"
    + "\n".join(f"t{n} c 2026-02-{n % 28 + 1:02}T{n % 24:02}:00" for n in range(60)),
}


@pytest.fixture
def source(company: Company) -> CheckedSource:
    return company(TABLES, extracted_at="2026-04-01")


def told(source: CheckedSource) -> dict[str, tuple[str | None, Told]]:
    pages = account_pages(source, account_states(source, [AS_OF.date()]))
    rows = pages.itertuples(index=False, name=None)
    return {one: (parent, FROM_JSON.decode(text)) for one, parent, text in rows}


def test_a_page_holds_what_was_known_and_nothing_later(source: CheckedSource) -> None:
    parent, page = told(source)["a"]
    assert parent is None
    assert page.lines == (
        Line(date(2025, 2, 1), "maps", None, None, 20.0),
        Line(date(2025, 1, 1), "core", "pro", 5, 10.0),
    )
    assert page.outcomes == (
        Outcome(date(2025, 7, 1), date(2026, 6, 1), date(2026, 1, 20), "migrate"),
        Outcome(date(2025, 6, 1), date(2026, 1, 1), None, "go-live"),
    )
    assert page.reviews == (Event(date(2026, 1, 15), "review", "missed"),)
    assert {event.at for event in page.events} <= {
        date(2025, 6, 1),
        date(2025, 7, 1),
        date(2026, 1, 15),
        date(2026, 1, 20),
    }
    assert page.all == {"events": 4, "reviews": 1, "outcomes": 2, "lines": 2}
    assert set(page.absent) == {
        "usage_events",
        "invoices",
        "payments",
        "surveys",
        "contacts",
        "incidents",
    }


TERMS = """
    subscription_id account_id product mrr term_months started_at renews_at  ended_at
    rolled          a          core    10  12          2023-05-31 2026-05-31 -
    behind          b          core    10  12          2024-01-15 2026-01-15 -
    first           c          core    10  12          2025-06-01 2026-06-01 -
    monthly         d          core    10  1           2025-06-30 2026-03-30 -
    moved           e          core    10  12          2024-02-01 2025-02-01 2025-02-01
    since           e          core    12  12          2025-02-01 2026-02-01 2025-09-01
    now             e          core    15  12          2025-09-01 2026-09-01 -
    early           f          core    10  12          2024-02-01 2025-02-01 2024-06-01
    goes_on         f          maps    10  -           2024-02-01 2026-06-01 -
"""


def test_a_page_names_the_newest_end_of_a_term_that_lies_behind(company: Company) -> None:
    accounts = "account_id created_at\n" + "\n".join(f"{one} 2023-01-01" for one in "abcdef")
    pages = told(company({"accounts": accounts, "subscriptions": TERMS}, extracted_at="2026-04-01"))
    found = {one: page.renewed for one, (_, page) in pages.items() if page.renewed}
    assert found == {
        "a": date(2025, 5, 31),
        "b": date(2026, 1, 15),
        "d": date(2026, 2, 28),
        "e": date(2025, 2, 1),
    }


def test_a_page_holds_what_the_numbers_were_before(source: CheckedSource) -> None:
    past = OwnPast(date(2026, 2, 2), {"a": {"support__open_tickets": 2.0}})
    pages = account_pages(source, account_states(source, [AS_OF.date()]), past)
    found = [FROM_JSON.decode(text) for text in pages["told"]]
    assert [(page.before_at, page.before) for page in found] == [
        (date(2026, 2, 2), {"support__open_tickets": 2.0}),
        (None, {}),
        (None, {}),
    ]


def test_a_page_names_the_parent_and_when_all_ended(source: CheckedSource) -> None:
    parent, page = told(source)["b"]
    assert (parent, page.ended, page.lines) == ("a", date(2026, 1, 31), ())


def test_only_the_newest_events_are_kept_and_the_others_counted(source: CheckedSource) -> None:
    page = told(source)["c"][1]
    assert len(page.events) == MOST_EVENTS
    assert page.touches == (Event(date(2026, 2, 25), "touch", "Ann"),)
    with sqlite3.connect(":memory:") as plain:
        for name in ("support_tickets", "touches"):
            source.read(name).astype(str).to_sql(name, plain)
        query = """
            SELECT count(*) FROM (
                SELECT account_id, known_at FROM support_tickets UNION ALL
                SELECT account_id, known_at FROM touches
            ) WHERE account_id = 'c' AND known_at < '2026-03-02 00:00:00'
        """
        (expected,) = plain.execute(query).fetchone()
    plain.close()
    assert page.all["events"] == expected == 61


def test_only_the_newest_dates_keep_their_pages(
    store: Store, home: Home, scored_company: Callable[..., Scored], bundles: dict[str, Bundle]
) -> None:
    for back in (0, 3, 2, 1):
        at = AS_OF - timedelta(days=back)
        publish(store, home, scored_company(bundles, at), AS_OF)
    kept = tables.account_pages.c.publication
    with store.reading() as connection:
        numbers = connection.execute(sa.select(kept).distinct()).scalars().all()
    assert sorted(numbers) == [1, 3, 4]
    assert len(numbers) == PUBLICATIONS_KEPT


def test_an_erased_account_is_on_no_page(
    home: Home, scored_company: Callable[..., Scored], bundles: dict[str, Bundle]
) -> None:
    scored = scored_company(bundles)
    left = without_erased(scored, bury(home, ["acme"], AS_OF.date()))
    parents = left.pages.set_index("account_id")["parent_account_id"].to_dict()
    assert parents == {"bolt": None, "gone": None}
