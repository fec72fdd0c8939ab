"""Users: who they are, whose accounts they see, and what ends what they have open."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from features.errors import AccessError
from serving.access import attempts
from serving.access.kept_sessions import kept_session, open_session, session_id
from serving.access.passwords import FEWEST, fits, hashed, new_password
from serving.access.users import (
    KeptUser,
    Place,
    add_user,
    disable_user,
    enable_user,
    list_users,
    set_password,
    set_role,
    user_of,
)
from serving.store import tables
from serving.store.database import Store

NOW = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
DAY = timedelta(days=1)
PASSWORD = "correct horse battery"  # noqa: S105 - of these tests
ANN, LEAD, ADMIN = Place("csm", "Ann", "north"), Place("lead", team="north"), Place("admin")


def added(store: Store, login: str, place: Place = ANN, password: str | None = None) -> KeptUser:
    add_user(store, login, "Somebody", place, NOW, password)
    user = user_of(store, login)
    assert user is not None
    return user


def test_a_login_is_one_whatever_its_case(store: Store) -> None:
    added(store, "Ann@Example.com")
    assert [user.login for user in list_users(store)] == ["ann@example.com"]
    assert user_of(store, " ANN@example.COM ") is not None
    with pytest.raises(AccessError, match="Expected a new login"):
        added(store, "ann@EXAMPLE.com")


def test_of_a_password_only_a_slow_hash_is_kept(store: Store) -> None:
    user = added(store, "ann@example.com", password=PASSWORD)
    assert user.password_hash is not None
    assert user.password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=2$")
    assert fits(user.password_hash, PASSWORD)
    assert not fits(user.password_hash, PASSWORD.upper())
    assert not fits(None, PASSWORD)
    assert not fits("no hash", PASSWORD)
    assert user.password_hash not in repr(user)


def test_a_password_made_at_random_is_taken_and_another_each_time() -> None:
    made = {new_password() for _ in range(9)}
    assert len(made) == 9
    assert all(len(one) >= FEWEST for one in made)


@pytest.mark.parametrize("password", ["", "a" * (FEWEST - 1), "a" * FEWEST, "ab1" * 99])
def test_a_password_that_is_easily_guessed_is_refused_and_not_said_back(password: str) -> None:
    with pytest.raises(AccessError, match="Expected a password") as refused:
        hashed(password)
    assert not password or password not in str(refused.value)


def test_a_csm_sees_the_own_book_a_lead_the_teams_and_an_admin_all(store: Store) -> None:
    ann = added(store, "ann@example.com")
    added(store, "bob@example.com", Place("csm", "Bob", "north"))
    added(store, "cem@example.com", Place("csm", "Cem", "south"))
    added(store, "dee@example.com", Place("csm", "Dee"))
    lead = added(store, "lead@example.com", LEAD)
    admin = added(store, "admin@example.com", ADMIN)
    assert (ann.books, lead.books, admin.books) == ({"Ann"}, {"Ann", "Bob"}, None)


def test_a_lead_of_a_team_without_members_sees_nothing(store: Store) -> None:
    assert added(store, "lead@example.com", LEAD).books == frozenset()


def test_the_book_of_who_has_left_stays_the_teams_until_it_is_anothers(store: Store) -> None:
    added(store, "ann@example.com")
    added(store, "lead@example.com", LEAD)
    disable_user(store, "ann@example.com", NOW)
    lead = user_of(store, "lead@example.com")
    assert lead is not None
    assert lead.books == {"Ann"}


def test_a_role_that_this_code_does_not_know_sees_nothing(store: Store) -> None:
    user = added(store, "ann@example.com", ADMIN)
    with store.writing() as connection:
        connection.execute(sa.update(tables.users).values(role="owner", team="north"))
    kept = user_of(store, user.login)
    assert kept is not None
    assert kept.books == frozenset()


@pytest.mark.parametrize(
    "place",
    [
        Place("csm"),
        Place("csm", " "),
        Place("lead"),
        Place("lead", "Ann"),
        Place("admin", team=""),
        Place("root"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(store: Store, place: Place) -> None:
    added(store, "ann@example.com")
    with pytest.raises(AccessError, match="Expected"):
        added(store, "bob@example.com", place)
    with pytest.raises(AccessError, match="Expected"):
        set_role(store, "ann@example.com", place, NOW)
    assert [user.role for user in list_users(store)] == ["csm"]


@pytest.mark.parametrize("login", ["", "ann", "ann@", "a b@example.com", "a@b@c", "a\n@b.com"])
def test_a_login_is_an_address(store: Store, login: str) -> None:
    with pytest.raises(AccessError, match="Expected an e-mail address"):
        added(store, login)


@pytest.mark.parametrize(
    "change",
    [
        lambda store: disable_user(store, "ann@example.com", NOW),
        lambda store: set_password(store, "ann@example.com", PASSWORD, NOW),
        lambda store: set_role(store, "ann@example.com", Place("csm", "Bob"), NOW),
        lambda store: set_role(store, "ann@example.com", Place("csm", "Ann"), NOW),
    ],
)
def test_each_change_ends_sessions_and_enabling_does_not_bring_them_back(
    store: Store, change: Callable[[Store], object]
) -> None:
    user = added(store, "ann@example.com")
    kept = kept_session(store, session_id(open_session(store, user, NOW, DAY)))
    assert kept is not None
    assert kept.principal(NOW, NOW + DAY) is not None
    change(store)
    enable_user(store, "ann@example.com", NOW)
    assert kept_session(store, kept.session_id) is None
    late = kept_session(store, session_id(open_session(store, user, NOW, DAY)))
    assert late is not None  # opened by who was known as they were before the change
    assert late.principal(NOW, NOW + DAY) is None


def test_changing_who_is_not_there_is_an_error(store: Store) -> None:
    for change in (disable_user, enable_user):
        with pytest.raises(AccessError, match="Expected the login of a user"):
            change(store, "nobody@example.com", NOW)


def test_changes_of_users_leave_an_audit_trail(store: Store) -> None:
    user = added(store, "ann@example.com")
    set_password(store, "ann@example.com", PASSWORD, NOW)
    set_role(store, "ann@example.com", LEAD, NOW)
    disable_user(store, "ann@example.com", NOW)
    enable_user(store, "ann@example.com", NOW)
    with store.reading() as connection:
        rows = connection.execute(sa.select(tables.audit.c.action, tables.audit.c.object)).all()
    actions = ["add user", "change password", "change role", "disable user", "enable user"]
    assert [tuple(row) for row in rows] == [(action, user.user_id) for action in actions]


# Logins that failed


def tries(store: Store, login: str, address: str, number: int, now: datetime = NOW) -> timedelta:
    return [attempts.begin(store, login, address, now) for _ in range(number)][-1]


def test_waits_grow_and_end_by_themselves(store: Store) -> None:
    now, waits = NOW, []
    assert tries(store, "a@b", "10.0.0.1", 5) == timedelta(0)
    for _ in range(8):
        assert attempts.begin(store, "a@b", "10.0.0.1", now) == timedelta(0)
        wait = attempts.begin(store, "a@b", "10.0.0.1", now)
        assert attempts.begin(store, "a@b", "10.0.0.1", now) == wait  # no longer by trying on
        waits.append(int(wait.total_seconds()))
        now += wait
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_who_succeeds_begins_anew(store: Store) -> None:
    tries(store, "a@b", "10.0.0.1", 5)
    attempts.succeed(store, "A@b", "10.0.0.1", NOW)
    assert tries(store, "a@b", "10.0.0.1", 6) == timedelta(0)


def test_many_tries_at_once_are_as_many_failures(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: tries(store, "a@b", "10.0.0.1", 1), range(16)))
    assert waits.count(timedelta(0)) == 6


def test_many_addresses_for_one_login_wait_and_its_owner_does_not(store: Store) -> None:
    attempts.succeed(store, "a@b", "10.0.0.1", NOW)
    for number in range(21):
        tries(store, "a@b", f"10.0.1.{number}", 1)
    assert tries(store, "a@b", "10.0.2.1", 1) > timedelta(0)
    assert tries(store, "a@b", "10.0.0.1", 1) == timedelta(0)
    assert tries(store, "other@b", "10.0.2.1", 1) == timedelta(0)


def test_one_address_for_many_logins_waits_a_minute_at_most(store: Store) -> None:
    now, waits = NOW, []
    for number in range(50):
        assert tries(store, f"{number}@b", "10.0.0.1", 1) == timedelta(0)
    for number in range(50, 57):
        assert tries(store, f"{number}@b", "10.0.0.1", 1, now) == timedelta(0)
        wait = tries(store, "last@b", "10.0.0.1", 1, now)
        waits.append(int(wait.total_seconds()))
        now += wait
    assert waits == [5, 10, 20, 40, 60, 60, 60]
    assert tries(store, "last@b", "10.0.0.2", 1, now) == timedelta(0)


def test_failures_are_forgotten_after_a_day(store: Store) -> None:
    tries(store, "a@b", "10.0.0.1", 6)
    later = NOW + timedelta(days=1)
    assert tries(store, "a@b", "10.0.0.1", 6, later) == timedelta(0)


def test_a_login_with_a_zero_character_is_nobodys_in_either_database(store: Store) -> None:
    assert user_of(store, "ann\0@example.com") is None
