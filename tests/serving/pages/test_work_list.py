"""The work list, as a browser would use it: read, filter, sort, go on, take it along."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from xml.etree import ElementTree as ET

import httpx
import pytest

from serving.api.feedback import Feedback, record
from serving.api.fields import BANDS, FeedbackKind
from serving.audit_log.account_keys import Pseudonyms
from serving.audit_log.check import reads_of
from serving.pages import export
from serving.pages.feedback import MORE, QUICK
from serving.pages.operations import LEVELS
from serving.pages.portfolio import OUTCOMES
from serving.pages.refused import TOLD
from serving.pages.sparkline import points
from serving.pages.texts import catalogue, say
from serving.pages.work_list import when
from serving.scoring.signals import KINDS
from serving.store import tables
from serving.store.judged import SIDES
from serving.store.view import SORTS, STATES, TABS, WHY_NOT, View

if TYPE_CHECKING:
    from tests.serving.conftest import Served

PAGES = Path(export.__file__).parent
ON_LIST = {"Acme Ltd", "Bolt", "Corn", "Dune", "<script>alert(1)</script>"}


class Page(HTMLParser):
    """Collects tags, the text of each table row, and what leads elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.labels: list[str] = []
        self.links: dict[str, str] = {}
        self.sorted: list[str] = []
        self._in_cell, self._href = False, ""
        self.feed(re.sub("</?time>", "", text))  # a day within a sentence

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append(tag)
        assert not {name for name in told if name == "style" or name.startswith("on")}
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True
        if told.get("aria-sort"):
            self.sorted.append(str(told["aria-sort"]))
        if tag == "svg":
            self.labels.append(str(told["aria-label"]))
        self._href = str(told["href"]) if tag == "a" else self._href

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False
        if tag == "a":
            self._href = ""

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())
        if self._href and data.strip():
            self.links.setdefault(data.strip(), self._href)

    @property
    def accounts(self) -> list[list[str]]:
        return self.rows[1:]

    @property
    def names(self) -> set[str]:
        of_whom = re.compile(r' (?:Ann|Bob|no CSM|"><img)( ·|$)')
        return {of_whom.split(row[0])[0] for row in self.accounts}


@pytest.fixture
def browser(served: "Served") -> Iterator[httpx.Client]:
    with served.browser() as client:
        yield client


def shown(client: httpx.Client, path: str = "/") -> Page:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return Page(response.text)


def test_each_row_says_what_a_csm_asks_for(browser: httpx.Client) -> None:
    page = shown(browser)
    acme = next(row for row in page.accounts if row[0].startswith("Acme"))
    assert acme[0] == "Acme Ltd Ann · high"
    assert re.match(r"EUR 12,000 grows \d+ % adds EUR [\d,]+ a month$", acme[1])
    assert acme[2] == "renews 2026-04-01, in 29 days notice by 2026-03-17, in 14 days"
    assert re.match(r"\d+ % (high|medium|low) to renew \d+ % loss EUR [\d,]+$", acme[3])
    assert acme[4]
    assert acme[5]
    assert acme[6] == "New"
    assert page.labels == [
        "Use over 26 weeks: 26 events in the first week, 1 in the last, 26 at most"
    ]
    dune = next(row for row in page.accounts if row[0].startswith("Dune"))
    assert dune[6] == "New touched 2026-01-05"


def test_losses_stand_in_order_with_the_largest_first(browser: httpx.Client) -> None:
    page = shown(browser)
    losses = [re.search(r"loss EUR ([\d,]+)", row[3]) for row in page.accounts]
    amounts = [int(found[1].replace(",", "")) for found in losses if found]
    assert len(amounts) == 5
    assert amounts == sorted(amounts, reverse=True)
    assert page.sorted == ["descending"]


def test_a_header_sorts_and_turns_round(browser: httpx.Client) -> None:
    page = shown(browser, shown(browser).links["ARR"])
    assert page.accounts[0][0].startswith("Bolt")
    again = shown(browser, page.links["ARR"])
    assert again.sorted == ["ascending"]
    assert again.accounts[-1][0].startswith("Bolt")


