"""A published score comes again, byte for byte, from what was known at its date."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import nextafter
from pathlib import Path

import narwhals as nw
import pandas as pd
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from features.build import feature_table
from features.catalog import available, features_fingerprint
from features.checked import CheckedSource
from features.errors import ModelError, SourceError, StoreError
from features.home import Home, private
from features.spine import account_states
from features.windows import Window
from models.bundle import Bundle
from serving.publishing.bundles import bundle_folder
from serving.publishing.publication import Publication
from serving.publishing.publish import Scored, publish
from serving.publishing.replay import asked_for, replay
from serving.scoring.renewals import renewals
from serving.scoring.score import score
from serving.settings import Settings
from serving.store import tables
from serving.store.database import Store, open_store
from tenure import cli

Company = Callable[..., CheckedSource]
AS_OF = date(2025, 3, 1)
TABLES = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
        b           2024-01-01
        gone        2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at ended_at   renews_at  term_months
        s1              a          base    100 2024-01-01 2025-04-01 2026-01-01 12
        s2              b          base    900 2024-02-01 -          2026-02-01 12
        s3              gone       base    10  2024-02-01 2024-09-01 -          -
    """,
    "usage_events": """
        account_id occurred_at user_id event
        a          2025-02-20  u1      open
        b          2025-02-20  u2      open
    """,
    "support_tickets": """
        ticket_id account_id opened_at  resolved_at
        t1        a          2025-02-27 2025-03-05
        t2        b          2025-02-20 2025-02-25
    """,
}
SINCE = {
    **TABLES,
    "accounts": TABLES["accounts"] + "\n new 2025-03-01",
    "usage_events": TABLES["usage_events"] + "\n b 2025-03-01 u7 open \n a 2025-04-02 u8 save",
    "support_tickets": TABLES["support_tickets"] + "\n t3 b 2025-03-01T08:00 -",
}


