"""A real browser in front of the small company: Debian's Chromium, driven by Playwright."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from features.home import Home
from serving.pages.cookies import SESSION
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Served

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIND = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"

PATIENCE = 20_000  # milliseconds: the other tests keep the machine busy

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give the machine's Chromium; tests that need it are skipped where there is none."""
    path = os.environ.get("TENURE_CHROMIUM", "/usr/bin/chromium")
    if not Path(path).exists():
        pytest.skip(f"no browser at {path}: install Debian's chromium, or set TENURE_CHROMIUM")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=as_root)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Give axe-core's source; tests that need it are skipped until `make axe` brought it."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `make axe`, which needs npm")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def served_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give the settings of one empty home: what a browser shows is the same on any store."""
    home = Home(tmp_path_factory.mktemp("home"))
    return Settings(home=home, requests_at_once=1_000_000)


@pytest.fixture
def visit(chromium: Browser, served: "Served") -> Iterator[Visit]:
    """Give what opens a page in a window of its own, logged in as somebody with that role.

    Every error that a page reports, and everything that its policy forbids, fails the test.
    """
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(
        role: str | None = "admin",
        book: str | None = None,
        team: str | None = None,
        of: "Served" = served,
        **options: Any,
    ) -> Page:
        options = {"base_url": of.url, "locale": "en-GB", **options}
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE)
        opened.append(context)
        if role is not None:
            value = of.session(of.user(role, book=book, team=team))
            context.add_cookies([{"name": SESSION, "value": value, "url": of.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: _refused(said.text, wrong))
        return page

    yield open_page
    for context in opened:
        context.close()
    assert wrong == []


def _refused(text: str, wrong: list[str]) -> None:
    if "Content Security Policy" in text:
        wrong.append(text)


@pytest.fixture
def violations(axe: str) -> Callable[[Page], list[str]]:
    """Give what tells which rules of WCAG 2.2 AA a page breaks, and where."""

    def find(page: Page) -> list[str]:
        page.evaluate(axe)
        found = page.evaluate(FIND, RULES)["violations"]
        return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]

    return find
