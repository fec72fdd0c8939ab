"""One account's page, as a browser would read it."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, get_args
from urllib.parse import urljoin

import httpx
import pytest
import sqlalchemy as sa

from features.tombstones import bury, lift
from models.bundle import Bundle
from models.peers import Peers
from serving.access.kept_sessions import kept_session, session_id
from serving.api.feedback import Feedback, Recorded, record
from serving.api.fields import FeedbackKind
from serving.audit_log.account_keys import Pseudonyms
from serving.audit_log.check import reads_of
from serving.pages.account_charts import LANES, by_date, by_horizon, time_line
from serving.pages.account_rows import Came, done_before, outcome_state, reason_rows
from serving.pages.cookies import SESSION
from serving.pages.paths import account_address
from serving.pages.texts import catalogue
from serving.parts import Parts, open_parts
from serving.store import tables
from serving.store.account_page import TO_JSON, Event, Outcome, Told

if TYPE_CHECKING:
    from tests.serving.conftest import Served

AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
MOST_BYTES = 200_000
SECTIONS = 10


@pytest.fixture
def browser(served: "Served") -> Iterator[httpx.Client]:
    with served.browser() as client:
        yield client


@pytest.fixture
def group(served: "Served") -> Iterator[None]:
    """Let Ann's Acme be the parent of Bob's Bolt, and of Ann's Corn."""
    accounts, pages = tables.published_accounts, tables.account_pages
    one = sa.update(accounts).where(accounts.c.account_id.in_(["bolt", "corn"]))
    with served.parts.store.writing() as connection:
        connection.execute(one.values(customer_group="acme"))
        number = connection.execute(sa.select(sa.func.max(pages.c.publication))).scalar()
        corn = {"publication": number, "account_id": "corn", "parent_account_id": "acme"}
        connection.execute(sa.insert(pages), [{**corn, "told": "{}"}])
    yield
    with served.parts.store.writing() as connection:
        connection.execute(one.values(customer_group=accounts.c.account_id))
        connection.execute(sa.delete(pages).where(pages.c.account_id == "corn"))