def test_tabs_say_how_many_they_hold_and_why_an_account_is_not_listed(
    browser: httpx.Client,
) -> None:
    text = browser.get("/?tab=all&sort=name").text
    assert '>All <span class="count">8</span>' in text
    assert '>Leaving <span class="count">1</span>' in text
    causes = {row[0].split()[0]: row[6] for row in Page(text).accounts}
    assert causes["Quit"] == "New Not on the list: leaving"
    assert causes["Newt"] == "New Not on the list: no data to score by"
    assert causes["Gone"] == "New Not on the list: has ended"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("csm=Ann&tier=", {"Acme Ltd", "Corn"}),
        ("q=AcM", {"Acme Ltd"}),
        ("product=maps", {"Bolt"}),
        ("renews=30", {"Acme Ltd"}),
        ("tab=leaving", {"Quit"}),
        ("csm=Nobody", set()),
    ],
)
def test_the_address_holds_the_view(browser: httpx.Client, query: str, names: set[str]) -> None:
    assert shown(browser, f"/?{query}").names == names


def test_the_form_shows_what_was_asked_and_keeps_the_order(browser: httpx.Client) -> None:
    text = browser.get("/?tab=all&csm=Ann&sort=arr&q=%22c%3E").text
    assert '<option value="Ann" selected>Ann</option>' in text
    assert '<option value="arr" selected>ARR</option>' in text
    assert '<input type="hidden" name="tab" value="all">' in text
    assert 'value="&#34;c&gt;"' in text


def test_a_long_list_goes_on_on_the_next_page(browser: httpx.Client) -> None:
    first = shown(browser, "/?limit=3")
    second = shown(browser, first.links["Next page"])
    assert (len(first.accounts), len(second.accounts)) == (3, 2)
    assert first.names | second.names == ON_LIST
    assert shown(browser, second.links["Previous page"]).names == first.names


def test_names_are_text_and_never_markup(browser: httpx.Client) -> None:
    page = shown(browser, "/?tab=all")
    assert page.tags.count("script") == 1  # our own file
    assert not {"img", "style"} & {*page.tags}
    assert any("<script>alert(1)</script>" in row[0] for row in page.accounts)


def test_nothing_is_loaded_from_elsewhere(browser: httpx.Client) -> None:
    text = browser.get("/").text
    found = re.findall(r'(?:src|href|action)="([^"]+)"', text)
    assert all(re.match(r"(/[^/]|/$|#)", each) for each in found)
    assert re.findall(r'<link[^>]+href="([^"]+)"', text) == ["/login.css"]


@pytest.mark.parametrize(
    ("query", "field"), [("tab=x", "tab"), ("sort=x", "sort"), ("page=0", "page"), ("of=x", "of")]
)
def test_what_is_no_view_is_refused_by_its_field(
    browser: httpx.Client, query: str, field: str
) -> None:
    response = browser.get(f"/?{query}")
    assert response.status_code == 422
    assert field in response.text


def test_what_was_done_is_the_accounts_state(served: "Served", browser: httpx.Client) -> None:
    told = Feedback("corn", "contacted", None, "key of corn")
    record(served.parts.store, told, "a token", served.parts.now())
    corn = next(row for row in shown(browser).accounts if row[0].startswith("Corn"))
    assert corn[6] == "Contacted a token, 2026-03-03 Undo: Contacted, by a token"
    assert shown(browser, "/?state=contacted").names == {"Corn"}


def test_a_book_shows_its_own_accounts_and_no_other(served: "Served") -> None:
    with served.browser("csm", book="Ann") as client:
        page = client.get("/?tab=all").text
        assert Page(page).names == {"Acme Ltd", "Corn"}
        assert "Bob" not in page
        assert ">maps<" not in page
        assert client.get("/list.csv?tab=all").text.count("\r\n") == 3
        assert shown(client, "/?tab=all&q=bolt").names == set()


