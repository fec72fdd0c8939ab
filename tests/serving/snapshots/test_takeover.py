"""A new set is taken over whole, or refused with its name while the old one serves."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from features.errors import StoreError
from features.home import Home
from models.bundle import Bundle
from serving.access.tokens import Principal
from serving.api import answers, schema
from serving.api.cursor import Cursor
from serving.api.readiness import look
from serving.api.refusal import RefusedError
from serving.api.scores import scores
from serving.parts import Caller, Parts, open_parts
from serving.publishing.bundles import bundle_folder
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.snapshots.loaded import LOOK, Loaded, Watch
from serving.snapshots.served import CURRENT, current, erase_accounts
from serving.store.database import Store, open_store

AT = datetime(2026, 3, 2, 2)  # noqa: DTZ001 - times are naive UTC everywhere
CALLER = Caller(Principal("a1", frozenset({"score"}), None), "r1", "127.0.0.1")
Company = Callable[..., Scored]
MakeBundle = Callable[..., Bundle]


@pytest.fixture(autouse=True)
def _tried_before(home: Home, tried: Path) -> None:
    """Say that the first models passed their trial; the second has still to pass it."""
    shutil.copytree(tried, home.served / "tried")


@pytest.fixture
def newest(
    home: Home, scored_company: Company, make_bundle: MakeBundle, tmp_path: Path
) -> Iterator[tuple[Watch, Path, Path]]:
    """Serve one publication, and publish another: its snapshot's folder, and its model's."""
    with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}")) as store:
        watch = Watch(store, home)
        publish(store, home, scored_company({"churn": make_bundle("churn", "1")}), AT)
        assert watch.take_over().problem is None
        publish(store, home, scored_company({"churn": make_bundle("churn", "2", seed=3)}), AT)
        name = current(home)
        assert name is not None
        yield watch, home.served / name, bundle_folder(home, "churn", "2")


def changed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def is_refused(found: Loaded, what: str) -> bool:
    assert found.in_service is not None
    assert found.in_service.publication.number == 1
    assert found.in_service.snapshot.find("acme") is not None
    assert found.problem is not None
    return found.refused == what


@pytest.mark.parametrize("name", ["booster.txt", "bundle.json", "manifest.json"])
def test_a_changed_byte_of_a_model_is_refused(newest: tuple[Watch, Path, Path], name: str) -> None:
    watch, _, bundle = newest
    changed(bundle / name)
    assert is_refused(watch.take_over(), "models of publication 2")


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "publication.json",
        "index.bin",
        "accounts.bin",
        "features.arrow",
        "golden-churn.json",
    ],
)
def test_a_changed_byte_of_a_snapshot_is_refused(
    newest: tuple[Watch, Path, Path], name: str
) -> None:
    watch, snapshot, _ = newest
    changed(snapshot / name)
    assert is_refused(watch.take_over(), "snapshot 2")


def test_a_name_of_no_snapshot_is_refused(newest: tuple[Watch, Path, Path], home: Home) -> None:
    watch, _, _ = newest
    (home.served / CURRENT).write_text("2-../../etc\n")
    assert is_refused(watch.take_over(), "snapshot 2")


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(b"\xff")])
def test_where_no_name_can_be_read_the_last_set_serves_and_it_is_said(
    newest: tuple[Watch, Path, Path], home: Home, spoil: Callable[[Path], object]
) -> None:
    watch, snapshot, _ = newest
    spoil(home.served / CURRENT)
    assert is_refused(watch.take_over(), "name in service")
    (home.served / CURRENT).write_text(f"{snapshot.name}\n")
    assert watch.take_over().problem is None


def test_what_was_refused_is_taken_over_once_it_is_put_right(
    newest: tuple[Watch, Path, Path], home: Home
) -> None:
    watch, snapshot, _ = newest
    changed(snapshot / "index.bin")
    watch.take_over()
    changed(snapshot / "index.bin")
    (home.served / CURRENT).write_text(f"{snapshot.name}\n")
    found = watch.take_over()
    assert (found.problem, found.refused) == (None, None)
    assert found.in_service is not None
    assert found.in_service.publication.number == 2


def test_code_beside_a_model_is_not_run(newest: tuple[Watch, Path, Path], tmp_path: Path) -> None:
    watch, _, bundle = newest
    ran = tmp_path / "ran"
    (bundle / "code").mkdir()
    loader = f"from pathlib import Path\nPath({str(ran)!r}).touch()\n"
    for place in (bundle / "code" / "loader.py", bundle / "sitecustomize.py"):
        place.write_text(loader)
    (bundle / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: loader\n    code: code\n"
    )
    found = watch.take_over()
    assert found.problem is None
    assert found.in_service is not None
    assert found.in_service.publication.number == 2
    assert not ran.exists()


def test_the_thread_of_its_own_takes_over(newest: tuple[Watch, Path, Path]) -> None:
    watch, _, _ = newest
    watch.seconds = 0.01
    watch.look()
    for _ in range(1000):
        found = watch.look().in_service
        if found is not None and found.publication.number == 2:
            break
        watch._closing.wait(0.02)  # noqa: SLF001 - a pause that ends with the thread
    watch.close()
    assert found is not None
    assert found.bundles["churn"].version == "2"


def test_a_look_that_fails_in_a_way_that_nobody_foresaw_is_said_and_the_next_goes_on(
    newest: tuple[Watch, Path, Path], home: Home
) -> None:
    watch, snapshot, _ = newest
    watch.seconds = 0.01
    (home.served / CURRENT).write_text("2-\0\n")  # no folder can have that name
    assert is_refused(watch.look(), LOOK)
    watch._closing.wait(0.1)  # noqa: SLF001 - a pause that ends with the thread
    assert is_refused(watch.look(), LOOK)
    (home.served / CURRENT).write_text(f"{snapshot.name}\n")
    assert _until(watch, lambda found: found.problem is None)
    watch.close()


def _until(watch: Watch, is_so: Callable[[Loaded], bool]) -> bool:
    return any(is_so(watch.look()) or watch._closing.wait(0.02) for _ in range(1000))  # noqa: SLF001 - a pause that ends with the thread


def test_what_an_older_release_published_is_laid_out_at_the_first_look(
    store: Store, home: Home, scored_company: Company, bundles: dict[str, Bundle]
) -> None:
    publish(store, home, scored_company(bundles), AT)
    shutil.rmtree(home.served)
    watch = Watch(store, home)
    found = watch.look().in_service
    watch.close()
    assert found is not None
    assert found.publication.number == 1
    assert current(home) is not None


def test_the_store_is_not_needed_to_serve_a_snapshot(
    home: Home, scored_company: Company, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'gone' / 'store.db'}")
    publish(store, home, scored_company(bundles), AT)
    store.close()
    (tmp_path / "gone").rename(tmp_path / "away")
    watch = Watch(store, home)
    assert watch.look().in_service is not None
    watch.close()
    shutil.rmtree(home.served)
    with pytest.raises(StoreError):
        Watch(store, home).look()


def test_who_starts_while_the_newest_is_refused_serves_the_one_before_as_the_others_do(
    newest: tuple[Watch, Path, Path], home: Home
) -> None:
    watch, snapshot, _ = newest
    changed(snapshot / "index.bin")
    assert is_refused(watch.take_over(), "snapshot 2")
    assert is_refused(Watch(watch.store, home).take_over(), "snapshot 2")


def test_what_came_after_the_one_that_is_refused_is_not_put_in_service(
    newest: tuple[Watch, Path, Path], home: Home
) -> None:
    watch, _, _ = newest
    (older,) = home.served.glob("1-*")
    (home.served / CURRENT).write_text(f"{older.name}\n")  # back from the second
    changed(older / "index.bin")
    found = Watch(watch.store, home).take_over()
    assert (found.in_service, found.refused) == (None, "snapshot 1")


def test_a_name_that_was_lost_undoes_no_rollback_at_the_next_start_and_is_said(
    newest: tuple[Watch, Path, Path], home: Home
) -> None:
    before, _, _ = newest
    (home.served / CURRENT).unlink()
    watch = Watch(before.store, home)
    found = watch.look()
    watch.close()
    assert (found.in_service, found.refused) == (None, "name in service")
    assert current(home) is None


def test_a_set_that_was_written_anew_meanwhile_is_followed(
    newest: tuple[Watch, Path, Path], home: Home
) -> None:
    watch, snapshot, bundle = newest
    changed(bundle / "booster.txt")
    assert is_refused(watch.take_over(), "models of publication 2")
    erase_accounts(home, {"bolt"})
    assert snapshot.is_dir() is False
    for _ in range(2):
        found = watch.take_over()
    assert is_refused(found, "models of publication 2")
    assert found.in_service is not None
    assert found.in_service.snapshot.find("bolt") is None
    assert found.in_service.snapshot.folder.is_dir()


class At:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def aged(
    home: Home, scored_company: Company, bundles: dict[str, Bundle]
) -> Iterator[tuple[Parts, At]]:
    """Give an open service that does not answer scores of over 20 days any more."""
    clock = At(AT)
    settings = Settings(home=home, stale_after_days=8, refuse_after_days=20)
    with closing(open_parts(settings, now=clock)) as parts:
        publish(parts.store, home, scored_company(bundles), AT)
        parts.watch.look()
        yield parts, clock


def asked(parts: Parts) -> schema.ScoresAnswer:
    written = scores(parts, CALLER, schema.ScoresRequest(["acme"]))
    return msgspec.json.decode(written.body, type=schema.ScoresAnswer)


@pytest.mark.parametrize(("days", "stale"), [(0, False), (7.9, False), (8.1, True), (19.9, True)])
def test_old_scores_are_marked(aged: tuple[Parts, At], days: float, *, stale: bool) -> None:
    parts, clock = aged
    clock.now = datetime(2026, 3, 2) + timedelta(days=days)  # noqa: DTZ001 - naive UTC
    found = asked(parts)
    assert found.stale is stale
    assert found.age_hours == found.accounts[0].age_hours == pytest.approx(days * 24, abs=0.01)
    assert answers.health(parts, look(parts)).status == ("stale" if stale else "ok")


def test_too_old_scores_are_refused(aged: tuple[Parts, At]) -> None:
    parts, clock = aged
    clock.now = AT + timedelta(days=20)
    for ask in (
        lambda: asked(parts),
        lambda: answers.account(parts, CALLER, "acme"),
        lambda: answers.work_list(parts, CALLER, schema.WorklistQuery()),
    ):
        with pytest.raises(RefusedError) as refused:
            ask()
        assert (refused.value.status, refused.value.code) == (503, "too_old")
    assert answers.models(parts, CALLER).age_hours > 20 * 24


def test_too_old_scores_are_refused_to_a_cursor_too(
    aged: tuple[Parts, At], scored_company: Company, bundles: dict[str, Bundle]
) -> None:
    parts, clock = aged
    clock.now = AT + timedelta(days=19, hours=21, minutes=30)
    cursor = Cursor(1, 0).to_text(parts.signer, CALLER.principal.who, clock.now)
    publish(parts.store, parts.settings.home, scored_company(bundles, clock.now), clock.now)
    parts.watch.take_over()
    answers.work_list(parts, CALLER, schema.WorklistQuery(cursor=cursor))
    clock.now += timedelta(minutes=45)
    with pytest.raises(RefusedError) as refused:
        answers.work_list(parts, CALLER, schema.WorklistQuery(cursor=cursor))
    assert refused.value.code == "too_old"


def test_a_clock_that_is_set_back_harms_nothing(
    aged: tuple[Parts, At], scored_company: Company, bundles: dict[str, Bundle]
) -> None:
    parts, clock = aged
    clock.now = datetime(2016, 1, 1)  # noqa: DTZ001 - naive UTC
    assert (asked(parts).age_hours, asked(parts).stale) == (0.0, False)
    publish(parts.store, parts.settings.home, scored_company(bundles), clock.now)
    found = parts.watch.take_over().in_service
    assert found is not None
    assert found.publication.number == 2
    assert json.loads(msgspec.json.encode(asked(parts)))["age_hours"] == 0.0
