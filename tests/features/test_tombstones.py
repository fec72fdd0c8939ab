"""An erasure waits for what is at work in a home, and what comes later waits for it."""

from datetime import date
from threading import Event, Thread

from features.home import Home
from features.tombstones import Tombstones, at_work, bury, erasing, read_tombstones

TODAY = date(2026, 3, 2)


def test_an_erasure_waits_until_nobody_is_at_work(home: Home) -> None:
    waits, said = Event(), []

    def say(line: str) -> None:
        said.append(line)
        waits.set()

    def erase() -> None:
        with erasing(home, say):
            bury(home, ["a"], TODAY)

    with at_work(home), at_work(home):
        thread = Thread(target=erase)
        thread.start()
        assert waits.wait(timeout=60)
        assert not home.tombstones.exists()
    thread.join(timeout=60)
    assert read_tombstones(home).has("a")
    assert "at work in this home" in said[0]


def test_who_begins_to_work_waits_for_an_erasure(home: Home) -> None:
    found: list[bool] = []

    def work() -> None:
        with at_work(home):
            found.append(read_tombstones(home).has("a"))

    with erasing(home):
        thread = Thread(target=work)
        thread.start()
        bury(home, ["a"], TODAY)
    thread.join(timeout=60)
    assert found == [True]


def test_what_was_merged_into_an_erased_account_counts_as_erased_however_far(home: Home) -> None:
    with erasing(home):
        kept = bury(home, ["a"], TODAY)
    merged = kept.with_merged([("b", "a"), ("c", "b"), ("d", "e"), ("a", "f"), (None, "a")])
    assert merged.among(["a", "b", "c", "d", "e", "f"]) == {"a", "b", "c"}


def test_where_nothing_was_erased_nobody_is(home: Home) -> None:
    none = read_tombstones(home)
    assert none == Tombstones()
    assert not none
    assert none.among(["a"]) == frozenset()
    assert none.with_merged([("a", "b")]) is none
