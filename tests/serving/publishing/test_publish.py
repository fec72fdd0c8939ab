"""Publications: visible as a whole or not at all, and there again after a restart."""

import dataclasses
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from features.errors import ModelError, StoreError
from features.home import Home
from features.tombstones import bury, erasing
from models.bundle import Bundle
from models.scored import check_scores
from serving.api import answers, readiness
from serving.parts import open_parts
from serving.publishing.bundles import bundle_folder
from serving.publishing.publication import latest, latest_number, past_scores, publications
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.snapshots.loaded import Watch
from serving.store import tables
from serving.store.database import Store, open_store

PUBLISHED_AT = datetime(2026, 3, 2, 2)  # noqa: DTZ001 - times are naive UTC everywhere
Company = Callable[..., Scored]


@pytest.fixture
def scored(scored_company: Company, bundles: dict[str, Bundle]) -> Scored:
    return scored_company(bundles)


def _rows(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_there_is_nothing_before_the_first(store: Store) -> None:
    assert latest(store) is None
    assert latest_number(store) is None
    assert past_scores(store).empty


def test_scores_come_back_as_they_were_published(store: Store, home: Home, scored: Scored) -> None:
    publication = publish(store, home, scored, PUBLISHED_AT)
    back = past_scores(store)
    check_scores(back)
    pd.testing.assert_frame_equal(back, scored.scores)
    assert latest(store) == publication


def test_they_are_there_after_the_store_was_closed(
    store_url: str, home: Home, scored: Scored
) -> None:
    with closing(open_store(store_url)) as first:
        publication = publish(first, home, scored, PUBLISHED_AT)
    with closing(open_store(store_url)) as again:
        assert latest(again) == publication
        assert len(past_scores(again)) == len(scored.scores)


def test_a_publication_that_fails_half_way_leaves_nothing(
    store: Store, home: Home, scored: Scored
) -> None:
    twice = pd.concat([scored.listed, scored.listed])
    with pytest.raises(sa.exc.IntegrityError):
        publish(store, home, dataclasses.replace(scored, listed=twice), PUBLISHED_AT)
    assert latest(store) is None
    assert [_rows(store, t) for t in (tables.scores, tables.published_accounts)] == [0, 0]


def test_scores_that_break_the_contract_are_not_published(
    store: Store, home: Home, scored: Scored
) -> None:
    wrong = scored.scores.assign(probability=1.5)
    with pytest.raises(ModelError):
        publish(store, home, dataclasses.replace(scored, scores=wrong), PUBLISHED_AT)
    assert latest(store) is None


def test_past_scores_hold_what_was_published_last_for_a_date(
    store: Store, home: Home, scored_company: Company, bundles: dict[str, Bundle], scored: Scored
) -> None:
    publish(store, home, scored, PUBLISHED_AT)
    publish(store, home, scored, PUBLISHED_AT + timedelta(hours=1))
    later = scored_company(bundles, as_of=datetime(2026, 4, 1))  # noqa: DTZ001 - naive UTC
    publish(store, home, later, PUBLISHED_AT + timedelta(days=31))
    assert len(publications(store)) == 3
    assert len(past_scores(store)) == 2 * len(scored.scores)
    only_later = past_scores(store, since=datetime(2026, 3, 3))  # noqa: DTZ001 - naive UTC
    assert set(only_later["as_of"]) == {pd.Timestamp(2026, 4, 1)}


def test_scoring_a_past_date_again_does_not_take_the_list_back_to_it(
    store: Store, home: Home, scored_company: Company, bundles: dict[str, Bundle], scored: Scored
) -> None:
    newer = scored_company(bundles, as_of=datetime(2026, 4, 1))  # noqa: DTZ001 - naive UTC
    first = publish(store, home, newer, PUBLISHED_AT + timedelta(days=31))
    publish(store, home, scored, PUBLISHED_AT + timedelta(days=32))
    assert latest(store) == first
    assert latest_number(store) == first.number
    again = publish(store, home, newer, PUBLISHED_AT + timedelta(days=33))
    assert latest(store) == again


def test_another_model_under_a_kept_version_is_refused(
    store: Store,
    home: Home,
    scored_company: Company,
    bundles: dict[str, Bundle],
    make_bundle: Callable[..., Bundle],
    scored: Scored,
) -> None:
    publish(store, home, scored, PUBLISHED_AT)
    swapped = {**bundles, "churn": make_bundle("churn", version="1", seed=9)}
    with pytest.raises(ModelError, match="another one of that version"):
        publish(store, home, scored_company(swapped), PUBLISHED_AT)


@pytest.mark.parametrize("version", ["../1", "", ".", "a/b"])
def test_a_version_that_would_leave_the_folder_is_refused(home: Home, version: str) -> None:
    with pytest.raises(ModelError, match="model name and version"):
        bundle_folder(home, "churn", version)


def test_the_watch_swaps_to_a_new_publication_and_its_models(
    store: Store,
    home: Home,
    scored_company: Company,
    make_bundle: Callable[..., Bundle],
    scored: Scored,
) -> None:
    watch = Watch(store, home)
    assert watch.take_over().in_service is None
    publish(store, home, scored, PUBLISHED_AT)
    first = watch.take_over().in_service
    publish(store, home, scored_company({"churn": make_bundle("churn", "2")}), PUBLISHED_AT)
    second = watch.take_over().in_service
    assert first is not None
    assert second is not None
    assert (first.bundles["churn"].version, second.bundles["churn"].version) == ("1", "2")


def test_a_damaged_model_leaves_the_old_set_in_service_and_says_so(
    store: Store,
    home: Home,
    scored_company: Company,
    make_bundle: Callable[..., Bundle],
    scored: Scored,
) -> None:
    watch = Watch(store, home)
    publish(store, home, scored, PUBLISHED_AT)
    watch.take_over()
    publish(store, home, scored_company({"churn": make_bundle("churn", "2")}), PUBLISHED_AT)
    booster = bundle_folder(home, "churn", "2") / "booster.txt"
    booster.write_text(booster.read_text() + " ")
    found = watch.take_over()
    assert found.in_service is not None
    assert found.in_service.publication.number == 1
    assert found.problem == "The models of publication 2 cannot be loaded."


def test_health_says_what_is_wrong(store: Store, home: Home, scored: Scored) -> None:
    def health(now: datetime) -> tuple[str, str | None]:
        settings = Settings(home=home, store_url=str(store.engine.url))
        parts = open_parts(settings, now=lambda: now)
        found = answers.health(parts, readiness.look(parts))
        parts.close()
        return found.status, found.problem

    assert health(PUBLISHED_AT)[0] == "not_ready"
    publish(store, home, scored, PUBLISHED_AT)
    assert health(PUBLISHED_AT) == ("ok", None)
    assert health(PUBLISHED_AT + timedelta(days=9)) == ("stale", None)
    (bundle_folder(home, "churn", "1") / "manifest.json").unlink()
    assert health(PUBLISHED_AT) == (
        "not_ready",
        "The models of publication 1 cannot be loaded.",
    )


def test_the_models_in_service_are_their_owners_alone(
    store: Store, home: Home, scored: Scored
) -> None:
    publish(store, home, scored, PUBLISHED_AT)
    assert home.bundles.stat().st_mode & 0o777 == 0o700


def test_the_sqlite_file_is_its_owners_alone_and_durable(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with closing(open_store(f"sqlite:///{file}")) as store, store.reading() as connection:
        assert file.stat().st_mode & 0o777 == 0o600
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file")
    with pytest.raises(StoreError, match="can be written at") as refused:
        open_store(f"sqlite:///{home / 'store.db'}")
    assert str(home) in str(refused.value)
    assert "driver" not in str(refused.value)


def test_a_damaged_store_is_said_in_a_sentence_that_names_it(tmp_path: Path) -> None:
    damaged = tmp_path / "store.db"
    damaged.write_bytes(b"junk" * 1000)
    with pytest.raises(StoreError, match="file is not a database") as refused:
        open_store(f"sqlite:///{damaged}")
    assert f"Expected {damaged} to be" in str(refused.value)


@pytest.mark.parametrize(
    "url", ["no url", "sqlite:////proc/nowhere/store.db", "unknowndb://x/y", "postgresql://x/y"]
)
def test_a_store_that_cannot_be_opened_is_said_in_a_sentence(url: str) -> None:
    with pytest.raises(StoreError, match="Expected"):
        open_store(url)


def test_an_erased_account_is_left_out_though_a_source_still_had_it(
    store: Store, home: Home, scored: Scored
) -> None:
    with erasing(home):
        bury(home, ["acme"], PUBLISHED_AT.date())
    groups = scored.listed["customer_group"].mask(scored.listed["account_id"] == "bolt", "acme")
    listed = scored.listed.assign(customer_group=groups)
    publication = publish(store, home, dataclasses.replace(scored, listed=listed), PUBLISHED_AT)
    assert publication.accounts == len(scored.listed) - 1
    with store.reading() as connection:
        for table in (tables.scores, tables.published_accounts, tables.account_keys):
            ids = set(connection.execute(sa.select(table.c.account_id)).scalars())
            assert ids == set(scored.listed["account_id"]) - {"acme"}
        kept = connection.execute(sa.select(tables.published_accounts.c.customer_group)).scalars()
        assert "acme" not in set(kept)
