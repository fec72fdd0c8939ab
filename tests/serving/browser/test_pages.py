"""Every page is readable: by axe-core, light and dark, on a telephone and on a wide screen."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.serving.browser.conftest import Visit
    from tests.serving.conftest import Served

Violations = Callable[["Page"], list[str]]
SHOWN = (
    "/login",
    "/",
    "/?tab=grow",
    "/?tab=all",
    "/?tab=watch",
    "/?q=nobody",
    "/accounts/acme",
    "/accounts/newt",
    "/accounts/nobody",
    "/portfolio",
    "/disagreements",
    "/operations",
)


def broken(page: "Page", violations: Violations, paths: tuple[str, ...]) -> dict[str, list[str]]:
    """Give what each page breaks, of those that break something."""
    found = {}
    for path in paths:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == (404 if path == "/accounts/nobody" else 200), path
        found[path] = violations(page)
    return {path: said for path, said in found.items() if said}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_page_breaks_a_rule_of_axe(
    visit: "Visit", violations: Violations, scheme: str, width: int
) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 800})
    assert broken(page, violations, SHOWN) == {}


def test_a_first_day_without_scores_breaks_none(
    visit: "Visit", violations: Violations, unscored: "Served"
) -> None:
    page = visit(of=unscored)
    assert broken(page, violations, ("/", "/portfolio", "/operations")) == {}
    page.goto("/")
    expect(page.get_by_role("heading", name="There are no scores yet")).to_be_visible()


def test_axe_finds_what_is_wrong(visit: "Visit", violations: Violations) -> None:
    page = visit(None)
    page.goto("/login")
    page.evaluate("document.querySelectorAll('label').forEach(label => label.remove())")
    assert [said.partition(":")[0] for said in violations(page)] == ["label", "label"]


@pytest.mark.parametrize("width", [360, 1024, 1200, 1920])
def test_no_page_is_wider_than_the_window(visit: "Visit", width: int) -> None:
    page = visit(viewport={"width": width, "height": 800})
    for path in SHOWN:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
