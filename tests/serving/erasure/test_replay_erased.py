"""What is left of a publication after an erasure still comes again, or it is said why not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from features.build import feature_table
from features.catalog import available, features_fingerprint
from features.checked import CheckedSource
from features.errors import ModelError
from features.home import Home
from features.spine import account_states
from models.bundle import Bundle
from serving.erasure.erase import erase
from serving.publishing.publication import Publication
from serving.publishing.publish import Scored, publish
from serving.publishing.replay import asked_for, replay
from serving.scoring.renewals import renewals
from serving.scoring.score import score
from serving.store import tables
from serving.store.database import Store

Company = Callable[..., CheckedSource]
AS_OF = date(2025, 3, 1)
NOW = datetime(2025, 3, 2, 4, 30)  # noqa: DTZ001 - times are naive UTC everywhere
TABLES = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
        b           2024-01-01
        c           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at renews_at  term_months
        s1              a          base    100 2024-01-01 2026-01-01 12
        s2              b          base    900 2024-02-01 2026-02-01 12
        s3              c          base    10  2024-02-01 2026-02-01 12
    """,
    "usage_events": """
        account_id occurred_at user_id event
        a          2025-02-20  u1      open
        b          2025-02-20  u2      open
        b          2025-02-21  u3      open
        c          2025-02-20  u4      open
    """,
    "support_tickets": """
        ticket_id account_id opened_at  resolved_at
        t1        a          2025-02-27 -
    """,
}


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """Give SQLite: replay reads a store, whichever it is."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def published(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> Publication:
    """Publish the scores of three accounts, then erase the one that ranks between the others."""
    source = company(TABLES)
    states = account_states(source, [AS_OF])
    declared = available(source)
    needed = bundles["churn"].features
    features = [feature for feature in declared if feature.column in needed]
    table = feature_table(source, states, features=features)
    fingerprint = features_fingerprint(declared)
    of_today = {name: replace(m, features_fingerprint=fingerprint) for name, m in bundles.items()}
    scores = score(of_today, table, states, NOW)
    listed = states[["account_id", "status"]]
    nothing = pd.DataFrame({"account_id": [], "signals": []})
    due = renewals(of_today, scores, table, states)
    publish(
        store, home, Scored(scores, listed, nothing, due, of_today, 90, "EUR", source=source), NOW
    )
    churn = scores[(scores["model"] == "churn") & (scores["horizon_days"] == 90)]
    (first,) = churn.loc[churn["rank"] == 1, "account_id"]
    erase([first], store, home, NOW, print)
    return asked_for(store, 1, None)


def test_the_others_come_again_with_their_ranks_closed_up(
    company: Company, store: Store, home: Home, published: Publication
) -> None:
    again = replay(company(TABLES), published, store, home)
    again.demand()
    assert again.erased == 1
    assert again.rows == 2 * 2 * 2
    assert "without 1 accounts that were erased since: 8 rows are the same" in again.text()
    assert again.to_json()["erased_accounts"] == 1


def test_a_row_that_was_changed_after_the_erasure_is_still_found(
    company: Company, store: Store, home: Home, published: Publication
) -> None:
    with store.writing() as connection:
        connection.execute(sa.update(tables.scores).values(probability=0.5))
    with pytest.raises(ModelError, match="the store was changed since"):
        replay(company(TABLES), published, store, home).demand()


def test_a_row_that_was_changed_before_the_erasure_is_not_sealed_by_it(
    company: Company, store: Store, home: Home, published: Publication
) -> None:
    with store.writing() as connection:
        connection.execute(sa.update(tables.scores).values(probability=0.5))
    erase(["c"], store, home, NOW, print)
    again = asked_for(store, published.number, None)
    with pytest.raises(ModelError, match="the store was changed since"):
        replay(company(TABLES), again, store, home).demand()


def test_what_hung_on_the_erased_account_is_said_to_be_lost(
    company: Company, store: Store, home: Home, published: Publication
) -> None:
    late = TABLES["usage_events"] + "\n a 2025-02-11 u9 open \n c 2025-02-11 u8 open"
    again = replay(company({**TABLES, "usage_events": late}), published, store, home)
    with pytest.raises(ModelError, match="erased since, and what was counted over them"):
        again.demand()
