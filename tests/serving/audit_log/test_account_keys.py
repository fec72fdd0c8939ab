"""What accounts are called in the audit log: by keys that only the store has."""

import hashlib
import hmac

import pytest
import sqlalchemy as sa

from features.errors import StoreError
from serving.audit_log.account_keys import Pseudonyms, key_of, make_keys, pseudonym
from serving.store import tables
from serving.store.database import Store


def kept(store: Store) -> dict[str, str]:
    with store.reading() as connection:
        rows = connection.execute(sa.select(tables.account_keys))
        return {row.account_id: row.key for row in rows}


def test_a_pseudonym_is_an_hmac_under_the_accounts_own_key(store: Store) -> None:
    acme, bolt = Pseudonyms(store).of(["acme", "bolt"])
    keys = kept(store)
    expected = hmac.new(bytes.fromhex(keys["acme"]), b"acme", hashlib.sha256).hexdigest()[:32]
    assert acme == expected == pseudonym("acme", keys["acme"])
    assert keys["acme"] != keys["bolt"]
    assert len({acme, bolt}) == 2


def test_every_process_calls_an_account_the_same(store: Store) -> None:
    names = [f"a-{number}" for number in range(1200)]
    first, second = Pseudonyms(store).of(names), Pseudonyms(store).of(names[::-1])
    assert first == second[::-1]


def test_a_key_that_is_there_is_not_made_anew(store: Store) -> None:
    with store.writing() as connection:
        make_keys(connection, ["acme"])
    before = kept(store)
    with store.writing() as connection:
        make_keys(connection, ["acme", "bolt"])
    assert kept(store)["acme"] == before["acme"]


def test_of_many_accounts_only_the_last_are_kept_in_memory(store: Store) -> None:
    few, many = Pseudonyms(store, most=10), Pseudonyms(store)
    names = [f"a-{number}" for number in range(25)]
    for first in range(0, 25, 4):
        some = names[first : first + 4]
        assert few.of(some) == many.of(some)
        assert len(few._cached) <= 10  # noqa: SLF001 - what it holds is what this is about


def test_no_pseudonym_can_be_traced_once_its_key_is_destroyed(store: Store) -> None:
    (before,) = Pseudonyms(store).of(["acme"])
    with store.writing() as connection:
        connection.execute(sa.delete(tables.account_keys))
    assert key_of(store, "acme") is None
    assert Pseudonyms(store).of(["acme"]) != [before]


def test_no_key_is_made_anew_of_an_account_that_was_erased(store: Store) -> None:
    pseudonyms = Pseudonyms(store, is_erased=lambda account_id: account_id == "acme")
    with pytest.raises(StoreError, match="one that is erased"):
        pseudonyms.of(["bolt", "acme"])
    assert kept(store) == {}
