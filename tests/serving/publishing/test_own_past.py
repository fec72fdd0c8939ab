"""What a reason's number was about a month before: from tables of features that are kept."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from features.built import Built, features_file, month_starts
from features.catalog import available
from features.checked import CheckedSource
from features.home import Home
from features.own.harvest import Own
from serving.publishing.own_past import named_by, own_past
from serving.store import tables
from serving.store.database import Store

Company = Callable[..., CheckedSource]
AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
TICKETS = "support__open_tickets"
EMPTY = Own()
TABLES = {
    "accounts": """
        account_id  created_at
        a           2025-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          core    10  2025-01-01
    """,
}
NAMED = {"a": {TICKETS}, "b": {"no__such_feature"}, "c": {TICKETS}}


@pytest.fixture
def now(company: Company) -> Built:
    source = company(TABLES, extracted_at="2026-04-01")
    states = pd.DataFrame({"as_of": [pd.Timestamp(AS_OF)]})
    return Built(source, available(source), states, pd.DataFrame())


def days_ago(days: int) -> date:
    return (AS_OF - timedelta(days)).date()


def kept(home: Home, now: Built, dates: Sequence[date], own: Own = EMPTY) -> None:
    """Keep a table as building it does: each date's number of tickets is its day of the month."""
    rows = [(one, day, float(day.day)) for day in dates for one in ("a", "b")]
    table = pd.DataFrame(rows, columns=["account_id", "as_of", TICKETS])
    table["as_of"] = pd.to_datetime(table["as_of"]).astype("datetime64[us]")
    file = features_file(home, now.source.fingerprint, now.features, dates, own)
    file.parent.mkdir(parents=True)
    table.to_parquet(file, index=False)


def scored(store: Store, days: int, fingerprint: str) -> None:
    """Write down a publication of an earlier date, made of a source."""
    times = dict.fromkeys(("as_of", "scored_at", "published_at"), AS_OF - timedelta(days))
    about = {"list_horizon_days": 90, "currency": "EUR", "accounts": 3}
    origin = {"source_fingerprint": fingerprint, "extracted_at": AS_OF, "code": "unknown"}
    digests = dict.fromkeys(("scores_digest", "line_digest"), "")
    published = tables.publications
    with store.writing() as connection:
        insert = sa.insert(published).values(**times, **about).returning(published.c.number)
        number = connection.execute(insert).scalar_one()
        row = {"publication": number, **origin, **digests}
        connection.execute(sa.insert(tables.published_origins).values(**row))


def told(store: Store, home: Home, now: Built) -> tuple[date, float] | None:
    past = own_past(store, home, now, NAMED, EMPTY)
    if past is None:
        return None
    assert past.numbers.keys() == {"a", "b"}
    assert past.numbers["b"] == {}
    return past.at, past.numbers["a"][TICKETS]


def test_it_is_that_of_the_scores_nearest_to_a_month_before_whose_table_is_kept(
    store: Store, home: Home, now: Built
) -> None:
    scored(store, 28, "of a source whose table is not kept")
    for days in (7, 15, 40, 60):
        scored(store, days, now.source.fingerprint)
        kept(home, now, [days_ago(days)])
    assert told(store, home, now) == (days_ago(40), 21.0)
    scored(store, 27, now.source.fingerprint)
    kept(home, now, [days_ago(27)], Own(digest="of other declarations"))
    assert told(store, home, now) == (days_ago(40), 21.0)
    kept(home, now, [days_ago(27)])
    assert told(store, home, now) == (days_ago(27), 3.0)


def test_without_earlier_scores_it_is_that_of_the_training(
    store: Store, home: Home, now: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(store, home, now) is None
    kept(home, now, month_starts(now.source))
    assert told(store, home, now) == (date(2026, 2, 1), 1.0)
    monkeypatch.setattr("serving.publishing.own_past.MOST_ROWS", 1)
    assert told(store, home, now) is None


def test_the_reasons_of_all_models_at_the_lists_horizon_are_asked_for() -> None:
    rows = [
        ("a", 90, [{"feature": "x"}, {"feature": "y"}]),
        ("a", 90, [{"feature": "z"}]),
        ("a", 30, [{"feature": "other"}]),
        ("b", 90, []),
    ]
    scores = pd.DataFrame(rows, columns=["account_id", "horizon_days", "reasons"])
    assert named_by(scores, 90) == {"a": {"x", "y", "z"}, "b": set()}
