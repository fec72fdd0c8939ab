"""A morning with Tenure, as people have it in a browser."""

import csv
import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from serving.store import tables

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.serving.browser.conftest import Visit
    from tests.serving.conftest import Served

PASSWORD = "correct horse battery"  # noqa: S105 - of these tests
FORMULA = '=cmd|" /C calc"!A0'


def log_in(page: "Page", login: str) -> None:
    page.get_by_label("E-mail address").fill(login)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def exported(page: "Page") -> list[dict[str, str]]:
    with page.expect_download() as awaited:
        page.get_by_role("link", name="CSV").click()
    with awaited.value.path().open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def untold(served: "Served") -> None:
    """Forget what the tests before said of accounts."""
    with served.parts.store.writing() as connection:
        connection.execute(sa.delete(tables.feedback))


def tell(page: "Page", account: str, kind: str, note: str = "") -> None:
    """Say something of an account from its row of the list: at once, or by the form of all."""
    at_once = page.get_by_role("button", name=f"{kind}: {account}", exact=True)
    if at_once.count() and not note:
        at_once.click()
    else:
        page.get_by_role("button", name=f"More …: {account}", exact=True).click()
        page.get_by_label("In a sentence").fill(note)
        page.get_by_role("button", name=kind, exact=True).click()
    expect(page.locator("#said")).to_be_focused()


def states(page: "Page") -> dict[str, str]:
    return {row["account_id"]: row["state"] for row in exported(page)}


def told(served: "Served") -> list[tuple[str, str, str | None]]:
    with served.parts.store.reading() as connection:
        rows = connection.execute(
            sa.select(tables.feedback).order_by(tables.feedback.c.feedback_id)
        )
        return [(row.account_id, row.kind, row.note) for row in rows]


def test_a_csm_logs_in_works_three_accounts_and_takes_the_list_along(
    visit: "Visit", served: "Served"
) -> None:
    bob = served.user("csm", book="Bob", password=PASSWORD)
    page = visit(None)
    page.goto("/?tab=all")
    log_in(page, bob.login)
    expect(page.get_by_role("heading", level=1)).to_have_text("Work list")
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Why", exact=True)).to_be_visible()
    page.go_back()
    tell(page, "Bolt", "Contacted", "They call back on Friday")
    tell(page, "Quit", "Saved")
    tell(page, "Newt", "Snooze 14 days")
    assert re.search(r"/\?tab=all&said=\d+&at=\d+#said$", page.url)
    assert states(page) == {
        "bolt": "contacted",
        "quit": "resolved",
        "newt": "snoozed",
        "gone": "new",
    }
    assert told(served) == [
        ("bolt", "contacted", "They call back on Friday"),
        ("quit", "saved", None),
        ("newt", "snoozed", None),
    ]
    page.goto("/accounts/bolt")
    expect(page.locator("main")).to_contain_text("They call back on Friday")


def test_two_people_say_something_of_one_account_at_once_and_both_see_both(
    visit: "Visit", served: "Served"
) -> None:
    ann, lead = visit("csm", book="Ann"), visit()
    for page in (ann, lead):
        page.goto("/?tab=all")
    tell(ann, "Acme Ltd", "Contacted", "Called")
    tell(lead, "Acme Ltd", "Not a risk", "They signed")
    assert told(served) == [("acme", "contacted", "Called"), ("acme", "not_a_risk", "They signed")]
    for page in (ann, lead):
        page.goto("/accounts/acme")
        expect(page.locator("main")).to_contain_text("Called")
        expect(page.locator("main")).to_contain_text("They signed")


def test_without_javascript_a_csm_logs_in_searches_reads_and_exports(
    visit: "Visit", served: "Served"
) -> None:
    bob = served.user("csm", book="Bob", password=PASSWORD)
    page = visit(None, java_script_enabled=False)
    page.goto("/")
    log_in(page, bob.login)
    page.get_by_role("link", name="All").click()
    page.get_by_role("searchbox").fill("qui")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert [row["account_id"] for row in exported(page)] == ["quit"]
    page.get_by_role("link", name="Quit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quit")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_lead_holds_the_weekly_meeting(visit: "Visit", served: "Served") -> None:
    served.user("csm", book="Ann", team="east")
    page = visit("lead", team="east")
    page.goto("/")
    page.get_by_role("link", name="Portfolio").click()
    expect(page.get_by_role("heading", name="Load of each CSM")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Ann")
    expect(page.locator("main")).not_to_contain_text("Bob")
    page.get_by_role("link", name="Acme Ltd").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme Ltd")
    page.goto("/accounts/bolt")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


@pytest.fixture
def corn_is_a_formula(served: "Served") -> None:
    """Give an account a name that a spreadsheet would compute."""
    with served.parts.store.writing() as connection:
        for table in (tables.published_accounts, tables.listed_accounts):
            row = table.c.account_id == "corn"
            connection.execute(sa.update(table).where(row).values(name=FORMULA))


@pytest.mark.usefixtures("corn_is_a_formula")
def test_a_name_is_text_on_every_page_and_in_a_file(visit: "Visit") -> None:
    page = visit()
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.goto("/?tab=all")
    for name in ("<script>alert(1)</script>", FORMULA):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        page.go_back()
    names = [row["name"] for row in exported(page)]
    assert f"'{FORMULA}" in names
    assert "<script>alert(1)</script>" in names
    assert asked == []


def test_a_session_that_ends_while_a_form_is_filled_in_loses_and_sends_nothing(
    visit: "Visit", served: "Served"
) -> None:
    ann = served.user("csm", book="Ann", password=PASSWORD)
    page = visit(None)
    page.goto("/?tab=all")
    log_in(page, ann.login)
    page.get_by_role("button", name="More …: Acme Ltd", exact=True).click()
    page.get_by_label("In a sentence").fill("They moved to the <new> office")
    page.context.clear_cookies()
    page.get_by_role("button", name="Contacted", exact=True).click()
    log_in(page, ann.login)
    expect(page.get_by_role("alert")).to_contain_text("Nothing is recorded yet")
    expect(page.locator("textarea")).to_have_value("They moved to the <new> office")
    assert told(served) == []
    page.get_by_role("button", name="Contacted", exact=True).click()
    expect(page).to_have_url(re.compile("tab=all"))
    assert told(served) == [("acme", "contacted", "They moved to the <new> office")]
