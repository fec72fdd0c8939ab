"""What a stranger, or a colleague with another book, may try at every page: nothing comes of it."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from http.cookies import SimpleCookie
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from features.home import Home
from serving.access.users import Place, add_user
from serving.pages.paths import FOLDERS, OPEN_PAGES, PAGES
from serving.parts import open_parts, utc_now
from serving.settings import Settings
from serving.store import tables
from serving.store.view import View
from tests.serving.pages.test_login import HTML, PASSWORD, mark_of

if TYPE_CHECKING:
    from tests.serving.conftest import Served, ServeParts

EVERY = 1 if "INPUT_EXAMPLES" in os.environ else 17  # `make faults` asks for all of it
LISTS = {"/", "/list.csv", "/list.xlsx"}
READ = [*sorted(PAGES - {"/logout", "/feedback", "/feedback/undo"}), "/accounts/acme"]
SENT = ["/login", "/logout", "/feedback", "/feedback/undo", "/disagreements"]
OF_BOB = ("Bob", "Bolt", "bolt", "Gone", "Newt", "Quit", "Dune")
HOSTILE = [
    "\0",
    "a\0b",
    "\ufffd",
    "x" * 10_000,
    "9" * 400,
    "99999999999999999999",
    "-1",
    "1e999",
    "NaN",
    "٣",
    "\u202egnp.exe",
    "%",
    "_",
    "' OR 1=1 --",
    '"><script>alert(1)</script>',
    "{{7*7}}",
    "../../etc/passwd",
    "\r\nset-cookie: a=b",
]
RAW = ["%00", "%ff", "%ed%a0%80", "%c0%ae", "%0d%0aset-cookie:%20a=b"]
LOGIN_FIELDS = ["login", "password", "next", "mark", "form.note", "form.to"]
FIELDS = ["mark", "account_id", "kind", "key", "note", "until", "feedback_id", "sides_with", "back"]
REFUSED = {303, 400, 401, 403, 404, 409, 413, 422, 429}


@pytest.fixture
def admin(served: "Served") -> Iterator[httpx.Client]:
    with served.browser() as client:
        yield client


def some(names: Iterable[str], values: Sequence[str]) -> list[tuple[str, str]]:
    """Pair names with values: all of them in a soak, else some of each."""
    return list(product(names, values))[::EVERY]


@pytest.mark.parametrize("path", READ)
def test_no_question_makes_a_page_fail_or_comes_back_as_it_was(
    admin: httpx.Client, path: str
) -> None:
    names = View.__struct_fields__ if path in LISTS else ("q", "page", "lang", "nothing")
    values = [*map(quote, HOSTILE), *RAW]
    for name, value in some(names, values):
        answer = admin.get(f"{path}?{name}={value}", headers=HTML)
        assert answer.status_code in {200, 303, 403, 422}, (name, value[:50])
        assert "<script>alert" not in answer.text
        assert "a" not in answer.cookies


@pytest.mark.parametrize("value", [*(quote(one, safe="") for one in HOSTILE), *RAW])
def test_an_account_of_any_name_is_there_or_is_not(admin: httpx.Client, value: str) -> None:
    assert admin.get(f"/accounts/{value}", headers=HTML).status_code == 404


@pytest.mark.parametrize("path", [one for one in SENT if one != "/logout"])
def test_no_form_makes_a_page_fail_or_leads_elsewhere(
    served: "Served", admin: httpx.Client, path: str
) -> None:
    mark = mark_of(admin.get("/login" if path == "/login" else "/"))
    form = {"account_id": "acme", "kind": "saved", "key": "k", "login": "x", "mark": mark}
    for name, value in some(LOGIN_FIELDS if path == "/login" else FIELDS, HOSTILE):
        served.clock.ahead += 1
        answer = admin.post(path, data={**form, name: value})
        assert answer.status_code in REFUSED, (name, value[:50])
        assert answer.headers.get("location", "/")[:2] not in {"//", "/\\", "ht"}
        assert "<script>alert" not in answer.text
        forget(served)


def forget(served: "Served") -> None:
    with served.parts.store.writing() as connection:
        for table in (tables.failed_logins, tables.feedback):
            connection.execute(sa.delete(table))


@pytest.mark.parametrize("path", READ)
def test_a_csm_sees_nobody_of_anothers_book_on_any_page(served: "Served", path: str) -> None:
    with served.browser("csm", book="Ann") as ann:
        answer = ann.get(path, headers=HTML)
    assert not [name for name in OF_BOB if re.search(rf"\b{name}\b", answer.text)]


def test_an_account_of_anothers_book_answers_as_one_that_does_not_exist(served: "Served") -> None:
    with served.browser("csm", book="Ann") as ann:
        texts = set()
        for account_id in ("bolt", "nobody"):
            answer = ann.get(f"/accounts/{account_id}", headers=HTML)
            plain = answer.text.replace(account_id, "").replace(answer.headers["x-request-id"], "")
            texts.add((answer.status_code, plain))
    assert len(texts) == 1


def test_no_answer_is_kept_framed_or_believes_the_name_that_it_was_called_by(
    served: "Served", admin: httpx.Client
) -> None:
    addresses = {*READ, *OPEN_PAGES, *(f"{folder}nobody" for folder in FOLDERS), "/nowhere"}
    evil = HTML | {"host": "evil.example", "x-forwarded-host": "evil.example"}
    with served.client() as stranger:
        for client in (admin, stranger):
            for address in sorted({*addresses, *(f"{one}?lang=zh" for one in addresses)}):
                answer = client.get(address, headers=evil)
                assert "evil.example" not in answer.text + str(answer.headers)
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["x-frame-options"] == "DENY"
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_form_of_another_site_is_refused_whoever_it_comes_from(
    served: "Served", admin: httpx.Client
) -> None:
    with served.browser() as other:
        marks = ["", "0" * 64, mark_of(other.get("/"))]
    for path in SENT:
        for mark in marks:
            answer = admin.post(path, data={"mark": mark, "account_id": "acme", "kind": "saved"})
            assert answer.status_code == 403
    assert admin.get("/").status_code == 200  # nobody was logged out


def test_behind_tls_every_cookie_is_sent_by_tls_only(
    serve_parts: "ServeParts", tmp_path: Path
) -> None:
    parts = open_parts(Settings(home=Home(tmp_path), behind_tls=True))
    add_user(parts.store, "me@example.com", "Me", Place("admin"), utc_now(), PASSWORD)
    with serve_parts(parts) as url, httpx.Client(base_url=url) as client:
        form = client.get("/login")
        mark = mark_of(form)
        kept = {"tenure_login": SimpleCookie(form.headers["set-cookie"])["tenure_login"].value}
        typed = {"login": "me@example.com", "password": PASSWORD, "mark": mark}
        sent = httpx.post(f"{url}/login", data=typed, cookies=kept)
        chosen = client.get("/login?lang=zh")
    parts.close()
    set_by = [form, sent, chosen]
    cookies = [one for answer in set_by for one in answer.headers.get_list("set-cookie")]
    given = [one for one in cookies if "max-age=0" not in one.lower()]
    assert {one.partition("=")[0] for one in given} == {
        "tenure_login",
        "tenure_session",
        "tenure_language",
    }
    assert [one for one in given if not {"Secure", "HttpOnly"} <= set(one.split("; "))] == []
    assert all("strict-transport-security" in answer.headers for answer in set_by)
