"""Tokens in a worker's memory: for a second, and for a while when the store is away."""

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from features.errors import StoreError
from serving.access import recognised as recognised_module
from serving.access.recognised import FRESH_SECONDS, TRUSTED_SECONDS, Recognised
from serving.access.tokens import add_token, kept_token, revoke_token
from serving.store.database import Store, open_store

NOW = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_token_is_remembered_for_a_second_and_asked_about_again_then(
    store: Store, clock: Clock
) -> None:
    token_id = add_token(store, "crm", ["read"], NOW).split("_")[1]
    recognised = Recognised(store, kept_token, clock)
    assert recognised.remembered(token_id) is None
    recognised.ask(token_id)
    revoke_token(store, "crm", NOW)
    clock.seconds += FRESH_SECONDS / 2
    remembered = recognised.remembered(token_id)
    assert remembered is not None
    assert remembered.state(NOW) == "live"
    clock.seconds += FRESH_SECONDS / 2
    assert recognised.remembered(token_id) is None
    asked = recognised.ask(token_id)
    assert asked is not None
    assert asked.state(NOW) == "revoked"


def test_an_expiry_counts_to_the_moment_in_memory_too(store: Store, clock: Clock) -> None:
    ends = NOW + timedelta(milliseconds=100)
    token_id = add_token(store, "crm", ["read"], NOW, ends).split("_")[1]
    kept = Recognised(store, kept_token, clock).ask(token_id)
    assert kept is not None
    assert (kept.state(NOW), kept.state(ends)) == ("live", "expired")


def test_what_does_not_exist_is_not_remembered(store: Store, clock: Clock) -> None:
    recognised = Recognised(store, kept_token, clock)
    assert recognised.ask("0" * 12) is None
    assert recognised.remembered("0" * 12) is None


def test_while_the_store_is_away_what_it_said_last_counts_for_a_while(
    tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "store.db"
    store = open_store(f"sqlite:///{path}")
    known, other = (add_token(store, name, ["read"], NOW).split("_")[1] for name in "ab")
    recognised = Recognised(store, kept_token, clock)
    recognised.ask(known)
    store.close()
    path.write_bytes(b"no database any more" * 99)
    clock.seconds += TRUSTED_SECONDS - 1
    assert recognised.ask(known) is not None
    assert recognised.remembered(known) is not None  # the next requests do not wait for it either
    with pytest.raises(StoreError):
        recognised.ask(other)
    clock.seconds += 1
    assert recognised.remembered(known) is None
    with pytest.raises(StoreError):
        recognised.ask(known)


def test_requests_of_one_moment_ask_the_store_once(store: Store, clock: Clock) -> None:
    asked = []

    def look(_store: Store, token_id: str) -> str:
        time.sleep(0.05)
        asked.append(token_id)
        return token_id.upper()

    async def all_at_once() -> list[str | None]:
        recognised = Recognised(store, look, clock)
        return await asyncio.gather(*[recognised.told(one) for one in ("a", "b") * 20])

    assert asyncio.run(all_at_once()) == ["A", "B"] * 20
    assert sorted(asked) == ["a", "b"]


def test_a_change_or_a_second_makes_the_next_request_ask_for_itself(
    store: Store, clock: Clock
) -> None:
    answers, waiting = iter(["old", "new", "newer"]), Event()

    def look(_store: Store, _token_id: str) -> str:
        answer = next(answers)
        assert answer != "old" or waiting.wait(10)
        return answer

    async def one_after_the_other() -> list[str | None]:
        recognised = Recognised(store, look, clock)
        slow = asyncio.create_task(recognised.told("a"))
        await asyncio.sleep(0.05)
        recognised.forget("a")
        changed = await recognised.told("a")
        clock.seconds += FRESH_SECONDS
        later = await recognised.told("a")
        waiting.set()
        return [await slow, changed, later]

    assert asyncio.run(one_after_the_other()) == ["old", "new", "newer"]


def test_a_store_that_is_away_is_told_to_each_who_waits(store: Store, clock: Clock) -> None:
    def look(_store: Store, _token_id: str) -> str:
        raise StoreError("away")

    async def both() -> list[str | BaseException | None]:
        recognised = Recognised(store, look, clock)
        return await asyncio.gather(
            recognised.told("a"), recognised.told("a"), return_exceptions=True
        )

    assert [str(one) for one in asyncio.run(both())] == ["away", "away"]


def test_a_store_that_hangs_is_as_good_as_away(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognised_module, "HANGING_SECONDS", 0.05)
    hangs, goes_on = Event(), Event()

    def look(_store: Store, token_id: str) -> str:
        assert not hangs.is_set() or goes_on.wait(30)
        return token_id

    async def while_it_hangs() -> str | None:
        recognised = Recognised(store, look, clock)
        recognised.ask("met")
        hangs.set()
        clock.seconds += FRESH_SECONDS
        try:
            with pytest.raises(StoreError, match=r"within 0\.05 s, got nothing"):
                await recognised.told("new")
            return await recognised.told("met")
        finally:
            goes_on.set()

    assert asyncio.run(while_it_hangs()) == "met"