@pytest.fixture
def store_url(
    request: pytest.FixtureRequest,
    new_store_url: Callable[..., AbstractContextManager[str]],
    tmp_path: Path,
) -> Iterator[str]:
    """Give SQLite, unless a test asks for another: replay reads a store, whichever it is."""
    with new_store_url(getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


def published(
    source: CheckedSource, store: Store, home: Home, bundles: dict[str, Bundle]
) -> Publication:
    """Publish what `tenure score --as-of` would, with models of the features declared today."""
    declared = available(source)
    needed = bundles["churn"].features
    states = account_states(source, [AS_OF])
    features = [feature for feature in declared if feature.column in needed]
    table = feature_table(source, states, features=features)
    fingerprint = features_fingerprint(declared)
    of_today = {name: replace(m, features_fingerprint=fingerprint) for name, m in bundles.items()}
    at = datetime(2025, 3, 2, 4, 30)  # noqa: DTZ001 - times are naive UTC everywhere
    scores = score(of_today, table, states, at)
    listed = states[["account_id", "status"]]
    nothing = pd.DataFrame({"account_id": [], "signals": []})
    due = renewals(of_today, scores, table, states)
    scored = Scored(scores, listed, nothing, due, of_today, 90, "EUR", source=source)
    return publish(store, home, scored, at)


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
def test_scores_come_again_though_much_has_happened_since(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    for source in (company(TABLES), company(SINCE)):
        again = replay(source, publication, store, home)
        again.demand()
        assert again.digest == again.digest_again
        assert again.rows == 3 * 2 * 2


def test_one_account_comes_again_with_its_rank_among_all(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    again = replay(company(TABLES), publication, store, home, account_id="b")
    again.demand()
    assert again.rows == 2 * 2
    with pytest.raises(StoreError, match="Expected the account 'nobody' in publication 1"):
        replay(company(TABLES), publication, store, home, account_id="nobody")


def test_a_probability_that_was_changed_by_one_bit_is_named(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    row = tables.scores.c
    one = (row.account_id == "b") & (row.model == "churn") & (row.horizon_days == 90)
    with store.writing() as connection:
        was = connection.execute(sa.select(row.probability).where(one)).scalar_one()
        connection.execute(
            sa.update(tables.scores).where(one).values(probability=nextafter(was, 1))
        )
    again = replay(company(TABLES), publication, store, home)
    assert again.differing == {"b": ("probability",)}
    with pytest.raises(
        ModelError, match=r"another probability for 1 accounts \(b\).*the store was"
    ):
        again.demand()


def test_a_row_that_was_taken_away_is_missed(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    with store.writing() as connection:
        connection.execute(sa.delete(tables.scores).where(tables.scores.c.account_id == "gone"))
    again = replay(company(TABLES), publication, store, home)
    assert "status" in again.differing["gone"]


def a_day_early(window: Window, row_enters: str, at_day: str) -> nw.Expr:
    return nw.max_horizontal(nw.col(row_enters) - 1, nw.col(at_day) + window.lag_days)


def test_a_feature_that_looks_ahead_is_found_out(
    company: Company,
    store: Store,
    home: Home,
    bundles: dict[str, Bundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Window, "enters", a_day_early)
    publication = published(company(SINCE), store, home, bundles)
    again = replay(company(SINCE), publication, store, home)
    assert set(again.differing) == {"b"}
    with pytest.raises(ModelError, match="a feature looks ahead"):
        again.demand()


def test_a_source_that_tells_another_past_is_found_out(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    late = TABLES["support_tickets"] + "\n t4 a 2025-02-10 -"
    again = replay(company({**TABLES, "support_tickets": late}), publication, store, home)
    assert set(again.differing) == {"a"}
    then, now = publication.origin.source_fingerprint, again.source_fingerprint
    assert then != now
    with pytest.raises(ModelError, match=rf"another past .*{then[:12]} then, {now[:12]} now"):
        again.demand()


def test_a_publication_of_an_older_release_does_not_say_what_it_was_made_from(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    published(company(TABLES), store, home, bundles)
    with store.writing() as connection:
        connection.execute(sa.delete(tables.published_origins))
    publication = asked_for(store, 1, None)
    replay(company(TABLES), publication, store, home).demand()
    late = TABLES["support_tickets"] + "\n t4 a 2025-02-10 -"
    again = replay(company({**TABLES, "support_tickets": late}), publication, store, home)
    with pytest.raises(ModelError, match=r"most likely .* does not name its source"):
        again.demand()


def test_other_code_is_found_out_where_source_and_features_are_the_same(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Window, "enters", a_day_early)
        publication = published(company(SINCE), store, home, bundles)
    again = replay(company(SINCE), publication, store, home)
    with pytest.raises(ModelError, match="other code scored"):
        again.demand()


@pytest.mark.parametrize(
    "change", [{"currency": "USD"}, {"accounts": 2}, {"list_horizon_days": 30}]
)
def test_a_line_of_the_publication_that_was_changed_is_found_out(
    change: dict[str, object],
    company: Company,
    store: Store,
    home: Home,
    bundles: dict[str, Bundle],
) -> None:
    published(company(TABLES), store, home, bundles)
    with store.writing() as connection:
        connection.execute(sa.update(tables.publications).values(**change))
    again = replay(company(TABLES), asked_for(store, 1, None), store, home)
    assert again.differing == {}
    with pytest.raises(ModelError, match="in its own line: the store was changed"):
        again.demand()


def test_features_that_are_declared_otherwise_are_named_as_the_cause(
    company: Company,
    store: Store,
    home: Home,
    bundles: dict[str, Bundle],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    monkeypatch.setattr("serving.publishing.replay.features_fingerprint", lambda _: "another")
    late = TABLES["support_tickets"] + "\n t4 a 2025-02-10 -"
    again = replay(company({**TABLES, "support_tickets": late}), publication, store, home)
    with pytest.raises(ModelError, match="declared or computed otherwise"):
        again.demand()


def test_an_extract_from_before_the_date_is_refused(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    before = replace(company(TABLES), extracted_at=datetime(2025, 2, 1))  # noqa: DTZ001 - naive UTC
    with pytest.raises(SourceError, match="Expected an extract of 2025-03-01 or later"):
        replay(before, publication, store, home)


def test_a_model_that_is_gone_is_named(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    publication = published(company(TABLES), store, home, bundles)
    folder = bundle_folder(home, "churn", "1")
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(ModelError):
        replay(company(TABLES), publication, store, home)


def test_a_publication_is_found_by_number_by_date_or_as_the_newest(
    company: Company, store: Store, home: Home, bundles: dict[str, Bundle]
) -> None:
    first = published(company(TABLES), store, home, bundles)
    second = published(company(TABLES), store, home, bundles)
    assert asked_for(store, 1, None) == first
    assert asked_for(store, None, AS_OF) == second
    assert asked_for(store, None, None) == second
    with pytest.raises(StoreError, match="Expected publication 7, got none"):
        asked_for(store, 7, None)
    with pytest.raises(StoreError, match="Expected a publication of 2025-03-02, got none"):
        asked_for(store, None, AS_OF + timedelta(days=1))


@pytest.fixture
def line(
    company: Company,
    source_folder: Callable[..., Path],
    bundles: dict[str, Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Result]:
    """The command line of a company that was scored, whose source has grown since."""
    home = Home(tmp_path / "of the line")
    private(home.root)
    with closing(open_store(Settings(home=home).store)) as store:
        published(company(TABLES), store, home, bundles)
    grown = source_folder(SINCE, extracted_at="2026-01-01")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENURE_HOME", str(home.root))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["replay", "--source", str(grown), *arguments])

    return run


def test_the_verb_ends_well_where_all_is_the_same(line: Callable[..., Result]) -> None:
    done = line("--as-of", "2025-03-01", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["publication"], document["rows"], document["is_equal"]) == (1, 12, True)
    assert document["digest"] == document["digest_again"]
    assert "4 rows are the same to the byte" in line("--account", "a").stdout


def test_the_verb_fails_where_a_byte_differs(line: Callable[..., Result]) -> None:
    settings = Settings(home=Home(Path(os.environ["TENURE_HOME"])))
    with closing(open_store(settings.store)) as store, store.writing() as connection:
        of_b = tables.scores.c.account_id == "b"
        connection.execute(sa.update(tables.scores).where(of_b).values(band="low", rank=7))
    done = line("--json")
    assert isinstance(done.exception, ModelError)
    assert "rank" in json.loads(done.stdout)["differing"]["b"]


def test_the_verb_takes_one_publication(line: Callable[..., Result]) -> None:
    both = line("--publication", "1", "--as-of", "2025-03-01")
    assert both.exit_code == 2
    assert isinstance(line("--publication", "9").exception, StoreError)
