"""What an account is called in the audit log: an HMAC under a key that only the store knows.

With the key the log tells who read an account; once the key is destroyed, no row can be traced to
it, and the log still holds together.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from features.errors import StoreError
from features.tombstones import nobody
from serving.store import tables
from serving.store.database import Store
from serving.store.lookup import IDS_A_QUERY

KEY_BYTES = 32
PSEUDONYM = 32  # hexadecimal digits: 128 bits
MOST_CACHED = 50_000


@dataclass
class Pseudonyms:
    """Gives pseudonyms; those given last are kept in memory.

    Attributes
    ----------
    store:
        Where the keys are.
    most:
        When so many are kept, all are let go: also what an erased account was called.
    is_erased:
        Asked once a key is made, so that an erasure destroys it, or is seen here.
    """

    store: Store
    most: int = MOST_CACHED
    is_erased: Callable[[str], bool] = nobody
    _cached: dict[str, str] = field(default_factory=dict, repr=False)

    def of(self, account_ids: Sequence[str]) -> list[str]:
        """Give the pseudonyms of accounts, in their order; a key that lacks is made.

        Raises
        ------
        StoreError
            If a key is not in memory and the store does not answer, or the account was erased.
        """
        cached = self._cached
        try:
            return [cached[one] for one in account_ids]
        except KeyError:
            pass
        lacking = [one for one in account_ids if one not in cached]
        with self.store.reading() as connection:
            keys = _keys(connection, lacking)
        if len(keys) < len(lacking):
            new = [one for one in lacking if one not in keys]
            with self.store.writing() as connection:
                make_keys(connection, new)
                if any(map(self.is_erased, new)):
                    raise StoreError("Expected accounts, got one that is erased. Ask again.")
            with self.store.reading() as connection:
                keys = _keys(connection, lacking)
        found = {one: pseudonym(one, key) for one, key in keys.items()}
        given = [found.get(one) or cached[one] for one in account_ids]
        if len(cached) + len(found) > self.most:
            cached = self._cached = {}
        cached.update(found)
        return given


def pseudonym(account_id: str, key: str) -> str:
    """Give what an account is called under a key."""
    return hmac.digest(bytes.fromhex(key), account_id.encode(), "sha256").hex()[:PSEUDONYM]


def make_keys(connection: Connection, account_ids: Iterable[str]) -> None:
    """Make the keys of accounts that have none, in the transaction of a publication."""
    rows = [{"account_id": one, "key": secrets.token_hex(KEY_BYTES)} for one in account_ids]
    if not rows:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(insert(tables.account_keys).on_conflict_do_nothing(), rows)


def key_of(store: Store, account_id: str) -> str | None:
    """Give an account's key; None when it was never read, or was erased."""
    with store.reading() as connection:
        return _keys(connection, [account_id]).get(account_id)


def _keys(connection: Connection, account_ids: Sequence[str]) -> dict[str, str]:
    kept = tables.account_keys
    found: dict[str, str] = {}
    for first in range(0, len(account_ids), IDS_A_QUERY):
        some = account_ids[first : first + IDS_A_QUERY]
        query = sa.select(kept.c.account_id, kept.c.key).where(kept.c.account_id.in_(some))
        found.update((row.account_id, row.key) for row in connection.execute(query))
    return found
