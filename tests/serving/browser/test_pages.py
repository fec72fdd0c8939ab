"""Every page is readable: by axe-core, light and dark, on a telephone and on a wide screen."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.serving.browser.conftest import Visit

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_axe(visit: "Visit", violations: Violations, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    found = {}
    for path in SHOWN:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == (404 if "nobody" in path.partition("?")[0] else 200), path
        found[path] = violations(page)
    assert {path: said for path, said in found.items() if said} == {}


def test_axe_finds_what_is_wrong(visit: "Visit", violations: Violations) -> None:
    page = visit(None)
    page.goto("/login")
    page.evaluate("document.querySelectorAll('label').forEach(label => label.remove())")
    assert [said.partition(":")[0] for said in violations(page)] == ["label", "label"]


@pytest.mark.parametrize("width", [360, 1920])
def test_no_page_is_wider_than_the_window(visit: "Visit", width: int) -> None:
    page = visit(viewport={"width": width, "height": 800})
    for path in SHOWN:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
