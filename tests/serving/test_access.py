"""Tokens and sessions: what is forged, old or revoked opens nothing."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from features.errors import AccessError
from serving import tables
from serving.access import add_token, list_tokens, principal_by_id, principal_of, revoke_token
from serving.session import Session, is_marked, new_signer
from serving.store import Store

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
    token_id = revoke_token(store, "crm", NOW)
    assert principal_of(store, token, NOW) is None
    assert principal_by_id(store, token_id, NOW) is None
    assert [listed.revoked_at for listed in list_tokens(store)] == [NOW]


def test_a_name_is_free_again_after_revocation(store: Store) -> None:
    add_token(store, "crm", ["read"], NOW)
    with pytest.raises(AccessError, match="which a live token has"):
        add_token(store, "crm", ["read"], NOW)
    revoke_token(store, "crm", NOW)
    assert add_token(store, "crm", ["read"], NOW)


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


def test_a_session_is_read_back_until_it_ends() -> None:
    signer = new_signer(hours=1)
    cookie = signer.open("abc", NOW)
    session = signer.read(cookie, NOW + timedelta(minutes=59))
    assert session is not None
    assert session.subject == "abc"
    assert signer.read(cookie, NOW + timedelta(hours=1)) is None


def test_a_forged_session_opens_nothing() -> None:
    signer = new_signer(hours=1)
    cookie = signer.open("abc", NOW)
    subject, ends, nonce, mark = cookie.split(".")
    forged = [
        f"root.{ends}.{nonce}.{mark}",
        f"{subject}.{int(ends) + 9}.{nonce}.{mark}",
        f"{subject}.{ends}.{nonce}.{'0' * 64}",
        cookie + "é",
        "...",
        "",
        new_signer(hours=1).open("abc", NOW),
    ]
    assert [signer.read(text, NOW) for text in forged] == [None] * len(forged)


def test_a_form_needs_the_mark_of_its_own_session() -> None:
    signer = new_signer(hours=1)
    one, other = (signer.read(signer.open("abc", NOW), NOW) for _ in range(2))
    assert isinstance(one, Session)
    assert isinstance(other, Session)
    assert is_marked(one, one.mark)
    assert not is_marked(one, other.mark)
    assert not is_marked(one, "é")
