"""The work list, as a browser would use it: read, search, go on."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx
import pytest

from serving.pages.render import money, percent

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


@pytest.fixture
def browser(served: "Served") -> Iterator[httpx.Client]:
    with served.browser() as client:
        yield client


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


def test_the_first_day_says_what_to_do(unscored: "Served") -> None:
    with unscored.browser() as client:
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
