"""A page is written in the language that its reader chose, or whose browser asks for one."""

import re
from string import Formatter
from typing import TYPE_CHECKING

import pytest

from serving.pages.languages import LANGUAGES, asked_for
from serving.pages.texts import catalogue

if TYPE_CHECKING:
    from tests.serving.conftest import Served


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ZH-Hant-TW", "zh"),
        ("en;q=0.5, zh ; q=0.6", "zh"),
        ("de,fr;q=0.9", "en"),
        ("de, zh;q=0.1", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=0, *", "en"),
        ("*, zh;q=0.5", "en"),
        ("zh;q=high, en", "en"),
        ("zh;q=nan, en;q=0.1", "en"),
        (";;,=,q=,zh;level=1", "en"),
    ],
)
def test_a_browser_is_asked_for_its_languages(accepted: str, language: str) -> None:
    assert asked_for("", accepted) == language


def test_what_was_chosen_goes_before_what_a_browser_asks_for() -> None:
    assert asked_for("zh", "en") == "zh"
    assert asked_for("xx", "zh") == "zh"


def test_a_chosen_language_stays_and_its_address_holds_the_view(served: "Served") -> None:
    with served.browser() as browser:
        page = browser.get("/?tab=all&q=Acme", headers={"accept-language": "en"}).text
        assert '<html lang="en">' in page
        link = re.search(r'<a href="([^"]+)" hreflang="zh"', page)
        assert link is not None
        chosen = browser.get(link[1].replace("&amp;", "&"))
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/?tab=all&q=Acme")
        page = browser.get(chosen.headers["location"], headers={"accept-language": "en"}).text
        assert '<html lang="zh">' in page
        assert "Acme Ltd" in page
        assert 'hreflang="en"' in page


def test_a_language_that_is_not_there_changes_nothing(served: "Served") -> None:
    with served.browser() as browser:
        answer = browser.get("/login?lang=../../etc&next=/")
    assert answer.headers["location"] == "/login?next=%2F"
    assert "set-cookie" not in answer.headers


def test_a_choice_leads_to_no_other_host(served: "Served") -> None:
    with served.browser() as browser:
        assert browser.get("/?lang=zh&next=//evil.example").headers["location"].startswith("/?")


def placeholders(text: str) -> list[str]:
    return sorted(str(name) for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"en"}))
def test_a_catalogue_says_all_that_english_says_with_the_same_values(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert english.keys() == other.keys()
    differing = [key for key in english if placeholders(english[key]) != placeholders(other[key])]
    assert differing == []
    commands = re.compile(r"`[^`]+`")
    differing = [k for k in english if commands.findall(english[k]) != commands.findall(other[k])]
    assert differing == []
    assert [key for key, text in other.items() if not text.strip()] == []
