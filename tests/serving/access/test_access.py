"""Tokens and sessions: what is forged, old or revoked opens nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from features.errors import AccessError
from features.home import Home
from serving.access.recognised import Recognised
from serving.access.session import Session, is_marked, new_signer
from serving.access.tokens import (
    add_token,
    kept_token,
    list_tokens,
    principal_of,
    revoke_token,
    rotate_token,
)
from serving.settings import Settings
from serving.store import tables
from serving.store.database import Store

NOW = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere


def test_a_token_opens_what_it_was_made_for(store: Store) -> None:
    token = add_token(store, "crm", ["score", "feedback"], NOW)
    principal = principal_of(store, token, NOW)
    assert principal is not None
    allowed = [scope for scope in ("score", "read", "feedback", "admin") if principal.may(scope)]
    assert allowed == ["score", "feedback"]
    assert principal.may(None)


def test_admin_includes_the_other_scopes(store: Store) -> None:
    principal = principal_of(store, add_token(store, "root", ["admin"], NOW), NOW)
    assert principal is not None
    assert principal.may("predict")


def test_the_secret_is_nowhere_in_the_store(store: Store) -> None:
    secret = add_token(store, "crm", ["read"], NOW).split("_", 2)[2]
    with store.reading() as connection:
        rows = [
            row
            for table in (tables.tokens, tables.audit)
            for row in connection.execute(sa.select(table))
        ]
    assert rows
    assert secret not in repr(rows)


def _with_other_secret(token: str) -> str:
    last = "A" if token[-1] != "A" else "B"
    return token[:-1] + last


def test_a_forged_token_opens_nothing(store: Store) -> None:
    token = add_token(store, "crm", ["read"], NOW)
    unknown = token.replace(token.split("_")[1], "0" * 12)
    for forged in (
        _with_other_secret(token),
        unknown,
        token + "x",
        token[:-1],
        "",
        "tenure__",
        "é",
    ):
        assert principal_of(store, forged, NOW) is None
    assert principal_of(store, token, NOW) is not None


def test_an_expired_token_opens_nothing(store: Store) -> None:
    token = add_token(store, "guest", ["read"], NOW, expires_at=NOW + timedelta(hours=1))
    assert principal_of(store, token, NOW + timedelta(minutes=59)) is not None
    assert principal_of(store, token, NOW + timedelta(hours=1)) is None


def test_a_revoked_token_opens_nothing_from_then_on(store: Store) -> None:
    token = add_token(store, "crm", ["read"], NOW)
    principal = principal_of(store, token, NOW)
    assert principal is not None
    revoke_token(store, "crm", NOW)
    assert principal_of(store, token, NOW) is None
    assert [listed.revoked_at for listed in list_tokens(store)] == [NOW]


def test_a_name_is_free_again_after_revocation(store: Store) -> None:
    add_token(store, "crm", ["read"], NOW)
    with pytest.raises(AccessError, match="which a live token has"):
        add_token(store, "crm", ["read"], NOW)
    revoke_token(store, "crm", NOW)
    assert add_token(store, "crm", ["read"], NOW)


def test_an_expired_token_leaves_its_name_to_another(store: Store) -> None:
    add_token(store, "crm", ["read"], NOW, expires_at=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=2)
    token = add_token(store, "crm", ["read"], later)
    assert revoke_token(store, "crm", later) == token.split("_")[1]


def test_a_book_is_kept_with_its_token(store: Store) -> None:
    principal = principal_of(store, add_token(store, "ann", ["read"], NOW, book="Ann"), NOW)
    assert principal is not None
    assert principal.books == {"Ann"}
    assert [token.book for token in list_tokens(store)] == ["Ann"]
    with pytest.raises(AccessError, match="name of a CSM as the book"):
        add_token(store, "nobody", ["read"], NOW, book=" ")


# Rotation

SOON = timedelta(minutes=15)


def test_a_rotated_token_has_a_new_secret_and_is_otherwise_the_same(store: Store) -> None:
    ends = NOW + timedelta(days=9)
    old = add_token(store, "ann", ["read"], NOW, ends, "Ann")
    new = rotate_token(store, "ann", NOW, SOON)
    before, after = (principal_of(store, token, NOW) for token in (old, new))
    assert before is not None
    assert after is not None
    assert (after.who, after.scopes, after.books) == (before.who, before.scopes, {"Ann"})
    assert new != old
    assert principal_of(store, new, ends) is None


def test_the_secret_before_lives_on_for_the_overlap_only(store: Store) -> None:
    old = add_token(store, "crm", ["read"], NOW)
    rotate_token(store, "crm", NOW, SOON)
    assert principal_of(store, old, NOW + timedelta(minutes=14)) is not None
    assert principal_of(store, old, NOW + SOON) is None


def test_without_an_overlap_the_secret_before_ends_at_once(
    store: Store,
) -> None:
    old = add_token(store, "crm", ["read"], NOW)
    assert principal_of(store, old, NOW) is not None
    new = rotate_token(store, "crm", NOW, timedelta(0))
    assert principal_of(store, old, NOW) is None
    assert principal_of(store, new, NOW) is not None


def test_a_second_rotation_ends_the_secret_before_the_last(store: Store) -> None:
    first = add_token(store, "crm", ["read"], NOW)
    second = rotate_token(store, "crm", NOW, SOON)
    third = rotate_token(store, "crm", NOW, SOON)
    live = [principal_of(store, token, NOW) is not None for token in (first, second, third)]
    assert live == [False, True, True]


def test_revoking_ends_both_secrets(store: Store) -> None:
    old = add_token(store, "crm", ["read"], NOW)
    new = rotate_token(store, "crm", NOW, SOON)
    revoke_token(store, "crm", NOW)
    assert [principal_of(store, token, NOW) for token in (old, new)] == [None, None]


@pytest.mark.parametrize("change", [revoke_token, lambda *a: rotate_token(*a, SOON)])
def test_a_token_given_for_a_name_is_not_said_back(store: Store, change) -> None:
    token = add_token(store, "crm", ["read"], NOW)
    with pytest.raises(AccessError, match="something with a token in it") as refused:
        change(store, token, NOW)
    assert token not in str(refused.value)
    with pytest.raises(AccessError, match="something with a token in it"):
        add_token(store, token, ["read"], NOW)


def test_no_repr_holds_a_hash_a_key_or_a_password(store: Store) -> None:
    token = add_token(store, "crm", ["read"], NOW)
    kept = kept_token(store, token.split("_")[1])
    assert kept is not None
    recognised = Recognised(store, kept_token, lambda: 0.0)
    recognised.ask(kept.token_id)
    signer = new_signer(hours=1, idle_minutes=50)
    settings = Settings(home=Home(Path("home")), store_url="postgresql://me:hunter2@here/db")
    said = repr((kept, recognised, signer, settings, store))
    assert not [one for one in (kept.secret_hash, repr(signer.key), "hunter2") if one in said]


# What makes no sense


@pytest.mark.parametrize(
    ("name", "scopes"), [("crm", ["write"]), ("crm", []), ("", ["read"]), ("a\nb", ["read"])]
)
def test_a_token_that_makes_no_sense_is_refused(store: Store, name: str, scopes: list[str]) -> None:
    with pytest.raises(AccessError, match="Expected"):
        add_token(store, name, scopes, NOW)
    assert list_tokens(store) == ()


def test_revoking_what_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(AccessError, match="nobody"):
        revoke_token(store, "nobody", NOW)


def test_tokens_leave_an_audit_trail(store: Store) -> None:
    add_token(store, "crm", ["read"], NOW)
    revoke_token(store, "crm", NOW)
    with store.reading() as connection:
        actions = connection.execute(sa.select(tables.audit.c.action)).scalars().all()
    assert actions == ["add token", "revoke token"]


def test_who_is_about_to_log_in_has_so_long() -> None:
    signer = new_signer(hours=1, idle_minutes=50)
    cookie = signer.open("login", "abc", NOW)
    session = signer.read("login", cookie, NOW + timedelta(minutes=49))
    assert session is not None
    assert session.subject == "abc"
    assert signer.read("login", cookie, NOW + timedelta(minutes=50)) is None


def test_a_forged_session_opens_nothing() -> None:
    signer = new_signer(hours=1, idle_minutes=50)
    cookie = signer.open("login", "abc", NOW)
    subject, session_id, ends, seen, mark = cookie.split(".")
    forged = [
        f"root.{session_id}.{ends}.{seen}.{mark}",
        f"{subject}.{'0' * 32}.{ends}.{seen}.{mark}",
        f"{subject}.{session_id}.{int(ends) + 9}.{seen}.{mark}",
        f"{subject}.{session_id}.{ends}.{int(seen) + 9}.{mark}",
        f"{subject}.{session_id}.{ends}.{seen}.{'0' * 64}",
        cookie + "é",
        "....",
        "",
        signer.open("form", "abc", NOW),
        new_signer(hours=1, idle_minutes=50).open("login", "abc", NOW),
    ]
    assert [signer.read("login", text, NOW) for text in forged] == [None] * len(forged)


def test_a_form_needs_the_mark_of_its_own_session() -> None:
    signer = new_signer(hours=1, idle_minutes=50)
    one, other = (signer.read("form", signer.open("form", "", NOW), NOW) for _ in range(2))
    assert isinstance(one, Session)
    assert isinstance(other, Session)
    assert is_marked(one, one.mark)
    assert not is_marked(one, other.mark)
    assert not is_marked(one, "é")
