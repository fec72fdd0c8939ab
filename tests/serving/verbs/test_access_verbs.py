"""`tenure tokens` and `tenure audit-log`, as they are called."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from features.errors import AccessError, AuditError
from serving.access.tokens import principal_of
from serving.audit_log.account_keys import Pseudonyms
from serving.audit_log.heads import keep_head
from serving.audit_log.rows import Read
from serving.audit_log.trail import Trail
from serving.parts import utc_now
from serving.store.database import Store, open_store
from tenure import cli


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def opened(home: Path):
    store = open_store(f"sqlite:///{home / 'store.db'}")
    yield store
    store.close()


def tenure(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def document(*arguments: str):
    done = tenure(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# Tokens


def test_a_token_is_made_for_a_book_and_shown_once(opened: Store) -> None:
    made = document("tokens", "add", "ann", "--scope", "read", "--book", "Ann", "--days", "9")
    principal = principal_of(opened, made["token"], utc_now())
    assert principal is not None
    assert (principal.books, made["book"]) == ({"Ann"}, "Ann")
    listed = tenure("tokens", "list")
    assert "book of Ann  until 20" in listed.output
    assert made["token"].split("_", 2)[2] not in listed.output


def test_a_rotated_token_is_printed_alone_on_the_last_line(opened: Store) -> None:
    old = document("tokens", "add", "crm", "--scope", "score")["token"]
    new = tenure("tokens", "rotate", "crm").stdout.splitlines()[-1]
    both = [principal_of(opened, token, utc_now()) for token in (old, new)]
    assert [one is not None for one in both] == [True, True]
    last = document("tokens", "rotate", "crm", "--overlap", "0")["token"]
    live = [principal_of(opened, token, utc_now()) is not None for token in (old, new, last)]
    assert live == [False, False, True]
    (listed,) = document("tokens", "list")
    assert listed["state"] == "live"
    assert listed["rotated_at"]


def test_a_token_that_is_typed_where_a_name_belongs_is_not_said_back() -> None:
    token = document("tokens", "add", "crm", "--scope", "score")["token"]
    done = tenure("tokens", "revoke", token)
    assert isinstance(done.exception, AccessError)
    assert token not in str(done.exception)


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--book",)])
def test_an_option_without_sense_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert tenure("tokens", "add", "crm", "--scope", "score", *arguments).exit_code == 2
    assert tenure("tokens", "rotate", "crm", "--overlap", "-1").exit_code == 2


# The audit log


@pytest.fixture
def read(home: Path, opened: Store) -> Path:
    """Write down that crm read a-1, and then a-1 and a-2; give the file."""
    token_id = document("tokens", "add", "crm", "--scope", "score")["token"].split("_")[1]
    trail = Trail(home / "audit-log", utc_now, lambda head: keep_head(opened, head))
    for number, accounts in enumerate([["a-1"], ["a-1", "a-2"]]):
        named = Pseudonyms(opened).of(accounts)
        trail.append(Read(token_id, "POST /v1/scores", "10.0.0.7", f"{number:032x}", named))
    trail.close()
    (file,) = (home / "audit-log").iterdir()
    return file


@pytest.mark.usefixtures("read")
def test_a_log_that_holds_is_said_to() -> None:
    done = tenure("audit-log", "verify")
    assert (done.exit_code, done.output) == (0, "2 rows in 1 chains hold together\n")
    assert document("audit-log", "verify") == {
        "holds": True,
        "chains": 1,
        "rows": 2,
        "faults": [],
        "notes": [],
    }


def test_a_log_without_its_end_ends_with_one_line_of_what_to_do(read: Path) -> None:
    read.write_text("".join(read.read_text().splitlines(keepends=True)[:-1]))
    done = tenure("audit-log", "verify", "--json")
    assert isinstance(done.exception, AuditError)
    assert "Keep a copy" in str(done.exception)
    assert json.loads(done.stdout)["holds"] is False


@pytest.mark.usefixtures("read")
def test_who_read_an_account_is_shown() -> None:
    rows = document("audit-log", "show", "--account", "a-2")
    (told,) = [{**row, "at": "", "token_id": ""} for row in rows]
    assert told == {
        "at": "",
        "token_id": "",
        "token_name": "crm",
        "call": "POST /v1/scores",
        "from": "10.0.0.7",
        "request_id": f"{1:032x}",
    }
    lines = tenure("audit-log", "show", "--account", "a-1").output.splitlines()
    assert [line.split("  ")[2:4] for line in lines] == [["POST /v1/scores", "from 10.0.0.7"]] * 2


@pytest.mark.usefixtures("read")
def test_of_an_account_without_a_key_nothing_can_be_told() -> None:
    assert "There is no key of it" in tenure("audit-log", "show", "--account", "a-3").output


def test_before_the_first_read_there_is_nothing_to_break() -> None:
    assert tenure("audit-log", "verify").output == "0 rows in 0 chains hold together\n"
