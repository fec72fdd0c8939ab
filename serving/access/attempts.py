"""Logins that failed, counted in the store: who goes on guessing waits longer and longer.

What was typed as a login is counted alike whether there is such a user or not, so that nobody can
tell users from others. A wait ends by itself, and what is tried meanwhile does not make it longer.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from serving.access.users import plain_login
from serving.store import tables
from serving.store.database import Store

FORGOTTEN = timedelta(days=1)  # failures
KEPT = timedelta(days=30)  # from where somebody logged in
MOST_DOUBLINGS = 20
NOTHING = timedelta(0)


@dataclass(frozen=True)
class Rule:
    """How long to wait after a failure.

    Attributes
    ----------
    free:
        Failures without a wait.
    first, most:
        Seconds to wait after the next one, which double with each, and how many at most.
    """

    free: int
    first: float
    most: float

    def wait(self, failures: int) -> timedelta:
        """Give how long nothing is tried after so many failures."""
        beyond = failures - self.free
        if beyond <= 0:
            return NOTHING
        return timedelta(seconds=min(self.first * 2 ** min(beyond - 1, MOST_DOUBLINGS), self.most))


OF_BOTH = Rule(free=5, first=30, most=900)
# From many addresses, or for many logins: short, for those wait too who do not guess. Who logs in
# from where they did before does not wait for what others try from elsewhere.
OF_LOGIN = Rule(free=20, first=5, most=60)
OF_ADDRESS = Rule(free=50, first=5, most=60)


def begin(store: Store, login: str, address: str, now: datetime) -> timedelta:
    """Count a try as failed before it is looked at; `succeed` takes that back.

    Counted first, many tries at once are as many failures as one after another.

    Returns
    -------
    timedelta
        Nothing if it may be tried; else how long to wait, and it was not counted.
    """
    failed = tables.failed_logins
    with store.writing() as connection:
        connection.execute(sa.delete(failed).where(failed.c.last_at <= now - KEPT))
    with store.writing() as connection:
        counted = {
            tried: (rule, *_found(connection, tried, now)) for tried, rule in _rules(login, address)
        }
        is_known = connection.execute(_asked(_name("known", login, address))).first() is not None
        waits = [
            last_at + rule.wait(failures) - now
            for rule, failures, last_at in counted.values()
            if not (is_known and rule is OF_LOGIN)
        ]
        if (longest := max(waits)) > NOTHING:
            return longest
        for tried, (_, failures, _) in counted.items():
            _put(connection, tried, failures + 1, now)
    return NOTHING


def succeed(store: Store, login: str, address: str, now: datetime) -> None:
    """Forget the failures of a login from this address, and take back what the try counted."""
    failed = tables.failed_logins
    of_both, *others = (tried for tried, _ in _rules(login, address))
    with store.writing() as connection:
        connection.execute(sa.delete(failed).where(failed.c.tried == of_both))
        one_less = sa.update(failed).where(failed.c.tried.in_(others), failed.c.failures > 0)
        connection.execute(one_less.values(failures=failed.c.failures - 1))
        known = _name("known", login, address)
        _found(connection, known, now)
        _put(connection, known, 0, now)


def _rules(login: str, address: str) -> list[tuple[str, Rule]]:
    """Give what a try is counted under, always in the same order: locks are taken in it."""
    return [
        (_name("both", login, address), OF_BOTH),
        (_name("login", login, ""), OF_LOGIN),
        (_name("address", "", address), OF_ADDRESS),
    ]


def _name(kind: str, login: str, address: str) -> str:
    """Give a name from which nobody reads what was typed: it may have been a password."""
    return hashlib.sha256("\0".join((kind, plain_login(login), address)).encode()).hexdigest()


def _found(connection: Connection, tried: str, now: datetime) -> tuple[int, datetime]:
    """Give what was counted, and keep others from counting before this is committed."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"tried": tried, "failures": 0, "last_at": now}
    unless_there = dialect.insert(tables.failed_logins).values(**row).on_conflict_do_nothing()
    connection.execute(unless_there)
    found = connection.execute(_asked(tried).with_for_update()).one()
    failures, last_at = found.failures, found.last_at
    return (0 if last_at <= now - FORGOTTEN else failures), last_at


def _asked(tried: str) -> sa.Select[tuple[int, datetime]]:
    failed = tables.failed_logins
    return sa.select(failed.c.failures, failed.c.last_at).where(failed.c.tried == tried)


def _put(connection: Connection, tried: str, failures: int, now: datetime) -> None:
    failed = tables.failed_logins
    changed = sa.update(failed).where(failed.c.tried == tried)
    connection.execute(changed.values(failures=failures, last_at=now))
