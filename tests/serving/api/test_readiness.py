"""Which part is missing, as anyone may ask and as an operator is told."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from features.errors import StoreError
from features.home import Home
from models.bundle import Bundle
from serving.access.tokens import add_token
from serving.api.readiness import PARTS, Readiness, look
from serving.parts import Parts, open_parts, utc_now
from serving.publishing.publish import Scored, publish
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import ServeParts


@pytest.fixture
def parts(
    tmp_path: Path, bundles: dict[str, Bundle], scored_company: Callable[..., Scored]
) -> Iterator[Parts]:
    opened = open_parts(Settings(home=Home(tmp_path / "home")))
    publish(opened.store, opened.settings.home, scored_company(bundles), utc_now())
    yield opened
    opened.close()


def without_store(parts: Parts) -> None:
    parts.watch.look()
    parts.store.close()
    parts.settings.home.store.write_bytes(b"no database" * 999)


def without_audit_log(parts: Parts) -> None:
    parts.settings.home.audit_log.write_text("a file where the folder should be")


def at_its_end(parts: Parts) -> None:
    parts.load.is_ending = True


@pytest.mark.parametrize(
    ("spoil", "missing", "status"),
    [
        (lambda _: None, [], (200, "ready")),
        (without_store, ["store"], (200, "degraded")),
        (without_audit_log, ["audit_log"], (503, "not_ready")),
        (at_its_end, ["server"], (503, "not_ready")),
    ],
)
def test_it_names_the_part_that_is_missing_and_says_nothing_else(
    parts: Parts,
    serve_parts: "ServeParts",
    spoil: Callable[[Parts], None],
    missing: list[str],
    status: tuple[int, str],
) -> None:
    headers = {"authorization": f"Bearer {add_token(parts.store, 'op', ['read'], utc_now())}"}
    with serve_parts(parts) as url, httpx.Client(base_url=url, headers=headers) as client:
        client.get("/openapi.json")  # the token is known from now on
        spoil(parts)
        probed, health = client.get("/readyz"), client.get("/healthz").json()
        metrics = client.get("/metrics").text
    assert (probed.status_code, probed.json()) == (
        status[0],
        {"status": status[1], "missing": missing},
    )
    assert health["missing"] == missing
    for part in PARTS:
        assert f'tenure_part_missing{{part="{part}"}} {float(part in missing)}' in metrics


def test_on_the_first_day_there_are_no_scores_to_answer(tmp_path: Path) -> None:
    parts = open_parts(Settings(home=Home(tmp_path)))
    found = look(parts)
    parts.close()
    assert (found.missing, found.is_ready) == (("snapshot",), False)


def test_what_was_away_is_back_without_anybody_reading(parts: Parts) -> None:
    without_audit_log(parts)
    away = look(parts).missing
    parts.settings.home.audit_log.unlink()
    assert (away, look(parts).missing) == (("audit_log",), ())


def test_a_look_leaves_no_file(parts: Parts) -> None:
    look(parts)
    assert [*parts.settings.home.audit_log.iterdir()] == []


def test_however_many_ask_the_store_is_asked_once_a_second(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def reading() -> None:
        asked.append(1)
        raise StoreError("Expected the store to answer, got nothing. Start it.")

    parts.watch.look()
    monkeypatch.setattr(type(parts.store), "reading", lambda _: reading())

    async def many() -> list[tuple[str, ...]]:
        readiness = Readiness(parts)
        found = await asyncio.gather(*(readiness.found() for _ in range(50)))
        return [each.missing for each in [*found, await readiness.found()]]

    assert asyncio.run(many()) == [("store",)] * 51
    assert len(asked) == 1
