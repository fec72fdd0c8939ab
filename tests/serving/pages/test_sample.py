"""A sample company, whose data ends in the past, is shown as of its own day and not as stale."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from features.home import Home
from models.bundle import Bundle
from serving.parts import Parts, open_parts
from serving.publishing.publish import Scored, publish
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Served as Service

AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
LATER = AS_OF + timedelta(days=300)


@pytest.fixture(scope="module")
def browser(
    scored_company: Callable[..., Scored],
    bundles: dict[str, Bundle],
    serve_parts: Callable[[Parts], AbstractContextManager[str]],
    serve: "type[Service]",
    tried: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    settings = Settings(home=Home(tmp_path_factory.mktemp("home")), requests_at_once=1_000_000)
    shutil.copytree(tried, settings.home.served / "tried")
    parts = open_parts(settings, now=lambda: LATER)
    scored = replace(scored_company(bundles), about={"churn": {"is_sample": True}})
    publication = publish(parts.store, settings.home, scored, LATER)
    with serve_parts(parts) as url, serve(url, parts, publication).browser() as client:
        yield client
    parts.close()


def words(client: httpx.Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub("</?time>", "", response.text)).split())


@pytest.mark.parametrize("path", ["/", "/accounts/acme", "/portfolio", "/disagreements"])
def test_it_says_as_of_when_and_calls_nothing_old(browser: httpx.Client, path: str) -> None:
    page = words(browser, path)
    assert "Sample data as of 2026-03-02: the company is made up" in page
    assert "days old" not in page
    assert not re.search(r"\d{3} days ago", page)


def test_days_are_told_from_its_own(browser: httpx.Client) -> None:
    assert "renews 2026-04-01, in 30 days" in words(browser, "/accounts/acme")
    assert "renews 2026-04-01, in 30 days" in words(browser, "/")
    within, not_within = (words(browser, f"/?renews={days}") for days in (30, 7))
    assert ("Acme Ltd" in within, "Acme Ltd" in not_within) == (True, False)


def test_an_operator_is_asked_for_no_newer_extract(browser: httpx.Client) -> None:
    page = words(browser, "/operations")
    assert "Scores ok The scores are as of 2026-03-02 (UTC): 300 days old." in page
    assert "newer extract" not in page
