"""Feedback is recorded exactly once by its key, however often and by how many it is told."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.api.feedback import Feedback, Recorded, record
from serving.api.refusal import RefusedError
from serving.store import tables
from serving.store.database import Store, open_store

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere
TELL = """
import sys
from datetime import datetime
from serving.api.feedback import Feedback, record
from serving.store.database import open_store
store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    told = Feedback("acme", "contacted", None, f"key {number}")
    print(record(store, told, sys.argv[2], datetime(2026, 3, 3)).feedback_id)
store.close()
"""
REQUESTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["contacted", "will_leave"])),
    min_size=2,
    max_size=24,
)


def answer(store: Store, key: str, kind: str) -> Recorded | None:
    """Tell feedback; None where the key was used for other feedback."""
    try:
        return record(store, Feedback("acme", kind, None, key), "a token", NOW)
    except RefusedError as refused:
        return None if refused.status == HTTPStatus.CONFLICT else pytest.fail(str(refused))


def rows(store: Store, table: sa.Table) -> list[sa.RowMapping]:
    with store.reading() as connection:
        return list(connection.execute(sa.select(table)).mappings())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_at_once_with_few_keys_and_two_contents(
    kind: str, new_store_url: Callable[..., AbstractContextManager[str]], tmp_path: Path
) -> None:
    with new_store_url(kind, tmp_path) as url, closing(open_store(url)) as store:
        seen: set[str] = set()

        @settings(max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
        @given(requests=REQUESTS)
        def told(requests: list[tuple[int, str]]) -> None:
            example = f"{len(seen)} {len(rows(store, tables.feedback))}"
            keyed = [(f"{example} {number}", content) for number, content in requests]
            with ThreadPoolExecutor(12) as pool:
                answers = list(pool.map(lambda each: answer(store, *each), keyed))
            seen.update(key for key, _ in keyed)
            kept = {row["idempotency_key"]: row for row in rows(store, tables.feedback)}
            assert set(kept) == seen
            for (key, content), answered in zip(keyed, answers, strict=True):
                row = kept[key]
                assert (answered is None) == (content != row["kind"])
                assert answered is None or answered.feedback_id == row["feedback_id"]

        told()
        assert len(rows(store, tables.feedback)) == len(seen) == len(rows(store, tables.audit))


def test_processes_that_tell_the_same_get_the_same_answers(store_url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", TELL, store_url]
    tellers = [
        Popen([*command, f"token {number}"], stdin=PIPE, stdout=PIPE, text=True)
        for number in range(3)
    ]
    for teller in tellers:
        assert teller.stdout is not None
        assert teller.stdout.readline() == "ready\n"
    answers = {teller.communicate("go\n", timeout=120)[0] for teller in tellers}
    (answered,) = answers
    with closing(open_store(store_url)) as store:
        assert [str(row["feedback_id"]) for row in rows(store, tables.feedback)] == answered.split()
        assert len(rows(store, tables.audit)) == 40


def test_without_its_unique_key_feedback_would_be_recorded_twice(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}")) as store:
        with store.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE feedback RENAME TO keyed")
            connection.exec_driver_sql("CREATE TABLE feedback AS SELECT * FROM keyed")
        answers = []
        with pytest.raises(sa.exc.MultipleResultsFound):
            answers += [answer(store, "k", "contacted") for _ in range(2)]


def test_feedback_on_an_account_that_was_erased_meanwhile_is_refused_and_not_kept(
    store: Store,
) -> None:
    told = Feedback("acme", "contacted", "a note", "a key")
    with pytest.raises(RefusedError) as refused:
        record(store, told, "a token", NOW, lambda account_id: account_id == "acme")
    assert refused.value.status == HTTPStatus.NOT_FOUND
    assert rows(store, tables.feedback) == []
    assert rows(store, tables.audit) == []
