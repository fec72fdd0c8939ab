"""Back to an earlier publication: one command, and the service follows without a restart."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from features.errors import SnapshotError
from features.home import Home
from models.bundle import Bundle
from serving.publishing.going_back import number_in_service, serve_model, serve_publication
from serving.publishing.publish import Scored, publish
from serving.snapshots.loaded import Watch
from serving.snapshots.served import kept
from serving.snapshots.snapshot import number_of
from serving.store.database import Store

AT = datetime(2026, 3, 2, 2)  # noqa: DTZ001 - times are naive UTC everywhere
WEEK = timedelta(days=7)
Company = Callable[..., Scored]
MakeBundle = Callable[..., Bundle]


@pytest.fixture
def twice(
    store: Store, home: Home, scored_company: Company, make_bundle: MakeBundle
) -> tuple[int, int]:
    """Publish with a first version of churn, then a week later with a second."""
    first = publish(store, home, scored_company({"churn": make_bundle("churn", "1")}), AT)
    later = scored_company({"churn": make_bundle("churn", "2", seed=5)}, first.as_of + WEEK)
    return first.number, publish(store, home, later, AT + WEEK).number


def test_the_service_goes_back_to_what_a_version_scored(
    store: Store, home: Home, twice: tuple[int, int]
) -> None:
    watch = Watch(store, home)
    now = watch.take_over().in_service
    assert now is not None
    assert now.bundles["churn"].version == "2"
    served = serve_model(store, home, "churn", "1")
    assert served is not None
    assert (served.number, number_in_service(home)) == (twice[0], twice[0])
    back = watch.take_over().in_service
    assert back is not None
    assert (back.publication.number, back.bundles["churn"].version) == (twice[0], "1")


def test_a_version_that_scored_nothing_leaves_what_is_served(
    store: Store, home: Home, twice: tuple[int, int]
) -> None:
    assert serve_model(store, home, "churn", "9") is None
    assert number_in_service(home) == twice[1]


def test_a_snapshot_that_is_not_kept_any_more_is_made_again_with_the_same_answers(
    store: Store, home: Home, twice: tuple[int, int]
) -> None:
    serve_publication(store, home, twice[0])
    before = Watch(store, home).take_over().in_service
    assert before is not None
    serve_publication(store, home, twice[1])
    for folder in kept(home):
        if number_of(folder.name) == twice[0]:
            shutil.rmtree(folder)
    serve_publication(store, home, twice[0])
    after = Watch(store, home).take_over().in_service
    assert after is not None
    assert {*after.snapshot.records()} == {*before.snapshot.records()}
    assert after.snapshot.accounts > 0


def test_a_damaged_snapshot_is_not_gone_back_to_but_made_again(
    store: Store, home: Home, twice: tuple[int, int]
) -> None:
    old = next(folder for folder in kept(home) if number_of(folder.name) == twice[0])
    (old / "accounts.bin").write_bytes(b"junk")
    serve_publication(store, home, twice[0])
    found = Watch(store, home).take_over()
    assert found.problem is None
    assert found.in_service is not None
    assert found.in_service.publication.number == twice[0]


def test_the_next_scores_take_over_from_it(
    store: Store,
    home: Home,
    twice: tuple[int, int],
    scored_company: Company,
    make_bundle: MakeBundle,
) -> None:
    serve_publication(store, home, twice[0])
    bundles = {"churn": make_bundle("churn", "2", seed=5)}
    newest = publish(store, home, scored_company(bundles), AT + 2 * WEEK)
    assert number_in_service(home) == newest.number


def test_a_number_that_there_is_none_of_is_said(store: Store, home: Home) -> None:
    with pytest.raises(SnapshotError, match="number of a publication, got 7"):
        serve_publication(store, home, 7)
