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


def test_a_session_that_ends_while_a_form_is_filled_in_leads_back_to_its_page(
    visit: "Visit", served: "Served"
) -> None:
    ann = served.user("csm", book="Ann", password=PASSWORD)
    page = visit(None)
    page.goto("/?tab=all")
    log_in(page, ann.login)
    page.get_by_role("searchbox").fill("corn")
    page.context.clear_cookies()
    page.get_by_role("button", name="Show").click()
    log_in(page, ann.login)
    expect(page.get_by_role("searchbox")).to_have_value("corn")
    assert re.search("tab=all", page.url)
