"""The page, as a browser would use it: log in, read, search, log out."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx
import pytest
import sqlalchemy as sa

from serving.access.recognised import FRESH_SECONDS
from serving.access.tokens import revoke_token
from serving.pages.render import money, percent
from serving.store import tables

if TYPE_CHECKING:
    from tests.serving.conftest import Served

HTML = {"accept": "text/html"}


class _Page(HTMLParser):
    """Collects the tags and the text of each table row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"style", "onclick", "onload"}
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def mark_of(page: httpx.Response) -> str:
    found = re.search(r'name="mark" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found[1]


def log_in(client: httpx.Client, token: str) -> httpx.Response:
    mark = mark_of(client.get("/login", headers=HTML))
    return client.post("/login", data={"token": token, "mark": mark})


@pytest.fixture
def browser(served: "Served") -> Iterator[httpx.Client]:
    with served.client() as client:
        assert log_in(client, served.token("read")).headers["location"] == "/"
        yield client


def test_a_browser_is_sent_to_the_login(served: "Served") -> None:
    with served.client() as client:
        response = client.get("/", headers=HTML)
    assert (response.status_code, response.headers["location"]) == (303, "/login")


def test_the_cookie_is_kept_from_scripts_and_other_sites(served: "Served") -> None:
    with served.client() as client:
        cookie = log_in(client, served.token("read")).headers.get_list("set-cookie")[0]
    assert cookie.startswith("tenure_session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))


def test_the_page_shows_the_list_in_order(browser: httpx.Client) -> None:
    page = _Page(browser.get("/", headers=HTML).text)
    rows = page.rows[1:]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]
    acme = next(row for row in rows if row[1].startswith("Acme Ltd"))
    assert acme[1] == "Acme Ltd Ann · high"
    assert acme[2] == "EUR 12,000"
    assert acme[3].startswith("2026-04-01 renews ")
    assert acme[3].endswith("% last day for notice 2026-03-17")
    corn = next(row for row in rows if row[1].startswith("Corn"))
    assert corn[3] == "2027-01-01"  # beyond what the model knows
    assert re.fullmatch(r"\d+ % (high|medium|low)", acme[4])
    assert acme[5]
    assert acme[6].startswith("Ask the main users")
    assert re.fullmatch(r"\d+ %", acme[7])


def test_names_are_text_and_never_markup(browser: httpx.Client) -> None:
    response = browser.get("/", headers=HTML)
    assert "<script>alert(1)</script>" not in response.text
    page = _Page(response.text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert any("<script>alert(1)</script>" in row[1] for row in page.rows)


def test_the_list_can_be_searched(browser: httpx.Client) -> None:
    page = _Page(browser.get("/?csm=Ann&tier=", headers=HTML).text)
    assert sorted(row[1].split()[0] for row in page.rows[1:]) == ["Acme", "Corn"]
    nobody = browser.get("/?csm=Nobody", headers=HTML)
    assert "No scored account fits this search." in nobody.text


def test_a_long_list_goes_on_on_the_next_page(browser: httpx.Client) -> None:
    first = browser.get("/?limit=3", headers=HTML)
    link = re.search(r'href="(/\?[^"]+)" rel="next"', first.text)
    assert link is not None
    second = _Page(browser.get(link[1].replace("&amp;", "&"), headers=HTML).text)
    assert [row[0] for row in second.rows[1:]] == ["4", "5"]


def test_nothing_is_loaded_from_elsewhere(browser: httpx.Client) -> None:
    text = browser.get("/", headers=HTML).text
    assert re.findall(r'(?:src|href)="([^"]+)"', text) == ["/login.css"]
    assert browser.get("/login.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("scopes", [("score",), ("feedback", "predict")])
def test_a_token_that_may_not_read_the_list_does_not_log_in(
    served: "Served", scopes: tuple[str, ...]
) -> None:
    with served.client() as client:
        response = log_in(client, served.token(*scopes))
        assert response.status_code == 401
        assert "tenure_session" not in client.cookies


def test_a_wrong_token_does_not_log_in_and_is_noted(served: "Served") -> None:
    with served.client() as client:
        assert log_in(client, "tenure_000000000000_" + "a" * 43).status_code == 401
        assert client.get("/").status_code == 401
    with served.parts.store.reading() as connection:
        actions = connection.execute(sa.select(tables.audit.c.action)).scalars().all()
    assert "refused login" in actions


@pytest.mark.parametrize("mark", ["", "0" * 64, "é"])
def test_a_login_form_from_elsewhere_is_refused(served: "Served", mark: str) -> None:
    with served.client() as client:
        client.get("/login")
        response = client.post("/login", data={"token": served.token("read"), "mark": mark})
        assert response.status_code == 403
        assert "tenure_session" not in client.cookies


def test_a_login_without_the_forms_cookie_is_refused(served: "Served") -> None:
    with served.client() as client:
        mark = mark_of(client.get("/login"))
        client.cookies.clear()
        response = client.post("/login", data={"token": served.token("read"), "mark": mark})
    assert response.status_code == 403


def test_the_forms_cookie_is_no_session(served: "Served") -> None:
    with served.client() as client:
        client.get("/login")
        client.cookies.set("tenure_session", client.cookies["tenure_login"])
        assert client.get("/").status_code == 401


def test_a_session_opens_the_page_and_not_the_interface(browser: httpx.Client) -> None:
    assert browser.get("/").status_code == 200
    for path in ("/v1/worklist", "/openapi.json", "/metrics"):
        assert browser.get(path).status_code == 401


def test_revoking_the_token_ends_its_sessions(served: "Served") -> None:
    token = served.token("read")
    with served.client() as client:
        log_in(client, token)
        assert client.get("/").status_code == 200
        revoke_token(served.parts.store, token.split("_")[1], served.parts.now())
        served.clock.ahead += FRESH_SECONDS
        assert client.get("/").status_code == 401


def test_logging_out_needs_the_pages_mark(browser: httpx.Client) -> None:
    assert browser.post("/logout", data={"mark": "0" * 64}).status_code == 403
    assert browser.get("/").status_code == 200
    mark = mark_of(browser.get("/"))
    response = browser.post("/logout", data={"mark": mark})
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert browser.get("/").status_code == 401


def test_the_first_day_says_what_to_do(unscored: "Served") -> None:
    with unscored.client("read") as client:
        text = client.get("/", headers=HTML).text
    assert "There are no scores yet" in text
    assert "tenure score" in text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.344, "34 %"), (0.0, "0 %"), (0.004, "< 1 %"), (0.996, "> 99 %"), (None, "unknown")],
)
def test_a_probability_is_written_for_people(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(12345.6, "EUR 12,346"), (0.0, "EUR 0"), (None, "unknown")]
)
def test_money_is_written_for_people(amount: float | None, text: str) -> None:
    assert money(amount, "EUR") == text