def words(html: str) -> str:
    """Give what a reader sees: without tags, in single blanks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def shown(client: httpx.Client, account_id: str = "acme") -> str:
    response = client.get(f"/accounts/{account_id}")
    assert response.status_code == 200, response.text
    assert len(response.content) < MOST_BYTES
    assert not re.findall(r"<script[^>]*>[^<]", response.text)
    assert not re.findall(r"\s(?:style|on\w+)=", response.text)
    return response.text


def section(html: str, title: str) -> str:
    found = [part for part in html.split("<section>") if f"<h2>{title}</h2>" in part]
    assert len(found) == 1
    return words(found[0])


def test_it_says_what_is_expected_and_marks_the_renewal(browser: httpx.Client) -> None:
    html = shown(browser)
    assert re.findall(r"<h1>(.+)</h1>", html) == ["Acme Ltd"]
    assert len(re.findall("<section>", html)) == SECTIONS
    said = section(html, "What is expected")
    assert re.search(r"30 days \d+ % \((low|medium|high)\) \d+ %", said)
    assert "90 days" in said
    assert "renews 2026-04-01, in 29 days, to renew" in said
    chart = re.search(r'<svg class="chart".*?</svg>', html, flags=re.DOTALL)
    assert chart is not None
    assert chart[0].count("<polyline") == 2
    assert ">Renewal</text>" in chart[0]
    # 30 of 90 days from the left edge, which is day 0
    mark = re.search(r'class="mark" x1="([\d.]+)"', chart[0])
    assert mark is not None
    assert float(mark[1]) == pytest.approx(60 + 30 / 90 * (468 - 60), abs=0.1)


def test_what_a_call_needs_stands_first(browser: httpx.Client) -> None:
    assert re.findall("<h2>([^<]+)</h2>", shown(browser)) == [
        "What to do",
        "Say how it stands",
        "Why",
        "What is expected",
        "What was done, and what came of it",
        "Time line",
        "Contract and products",
        "Agreed outcomes and their reviews",
        "Group",
        "Scores so far",
    ]
    said = section(shown(browser), "What to do")
    assert re.search(r"Leaves within 90 days \d+ % \((low|medium|high)\)", said)
    assert "Renewal 2026-04-01, in 29 days Notice by 2026-03-17, in 14 days" in said


@pytest.fixture
def much_happened(served: "Served") -> Iterator[None]:
    """Let the page of Corn tell of ten events, the newest first."""
    pages, days = tables.account_pages, range(20, 10, -1)
    told = Told(events=tuple(Event(date(2026, 2, day), "incident") for day in days))
    row = {"publication": 1, "account_id": "corn", "told": TO_JSON.encode(told).decode()}
    with served.parts.store.writing() as connection:
        connection.execute(sa.insert(pages).values(**row))
    yield
    with served.parts.store.writing() as connection:
        connection.execute(sa.delete(pages).where(pages.c.account_id == "corn"))


@pytest.mark.usefixtures("much_happened")
def test_of_a_long_table_the_newest_rows_are_open(browser: httpx.Client) -> None:
    html = shown(browser, "corn").partition("<h2>Time line</h2>")[2]
    seen, _, folded = html.partition("<details><summary>4 earlier</summary>")
    assert re.findall(r"2026-02-\d\d(?=</th>)", seen) == [
        f"2026-02-{day}" for day in range(20, 14, -1)
    ]
    assert re.findall(r"2026-02-\d\d(?=</th>)", folded) == [
        f"2026-02-{day}" for day in range(14, 10, -1)
    ]


def test_each_reason_has_its_number_and_its_effect(browser: httpx.Client) -> None:
    said = section(shown(browser), "Why")
    assert "Leaves within 90 days" in said
    assert "Grows within 90 days" in said
    assert re.search(r"(raises|lowers): odds times \d+\.\d\d", said)


def test_it_tells_what_happened_and_what_the_source_has_no_table_of(browser: httpx.Client) -> None:
    html = shown(browser)
    said = section(html, "Time line")
    assert "2026-02-20 Incident critical (open)" in said
    assert "2026-02-10 Ticket <i>urgent</i> (resolved 2026-02-12)" in said
    assert "The newest 3 of 60." in said
    assert "The source has no table of: Invoices, Payments" in said
    assert 'class="event"' in html
    lanes = re.findall(r'<text x="0"[^>]*>([^<]+)</text>', html)
    assert lanes == ["Use", "Tickets", "Incidents", "People", "Touches"]


def test_contract_seats_and_products(browser: httpx.Client) -> None:
    said = section(shown(browser), "Contract and products")
    assert "Users in the last 28 days 2" in said
    assert "Seats unknown" in said
    assert "Products core" in said
    assert "Likely next product maps (Of 12 purchases by customers with core, 9 of maps)" in said
    assert "core pro 5 EUR 1,000 2025-01-01" in said


def test_outcomes_are_due_met_or_missed_at_the_date(browser: httpx.Client) -> None:
    said = section(shown(browser), "Agreed outcomes and their reviews")
    assert "go live 2025-06-01 2026-06-01 due" in said
    assert "train all 2025-05-01 2026-01-01 missed" in said
    assert "migrate 2025-04-01 2025-09-01 met on 2025-08-01" in said
    assert "2026-01-15: missed" in said


def test_what_was_done_is_told_with_what_came_of_it(
    served: "Served", browser: httpx.Client
) -> None:
    told = Feedback("acme", "play_done", "<b>called</b>", "key of the page")
    record(served.parts.store, told, "a token", AS_OF - timedelta(days=20))
    said = section(shown(browser), "What was done, and what came of it")
    undo = "Undo: Play done, by a token"
    assert f"2026-02-10 Play done told by a token {undo} <b>called</b> still a customer" in said
    assert "2026-01-05 Touched Ann still a customer" in said


def test_what_was_taken_back_is_not_told() -> None:
    kept = Recorded(1, "acme", "lost", "kept", AS_OF, "Ann", None, None, None, "ann")
    gone = replace(kept, note="taken back", withdrawn_at=AS_OF, withdrawn_by="Ann")
    came = Came(AS_OF.date(), "scored", None, [])
    assert [done.note for done in done_before([], [kept, gone], came)] == ["kept"]


def test_feedback_is_told_there_and_leads_back(browser: httpx.Client) -> None:
    html = shown(browser)
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    told = {**form, "kind": "contacted", "note": "spoke with <b>Eva</b>"}
    answer = browser.post("/feedback", data=told)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/accounts/acme?said=")
    said = section(shown(browser), "What was done, and what came of it")
    assert "2026-03-03 Contacted told by Test Undo spoke with <b>Eva</b> not known yet" in said


@pytest.mark.parametrize(
    ("account_id", "why"),
    [("newt", "nothing to score it by"), ("quit", "asked to cancel"), ("gone", "nothing of it")],
)
def test_an_account_that_is_not_scored_says_why(
    browser: httpx.Client, account_id: str, why: str
) -> None:
    assert why in section(shown(browser, account_id), "What is expected")


def test_an_account_that_left_says_when(browser: httpx.Client) -> None:
    said = section(shown(browser, "gone"), "Contract and products")
    assert "the last of it on 2026-01-31" in said


def test_what_was_not_kept_is_said_and_not_taken_for_nothing(browser: httpx.Client) -> None:
    said = words(shown(browser, "dune"))
    assert "What the source told of it is not kept with these scores." in said
    assert "No outcome was agreed" not in said
    assert "No events are known" not in said


def test_names_are_text_and_never_markup(browser: httpx.Client) -> None:
    html = shown(browser, "evil")
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in html
    assert "<img" not in html
    assert "<i>" not in shown(browser)


@pytest.mark.usefixtures("group")
def test_a_group_is_summed_up_over_the_books_of_who_reads(
    served: "Served", browser: httpx.Client
) -> None:
    said = section(shown(browser), "Group")
    assert "Of the group you see 3 accounts: ARR EUR 74,400" in said
    assert "Bolt child" in said
    with served.browser("csm", book="Ann") as ann:
        html = shown(ann)
    said = section(html, "Group")
    assert "Of the group you see 2 accounts: ARR EUR 14,400" in said
    assert "Bolt" not in html
    assert "bolt" not in html


@pytest.mark.usefixtures("group")
def test_a_group_tells_nothing_of_other_books_nor_that_there_are_any(served: "Served") -> None:
    accounts = tables.published_accounts
    part = sa.update(accounts).where(accounts.c.account_id == "bolt").values(customer_group="bolt")

    def read() -> list[str]:
        with served.browser("csm", book="Ann") as ann, served.browser("csm", book="Bob") as bob:
            return [section(shown(ann), "Group"), section(shown(bob, "bolt"), "Group")]

    together = read()
    with served.parts.store.writing() as connection:
        connection.execute(part)
    assert read() == together


def test_another_ones_account_is_answered_as_one_that_is_not_there(served: "Served") -> None:
    with served.browser("csm", book="Ann") as ann:
        answers = [ann.get(f"/accounts/{name}") for name in ("bolt", "nobody", "", "acme%00")]
    assert {answer.status_code for answer in answers} == {404}
    others, nobodys = (re.sub(r'"request_id":"\w+"', "", one.text) for one in answers[:2])
    assert others == nobodys


@pytest.fixture
def bolt_is_erased(served: "Served") -> Iterator[None]:
    home = served.parts.settings.home
    bury(home, ["bolt"], AS_OF.date())
    yield
    lift(home, ["bolt"])


@pytest.mark.usefixtures("group", "bolt_is_erased")
def test_an_account_that_was_erased_while_it_was_read_is_not_shown(browser: httpx.Client) -> None:
    assert browser.get("/accounts/bolt").status_code == 404
    html = shown(browser)
    assert "Of the group you see 2 accounts" in section(html, "Group")
    assert "Bolt" not in html


@pytest.mark.usefixtures("group")
def test_who_reads_it_is_written_down_with_each_account_that_it_shows(
    served: "Served", browser: httpx.Client
) -> None:
    shown(browser)
    for account_id in ("acme", "bolt"):
        name = Pseudonyms(served.parts.store).of([account_id])[0]
        reads = reads_of(served.parts.settings.home.audit_log, name)
        assert "GET /accounts/{account_id}" in {read.call for read in reads}


def test_the_list_leads_to_it_and_it_leads_back(browser: httpx.Client) -> None:
    assert '<a href="/accounts/acme">Acme Ltd</a>' in browser.get("/").text
    assert '<a href="/">' in shown(browser)


MADE_OF_SCORES = ("/", "/accounts/acme", "/portfolio", "/disagreements")


@pytest.mark.parametrize("path", MADE_OF_SCORES)
def test_the_first_day_says_what_to_do(unscored: "Served", path: str) -> None:
    with unscored.browser() as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert "There are no scores yet" in answer.text
    assert "<code>tenure score</code>" in answer.text


@pytest.fixture(params=[".", ".."])
def dots(served: "Served", request: pytest.FixtureRequest) -> Iterator[str]:
    """Let the id of Corn be one that every client takes for a place in a path."""

    def rename(before: str, after: str) -> None:
        with served.parts.store.writing() as connection:
            for table in (tables.published_accounts, tables.scores):
                named = sa.update(table).where(table.c.account_id == before)
                connection.execute(named.values(account_id=after))

    rename("corn", request.param)
    yield request.param
    rename(request.param, "corn")


def test_an_id_of_dots_has_an_address_that_no_client_shortens(served: "Served", dots: str) -> None:
    address = account_address(dots)
    with served.browser("csm", book="Ann") as ann, served.browser("csm", book="Bob") as bob:
        page = ann.get(urljoin(f"{served.url}/", address))  # as a browser resolves a link
        assert re.findall(r"<h1>(.+)</h1>", page.text) == ["Corn"]
        (elsewhere,) = re.findall(r'href="([^"]+)" hreflang="zh"', page.text)
        assert "<h1>Corn</h1>" in ann.get(unescape(elsewhere), follow_redirects=True).text
        assert bob.get(address).status_code == 404
        assert ann.get("/accounts/").status_code == 404


def person_of(served: "Served", client: httpx.Client) -> str:
    """Give the id of who has logged in."""
    kept = kept_session(served.parts.store, session_id(client.cookies[SESSION]))
    assert kept is not None
    return kept.user.user_id


def test_a_decision_on_no_scores_is_shown_again(unscored: "Served") -> None:
    with unscored.browser() as client:
        page = client.get("/disagreements").text
        (mark,) = set(re.findall(r'name="mark" value="([^"]+)"', page))
        typed = {"mark": mark, "feedback_id": "1", "sides_with": "csm", "note": "I saw it"}
        typed |= {"by": person_of(unscored, client)}
        answer = client.post("/disagreements", data=typed)
    assert answer.status_code == 409
    assert "There are no scores yet" in answer.text
    assert "I saw it</textarea>" in answer.text


def test_stale_scores_are_marked(
    served: "Served", serve_parts: Callable[[Parts], AbstractContextManager[str]]
) -> None:
    settings = served.parts.settings
    days = settings.stale_after_days + 3
    later = open_parts(settings, now=lambda: AS_OF + timedelta(days=days))
    with serve_parts(later) as url, replace(served, url=url, parts=later).browser() as browser:
        for path in MADE_OF_SCORES:
            assert f"These scores are {days} days old" in words(browser.get(path).text), path
    later.close()


def test_each_kind_of_feedback_has_a_name() -> None:
    assert {f"feedback.{kind}" for kind in get_args(FeedbackKind)} <= catalogue().keys()


def score_of(day: int, version: str, share: float) -> dict[str, object]:
    return {
        "model": "churn",
        "as_of": AS_OF + timedelta(days=day),
        "model_version": version,
        "probability": share,
    }


def test_scores_of_two_models_are_not_joined() -> None:
    past = [score_of(0, "1", 0.1), score_of(7, "1", 0.2), score_of(14, "2", 0.3)]
    chart = by_date(past, "New model")
    assert chart is not None
    assert [line.points.count(",") for line in chart.lines] == [2, 1]
    assert [mark.text for mark in chart.marks] == ["New model"]
    assert chart.marks[0].x == 468
    same = by_date([{**row, "model_version": "1"} for row in past], "New model")
    assert same is not None
    assert (len(same.lines), same.marks) == (1, ())


def test_a_curve_begins_at_nought_and_its_renewal_lies_within() -> None:
    rows = [{"model": "churn", "horizon_days": 100, "probability": 0.5}]
    chart = by_horizon(rows, 50, "Renewal")
    assert chart is not None
    assert chart.lines[0].points == "60.0,172.0 468.0,22.0"
    assert chart.marks[0].x == 264
    beyond = by_horizon(rows, 101, "Renewal")
    assert beyond is not None
    assert beyond.marks == ()
    assert by_horizon([], 50, "Renewal") is None


def test_a_time_line_draws_no_lane_of_what_nobody_knows() -> None:
    events = [Event(date(2026, 2, 16), "ticket"), Event(date(2020, 1, 1), "ticket")]
    drawn = time_line(AS_OF, [0, 4], events, ["invoices"])
    assert drawn is not None
    assert {lane.name for lane in drawn.lanes} == LANES.keys() - {"invoices"}
    assert drawn.lanes[0].xs == (96.0,)
    assert time_line(AS_OF, [], events[1:], []) is None


@pytest.mark.parametrize(
    ("due", "met", "said"),
    [
        ("2026-01-01", None, "missed"),
        ("2026-03-02", None, "due"),
        (None, None, "agreed, no date"),
        ("2026-01-01", "2026-01-01", "met on 2026-01-01"),
        ("2026-01-01", "2026-01-02", "met late, on 2026-01-02"),
    ],
)
def test_how_far_an_outcome_is(due: str | None, met: str | None, said: str) -> None:
    days = [date.fromisoformat(each) if each else None for each in (due, met)]
    assert outcome_state(Outcome(date(2025, 1, 1), days[0], days[1]), date(2026, 3, 2)) == said


@pytest.mark.parametrize(
    ("status", "day", "said"),
    [
        ("scored", "2025-12-01", "still a customer after a term that ended on 2026-01-01"),
        ("scored", "2026-01-02", "still a customer"),
        ("scored", "2026-03-02", "not known yet"),
        ("leaving", "2026-01-02", "has asked to cancel"),
        ("inactive", "2026-01-02", "left on 2026-02-01"),
        ("inactive", "2026-02-02", "was no customer any more"),
        ("no_data", "2026-01-02", "not known"),
    ],
)
def test_what_came_of_it(status: str, day: str, said: str) -> None:
    term = datetime(2026, 1, 1)  # noqa: DTZ001 - times are naive UTC everywhere
    came = Came(AS_OF.date(), status, Told(ended=date(2026, 2, 1)), [term])
    assert came.after(date.fromisoformat(day)) == said


def test_a_term_that_the_source_told_of_counts_as_one_that_was_published() -> None:
    told = Told(renewed=date(2026, 2, 15))
    came = Came(AS_OF.date(), "scored", told, [])
    after = "still a customer after a term that ended on 2026-02-15"
    assert came.after(date(2026, 2, 15)) == after
    assert came.after(date(2026, 2, 16)) == "still a customer"
    published = replace(came, terms=[datetime(2026, 2, 20)])  # noqa: DTZ001 - naive UTC
    assert came.after(date(2026, 2, 1)) == after
    assert published.after(date(2026, 2, 1)).endswith("2026-02-20")


def test_a_reason_stands_beside_its_own_past_and_its_peers(bundles: dict[str, Bundle]) -> None:
    churn = bundles["churn"]
    users = "usage__active_users__28d"
    known = replace(churn, peers=Peers({users: (3.0, 5.0, 40.0, 50.0)}))
    reason = {"feature": users, "value": 2.0, "effect": 0.0953, "text": "2 users"}
    past = [
        {
            "as_of": AS_OF - timedelta(days=days),
            "reasons": json.dumps([{"feature": users, "value": value}]),
        }
        for days, value in ((14, 9), (7, 4), (0, 2))
    ]
    (row,) = reason_rows([reason], known, past, AS_OF)
    assert (row.text, row.value, row.effect) == ("2 users", "2", "raises: odds times 1.10")
    assert row.before == "4 on 2026-02-23"
    assert row.peers == "lower than at 9 of 10 accounts"
    told = Told(before_at=date(2026, 2, 2), before={users: 7.0})
    (month_ago,) = reason_rows([reason], known, past, AS_OF, told)
    assert month_ago.before == "7 on 2026-02-02"
    (usual,) = reason_rows([{**reason, "value": 20.0}], known, [], AS_OF)
    assert (usual.before, usual.peers) == ("", "as at most accounts")
    (unknown,) = reason_rows([reason], None, [], AS_OF)
    assert unknown.peers == ""
