"""What a list is made of beside the scores: touches, products, and a week before."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from features.checked import CheckedSource
from features.home import Home
from features.spine import account_states
from models.bundle import Bundle
from serving.api.feedback import Feedback, record
from serving.publishing.listing import around, products, week_before
from serving.publishing.publish import Scored, publish
from serving.store.database import Store

Company = Callable[..., CheckedSource]
AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
DAY = timedelta(days=1)
TABLES = {
    "accounts": """
        account_id  created_at
        a           2025-01-01
        b           2025-01-01
        c           2025-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at cancel_requested_at ended_at
        s1              a          core    10  2025-01-01 -                   -
        s2              a          maps    10  2025-01-01 -                   -
        s3              b          core    10  2025-01-01 2026-02-20          -
        s4              b          maps    10  2025-01-01 -                   2025-06-01
        s5              c          maps    10  2025-01-01 -                   2025-06-01
    """,
    "touches": """
        touch_id account_id occurred_at      csm arm
        t1       a          2026-02-10T10:00 Ann -
        t2       a          2026-02-25T10:00 Ann control
        t3       b          2026-02-01T10:00 Ann treatment
        t4       b          2026-03-05T10:00 Ann -
    """,
}


def test_products_are_those_that_are_paid_for_also_by_who_leaves(company: Company) -> None:
    source = company(TABLES, extracted_at="2026-04-01")
    rows = products(source, account_states(source, [AS_OF.date()]))
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("a", "core"),
        ("a", "maps"),
        ("b", "core"),
    ]


def test_the_last_touch_is_the_later_of_the_sources_and_what_was_told(
    company: Company, store: Store
) -> None:
    source = company(TABLES, extracted_at="2026-04-01")
    states = account_states(source, [date(2026, 3, 2)])
    before = around(store, source, states).touched
    assert before == {"a": pd.Timestamp("2026-02-10"), "b": pd.Timestamp("2026-02-01")}
    for kind, days in (("contacted", 3), ("other", 1)):
        told = Feedback("b", kind, None, f"key {kind}")
        record(store, told, "a token", AS_OF - days * DAY)
    after = around(store, source, states).touched
    assert after == {"a": pd.Timestamp("2026-02-10"), "b": AS_OF - 3 * DAY}


@pytest.fixture
def published(
    store: Store, home: Home, scored_company: Callable[..., Scored], bundles: dict[str, Bundle]
) -> Callable[..., Scored]:
    def publish_of(days_before: int, **changes: object) -> Scored:
        at = AS_OF - days_before * DAY
        scored = replace(scored_company(bundles, at), **changes)
        publish(store, home, scored, at)
        return scored

    return publish_of


def test_a_week_before_is_the_date_nearest_to_it(
    store: Store, published: Callable[..., Scored]
) -> None:
    assert week_before(store, AS_OF) is None
    published(3)
    published(11)
    assert week_before(store, AS_OF) is None
    published(10)
    assert found(store) == AS_OF - 10 * DAY
    published(6)
    published(5)
    assert found(store) == AS_OF - 6 * DAY


def found(store: Store) -> datetime:
    before = week_before(store, AS_OF)
    assert before is not None
    return before.as_of


def test_it_tells_what_was_published_then(store: Store, published: Callable[..., Scored]) -> None:
    scored = published(7)
    before = week_before(store, AS_OF)
    assert before is not None
    assert before.model_version == "1"
    assert scored.rows is not None
    acme = scored.rows.set_index("account_id").loc["acme"]
    assert before.said.loc["acme"].tolist() == [acme["probability"], acme["effects"]]


def test_of_a_publication_without_a_list_only_probabilities_are_known(
    store: Store, published: Callable[..., Scored]
) -> None:
    published(7, rows=None)
    before = week_before(store, AS_OF)
    assert before is not None
    assert before.said.loc["acme", "probability"] > 0
    assert before.said["effects"].isna().all()
