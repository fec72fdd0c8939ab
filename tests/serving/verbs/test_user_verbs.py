"""`tenure users`, as it is called."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from features.errors import AccessError
from serving.access.passwords import fits
from serving.access.users import KeptUser, user_of
from serving.store.database import open_store
from tenure import cli

ANN = ("ann@example.com", "--name", "Ann Lee", "--role", "csm", "--book", "Ann Lee")
CHOSEN = "correct horse battery"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def tenure(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["users", *arguments], input=typed)


def document(*arguments: str):
    done = tenure(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def kept(home: Path, login: str = ANN[0]) -> KeptUser:
    store = open_store(f"sqlite:///{home / 'store.db'}")
    user = user_of(store, login)
    store.close()
    assert user is not None
    return user


def test_a_password_made_at_random_is_shown_once_alone_on_the_last_line(home: Path) -> None:
    made = tenure("add", *ANN).stdout.splitlines()[-1]
    assert fits(kept(home).password_hash, made)
    assert made not in tenure("list").output
    new = document("password", ANN[0])["password"]
    user = kept(home)
    assert (fits(user.password_hash, made), fits(user.password_hash, new)) == (False, True)


def test_a_password_of_ones_own_is_typed_or_in_a_file_and_never_shown(home: Path) -> None:
    Path("secret").write_text(f"{CHOSEN}\n")
    said = [
        tenure("add", *ANN, "--password-file", "secret"),
        tenure("password", ANN[0], "--password-file", "-", typed=f"{CHOSEN} 2\r\n"),
        tenure("password", ANN[0], "--prompt", typed=f"{CHOSEN} 3\n{CHOSEN} 3\n"),
    ]
    assert [done.exit_code for done in said] == [0, 0, 0]
    assert not [done for done in said if CHOSEN in done.output]
    assert fits(kept(home).password_hash, f"{CHOSEN} 3")


def test_no_option_takes_a_password() -> None:
    assert tenure("add", *ANN, "--password", CHOSEN).exit_code == 2


def test_who_comes_by_openid_connect_has_no_password(home: Path) -> None:
    assert "password" not in document("add", *ANN, "--no-password")
    assert kept(home).password_hash is None
    assert "no password" in tenure("list").output
    assert tenure("add", *ANN, "--no-password", "--password-file", "x").exit_code == 2


def test_a_user_is_disabled_enabled_and_given_another_role(home: Path) -> None:
    document("add", *ANN, "--no-password")
    document("disable", ANN[0])
    (listed,) = document("list")
    assert (listed["state"], listed["role"], listed["book"]) == ("disabled", "csm", "Ann Lee")
    document("enable", ANN[0])
    document("role", ANN[0], "--role", "lead", "--team", "north")
    assert (kept(home).role, kept(home).book, kept(home).team) == ("lead", None, "north")


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "bob@example.com", "--name", "Bob", "--role", "csm"),
        ("add", "bob@example.com", "--name", "Bob", "--role", "lead"),
        ("disable", "bob@example.com"),
    ],
)
def test_what_makes_no_sense_is_said(arguments: tuple[str, ...]) -> None:
    assert isinstance(tenure(*arguments).exception, AccessError)


def test_a_role_that_is_none_is_wrong_usage() -> None:
    assert tenure("add", "bob@example.com", "--name", "Bob", "--role", "root").exit_code == 2