def test_the_list_is_taken_along_as_a_table(browser: httpx.Client) -> None:
    response = browser.get("/list.csv?tab=all&sort=name&limit=2")
    assert response.headers["content-disposition"] == (
        'attachment; filename="accounts-2026-03-02.csv"'
    )
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len(rows) == 8
    acme = rows[1]
    assert (acme["name"], acme["arr"], acme["renewal_date"]) == (
        "Acme Ltd",
        "12000.0",
        "2026-04-01",
    )
    assert 0 < float(acme["probability"]) < 1
    sheet = cells(browser.get("/list.xlsx?tab=all&sort=name").content)
    assert sheet[0] == list(export.COLUMNS)
    assert [row[0] for row in sheet[1:]] == [row["account_id"] for row in rows]


def cells(content: bytes) -> list[list[str]]:
    """Read a sheet's texts and numbers, and demand that there is no formula."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
        shared = ET.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - our own
    texts = ["".join(item.itertext()) for item in shared.iter(f"{space}si")]
    assert not [*sheet.iter(f"{space}f")]
    return [
        [
            texts[int(value.text or "")] if cell.get("t") == "s" else str(value.text)
            for cell in row.iter(f"{space}c")
            for value in cell.iter(f"{space}v")
        ]
        for row in sheet.iter(f"{space}row")
    ]


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\r1", "  =1", '=HYPERLINK("http://x")', "\uff1d1"],
)
def test_a_cell_that_begins_like_a_formula_is_made_harmless(name: str) -> None:
    row = {"account_id": "a", "name": name, "change": -0.5}
    read = list(csv.DictReader(io.StringIO(export.as_csv([row]).decode("utf-8-sig"), newline="")))
    assert read[0]["name"] == f"'{name}"
    assert read[0]["change"] == "-0.5"
    assert cells(export.as_xlsx([row]))[1][1].startswith("'")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Acme;=1+1", "Acme;'=1+1"),
        ("Acme; @SUM(A1)", "Acme; '@SUM(A1)"),
        ("Acme\t-1", "Acme\t'-1"),
        ("Acme\n=1", "Acme\n'=1"),
        ("=1;=2", "'=1;'=2"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
    ],
)
def test_no_formula_begins_where_a_spreadsheet_parts_a_cell(name: str, written: str) -> None:
    assert export.harmless(name) == written


def test_plain_names_stay_as_they_are() -> None:
    assert export.harmless("Smith-Jones = Co; a-b") == "Smith-Jones = Co; a-b"


def test_a_sheet_holds_true_days_and_numbers_of_a_few_places() -> None:
    renewal = datetime.fromisoformat("2026-04-01")
    row = {"account_id": "a", "renewal_date": renewal, "probability": 1 / 3}
    (_, (_, day, share)) = cells(export.as_xlsx([row]))
    days_after = renewal - datetime.fromisoformat("1899-12-30")  # where Excel begins to count
    assert (float(day), float(share)) == (days_after.days, 0.3333)


@pytest.mark.parametrize("path", ["/", "/list.csv", "/list.xlsx"])
def test_who_reads_the_list_is_written_down(
    served: "Served", browser: httpx.Client, path: str
) -> None:
    browser.get(f"{path}?q=acme")
    name = Pseudonyms(served.parts.store).of(["acme"])[0]
    calls = {read.call for read in reads_of(served.parts.settings.home.audit_log, name)}
    assert f"GET {path}" in calls


def test_the_first_day_says_what_to_do(unscored: "Served") -> None:
    with unscored.browser() as client:
        text = client.get("/").text
    assert "There are no scores yet" in text
    assert "<code>tenure score</code>" in text


def test_a_publication_without_a_list_says_what_to_do(
    served: "Served", browser: httpx.Client
) -> None:
    with served.parts.store.writing() as connection:
        kept = connection.execute(tables.listed_accounts.select()).mappings().all()
        connection.execute(tables.listed_accounts.delete())
    text = browser.get("/").text
    with served.parts.store.writing() as connection:
        connection.execute(tables.listed_accounts.insert(), [dict(row) for row in kept])
    assert "published without a list" in text


def test_an_empty_tab_and_an_empty_search_say_different_things(browser: httpx.Client) -> None:
    assert "Nothing changed sharply of late" in browser.get("/?tab=watch").text
    assert "No account fits" in browser.get("/?tab=watch&csm=Ann").text


def test_a_search_says_how_many_fit_on_another_tab(browser: httpx.Client) -> None:
    found = re.search(
        r'href="/\?([^"]+)">What fits on the tab', browser.get("/?tab=grow&q=quit").text
    )
    assert found is not None
    assert shown(browser, f"/?{unescape(found[1])}").names == {"Quit"}
    assert "What fits on the tab" not in browser.get("/?tab=grow&q=nobody").text


def test_a_page_beyond_the_last_leads_back_to_it(browser: httpx.Client) -> None:
    text = browser.get("/?tab=all&limit=5&page=9").text
    assert "This list has 2 pages and 8 accounts" in text
    found = re.search(r'href="/\?([^"]+)">to its last page', text)
    assert found is not None
    assert len(shown(browser, f"/?{unescape(found[1])}").names) == 3


def test_who_sees_one_book_is_not_asked_for_a_csm(served: "Served", browser: httpx.Client) -> None:
    with served.browser("csm", book="Ann") as client:
        assert 'name="csm"' not in client.get("/?tab=all").text
    assert 'name="csm"' in browser.get("/?tab=all").text


@pytest.mark.parametrize("path", ["/list.csv", "/list.xlsx"])
def test_a_file_of_the_first_day_leads_to_what_to_do(unscored: "Served", path: str) -> None:
    with unscored.browser() as client:
        answer = client.get(f"{path}?tab=all")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?tab=all")


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-03-03", "today"),
        ("2026-03-04", "tomorrow"),
        ("2026-03-02", "yesterday"),
        ("2026-03-13", "in 10 days"),
        ("2026-02-21", "10 days ago"),
    ],
)
def test_a_day_is_told_from_today(day: str, said: str) -> None:
    assert when(datetime.fromisoformat(day), date(2026, 3, 3)) == said


def test_a_line_of_use_begins_and_ends_at_its_edges() -> None:
    assert points([0, 5, 10]) == "2,22.0 52,12.0 102,2.0"
    assert points([0]) == "2,22.0"


def test_each_text_of_the_catalogue_is_said_somewhere() -> None:
    offered = {MORE, *(kind for kinds in QUICK.values() for kind in kinds)}
    made = {
        "tab": TABS,
        "state": STATES,
        "why_not": WHY_NOT,
        "signal": KINDS,
        "band": BANDS,
        "feedback": [*get_args(FeedbackKind), *(f"quick_{kind}" for kind in offered)],
        "disagreements": [f"side{end}_{side}" for end in ("", "d") for side in SIDES],
        "filter": View.__struct_fields__,
        "column": SORTS,
        "refused": [f"{key}{end}" for key in (*TOLD, "other") for end in ("", "_do")],
    }
    said = {f"{table}.{name}" for table, names in made.items() for name in names}
    lacks = ("no_scores", "too_old", "not_laid_out", *(f"nothing_{tab}" for tab in TABS))
    said |= {f"{key}{end}" for key in lacks for end in ("", "_do")}
    said |= {f"portfolio.{kind}{end}" for kind in ("gross", "net") for end in ("", "_means")}
    said |= {f"operations.{kind}_{level}" for kind in ("level", "worst") for level in LEVELS}
    said |= {f"operations.{key}" for key in ("model", "number", "run_as_of", "published")}
    said |= {f"portfolio.outcome_{outcome}" for outcome in OUTCOMES}
    said |= {f"portfolio.{key}" for key in ("besides_leaving", "besides_no_data", "of_all")}
    pages = (*PAGES.glob("*.html"), *PAGES.glob("*.py"))
    told = "".join(page.read_text() for page in pages)
    said |= set(re.findall(r'"([a-z_.]+)"', told))
    assert catalogue().keys() - said == set()


def test_a_text_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("not there")
