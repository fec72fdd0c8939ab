"""A person's habits: keys, their own clock and language, and a connection that is lost."""

import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from serving.store import tables

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.serving.browser.conftest import Visit
    from tests.serving.conftest import Served


def focused_row(page: "Page") -> str:
    found = page.evaluate("document.activeElement.closest('tr')?.querySelector('th').innerText")
    return str(found or "").partition("\n")[0].strip()


def test_keys_lead_along_the_list_and_into_an_account(visit: "Visit") -> None:
    page = visit()
    page.goto("/")
    names = [text.partition("\n")[0].strip() for text in page.locator("tbody th").all_inner_texts()]
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        assert focused_row(page) == names[place], key
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/*")


def test_a_marked_row_is_seen(visit: "Visit") -> None:
    page = visit()
    page.goto("/")
    row = page.locator("tbody tr").first
    colour = "row => getComputedStyle(row).backgroundColor"
    before = row.evaluate(colour)
    page.keyboard.press("j")
    assert row.evaluate(colour) != before
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_letters_that_are_typed_move_nothing(visit: "Visit") -> None:
    page = visit()
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("jk/?")
    expect(page.locator("input[type=search]")).to_have_value("jk/?")
    expect(page.locator("#keys")).not_to_have_attribute("open", "")
    page.keyboard.press("Control+j")
    assert focused_row(page) == ""


def test_the_key_to_search_leads_from_an_account_to_the_lists_search(visit: "Visit") -> None:
    page = visit("csm", book="Ann")
    page.goto("/accounts/acme")
    page.keyboard.press("/")
    expect(page.get_by_role("heading", name="Work list")).to_be_visible()
    expect(page.locator("input[type=search]")).to_be_focused()
    page.keyboard.type("corn")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=corn"))


def test_a_wide_screen_shows_an_account_in_two_columns_and_a_telephone_in_one(
    visit: "Visit",
) -> None:
    lefts = {}
    for width in (1200, 360):
        page = visit(viewport={"width": width, "height": 800})
        page.goto("/accounts/acme")
        titles = ("What is expected", "What was done, and what came of it")
        boxes = [page.get_by_role("heading", name=title).bounding_box() for title in titles]
        lefts[width] = [box["x"] for box in boxes if box]
    assert lefts[1200][1] > lefts[1200][0] + 500
    assert lefts[360][1] == lefts[360][0]


def test_the_keys_are_shown_and_can_be_turned_off_for_good(visit: "Visit") -> None:
    page = visit()
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_text("next and previous row")).to_be_visible()
    page.get_by_label("Use these keys").uncheck()
    page.reload()
    page.keyboard.press("j")
    assert focused_row(page) == ""


def test_moments_are_told_in_the_readers_zone_and_without_scripts_in_utc(
    visit: "Visit", served: "Served"
) -> None:
    assert served.publication is not None
    assert served.publication.scored_at.isoformat() == "2026-03-02T01:00:00"
    shown = {}
    for zone in ("America/Los_Angeles", "Asia/Shanghai"):
        page = visit(timezone_id=zone)
        page.goto("/")
        page.locator(".about summary").click()
        shown[zone] = page.locator("main time").first.inner_text()
    assert "1 Mar 2026" in shown["America/Los_Angeles"]
    assert "17:00" in shown["America/Los_Angeles"]
    assert "2 Mar 2026" in shown["Asia/Shanghai"]
    assert "09:00" in shown["Asia/Shanghai"]
    page = visit(java_script_enabled=False)
    page.goto("/")
    page.locator(".about summary").click()  # folds out without a script
    assert page.locator("main time").first.inner_text() == "2026-03-02 01:00 UTC"


def test_a_reader_of_chinese_chooses_it_once(visit: "Visit") -> None:
    page = visit()
    page.goto("/?tab=all&q=acme")
    page.get_by_role("link", name="中文").click()
    assert page.url.endswith("/?tab=all&q=acme")
    assert page.locator("html").get_attribute("lang") == "zh"
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("工作清单")
    assert page.locator("td.why [lang=en]").count() > 0
    page = visit(None, locale="zh-CN")
    page.goto("/login")
    expect(page.get_by_role("button")).to_have_text("登录")


TEXTS = """() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [];
    while (walk.nextNode()) {
        const node = walk.currentNode;
        if (!node.parentElement.closest("[lang=en], code")) texts.push(node.textContent.trim());
    }
    return texts;
}"""
A_SENTENCE = re.compile("[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}")


def test_in_chinese_no_english_sentence_is_left_unmarked(visit: "Visit") -> None:
    page = visit(locale="zh-CN")
    accounts = ("/accounts/acme", "/accounts/newt", "/accounts/nobody")
    for path in (
        "/login",
        "/",
        "/?tab=all",
        *accounts,
        "/portfolio",
        "/disagreements",
        "/operations",
    ):
        page.goto(path)
        assert [text for text in page.evaluate(TEXTS) if A_SENTENCE.search(text)] == [], path


def test_a_lost_connection_is_told_and_what_was_typed_stays(visit: "Visit") -> None:
    page = visit()
    page.goto("/")
    page.locator("input[type=search]").fill("acme")
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("The connection is lost")
    page.keyboard.press("Enter")
    page.locator("input[type=search]").press("Enter")
    page.get_by_role("link", name="Watch").click()
    expect(page.locator("input[type=search]")).to_have_value("acme")
    page.context.set_offline(False)
    expect(page.locator("#found")).to_be_visible()
    page.locator("input[type=search]").press("Enter")
    page.wait_for_url(re.compile("q=acme"))


def told(served: "Served") -> list[tuple[str, str | None, bool]]:
    feedback = tables.feedback
    with served.parts.store.reading() as connection:
        rows = connection.execute(sa.select(feedback).order_by(feedback.c.feedback_id))
        return [(row.kind, row.note, row.withdrawn_at is not None) for row in rows]


@pytest.fixture
def untold(served: "Served") -> None:
    with served.parts.store.writing() as connection:
        connection.execute(sa.delete(tables.feedback))


@pytest.mark.usefixtures("untold")
@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_service_that_is_away_loses_no_sentence_and_it_is_recorded_once(
    visit: "Visit",
    served: "Served",
    is_recorded: bool,  # noqa: FBT001 - of the table above
) -> None:
    def away(route: "Route") -> None:
        if is_recorded:  # and the answer is lost
            route.fetch(max_redirects=0)
        route.abort("connectionrefused")

    page = visit()
    page.goto("/accounts/acme")
    page.route("**/feedback", away)
    sentence = page.get_by_label("In a sentence")
    sentence.fill("They call back")
    page.get_by_role("button", name="Contacted", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
    expect(sentence).to_have_value("They call back")
    assert len(told(served)) == int(is_recorded)
    page.unroute("**/feedback")
    page.get_by_role("button", name="Contacted", exact=True).dblclick()
    expect(page.get_by_role("status")).to_contain_text("Recorded: Contacted, Acme Ltd.")
    assert told(served) == [("contacted", "They call back", False)]


@pytest.mark.usefixtures("untold")
@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_click_in_a_row_leads_back_to_it_to_be_confirmed_and_taken_back(
    visit: "Visit",
    served: "Served",
    has_scripts: bool,  # noqa: FBT001 - of the table above
) -> None:
    page = visit(java_script_enabled=has_scripts, viewport={"width": 1280, "height": 300})
    page.goto("/?tab=all")
    row = page.locator("tbody tr").filter(has=page.get_by_role("link", name="Corn", exact=True))
    row.get_by_role("button", name="Contacted: Corn", exact=True).click()
    expect(page.locator("#said")).to_be_focused()
    expect(row).to_be_in_viewport()
    expect(page.get_by_role("status")).to_have_text("Recorded: Contacted, Corn.")
    page.get_by_label("Add a sentence").fill("Eva is away")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(row).to_contain_text("“Eva is away”")
    page.locator("#said").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_have_text("Taken back: Contacted, Corn.")
    assert told(served) == [("contacted", None, True), ("contacted", "Eva is away", True)]


def test_without_scripts_back_leads_to_what_was_typed(visit: "Visit") -> None:
    page = visit(java_script_enabled=False)
    page.goto("/accounts/acme")
    page.route("**/feedback", lambda route: route.abort("connectionrefused"))
    page.get_by_label("In a sentence").fill("They call back")
    page.get_by_role("button", name="Contacted", exact=True).click()
    page.wait_for_url("chrome-error://**")
    page.go_back()
    expect(page.get_by_label("In a sentence")).to_have_value("They call back")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 900)])
def test_the_first_account_is_seen_without_scrolling(
    visit: "Visit", width: int, height: int
) -> None:
    page = visit(viewport={"width": width, "height": height})
    page.goto("/")
    box = page.locator("tbody th a").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < height * 2 / 3


def test_no_date_of_the_list_is_broken_at_the_end_of_a_line(visit: "Visit") -> None:
    page = visit(viewport={"width": 1280, "height": 900})
    page.goto("/")
    lines = "all => all.map(one => one.getClientRects().length)"
    assert set(page.locator("tbody time").evaluate_all(lines)) == {1}
