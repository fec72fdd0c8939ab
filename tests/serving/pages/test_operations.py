"""The operator's page: what is in service, how old it is, and a plain word on what is wrong."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from features.catalog import catalog
from features.home import Home
from serving.monitored import Calibration, Figures, Interval, keep, last
from serving.pages.operations import Check, aged, calibrated, to_do, worst
from serving.store import tables
from training.monitor import Calibration as Judged
from training.monitor import Drift, LeftAside, Level, MonitorReport

if TYPE_CHECKING:
    from tests.serving.conftest import Served

PATH = "/operations"
USERS = "usage__active_users__28d"
USERS_IN_WORDS = next(each.description.rstrip(".") for each in catalog() if each.column == USERS)
AT = datetime(2026, 3, 2, 9)  # noqa: DTZ001 - times are naive UTC everywhere


@pytest.fixture
def browser(served: "Served") -> Iterator[httpx.Client]:
    with served.browser() as client:
        yield client


@pytest.fixture
def kept(served: "Served") -> Iterator[Callable[..., None]]:
    """Give what keeps a finding, and takes it away after the test."""
    home = served.parts.settings.home
    yield lambda at, *reports: keep(home, at, at, reports) and None
    home.monitored.unlink(missing_ok=True)


def texts(client: httpx.Client) -> str:
    """Give a page's words without its tags."""
    response = client.get(PATH)
    assert response.status_code == 200, response.text
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def drift(column: str, level: Level) -> Drift:
    return Drift(column, None if level == "unknown" else 0.3, level, "left aside")


def report(version: str = "1") -> dict[str, Any]:
    """Give a report of churn as `tenure monitor` keeps it."""
    ratio = {"value": 1.6, "low": 1.1, "high": 2.2}
    figures = {"observed_over_expected": ratio, "rows": 400, "auc": None, "brier": float("nan")}
    found = MonitorReport(
        model="churn",
        model_version=version,
        features=(drift(USERS, "far"), drift("tickets", "moved"), drift("nps", "unknown")),
        scores=(drift("probability__90d", "steady"),),
        calibration=(Judged(90, 400, 34, 21.34, figures, "left aside"),),
        left_aside=LeftAside(0, 0, ""),
    )
    return found.to_json()


def test_what_is_in_service_stands_with_its_age_and_its_model(browser: httpx.Client) -> None:
    page = texts(browser)
    assert "Scores ok The scores are as of 2026-03-02 (UTC): 36 hours old." in page
    assert "Publication ok Publication 1 is in service, the newest." in page
    assert "Parts ok Store, audit log, snapshot and models are there." in page
    assert "auc: 0.71" in page
    assert "2026-01-05 00:00 UTC 2024-01-01 to 2025-09-01 4 30 days: 10 %; 90 days: 20 %" in page


def test_without_monitoring_it_says_how_to_begin(browser: httpx.Client) -> None:
    page = texts(browser)
    assert "Monitoring look at this Drift and calibration are not known." in page
    assert "Something should be looked at." in page
    assert "What to do look at this Monitoring: Run tenure monitor ." in page


def test_what_monitoring_found_is_said_in_plain_words(
    browser: httpx.Client, kept: Callable[..., None]
) -> None:
    kept(AT, report())
    page = texts(browser)
    assert "Monitoring ok Looked on 2026-03-02 09:00 UTC" in page
    assert (
        "churn: features look at this Of 2 compared, 1 are far from before and 1 have moved. "
        f"Farthest: {USERS_IN_WORDS} ( {USERS} )."
    ) in page
    assert (
        "churn: calibration, 90 days look at this More came than expected: 34 against 21.3, "
        "of 400 past scores. The probabilities are too low."
    ) in page
    assert "look at this churn: calibration, 90 days: Run tenure train churn , then" in page


def test_each_horizon_in_service_is_told_the_lists_own_first(
    browser: httpx.Client, kept: Callable[..., None]
) -> None:
    kept(AT, report())
    page = texts(browser)
    main, other = page.index("churn: calibration, 90 days"), "churn: calibration, 30 days"
    assert f"{other} not yet known No past score is old enough to be judged." in page
    assert main < page.index(other)


def test_moments_are_told_for_the_readers_own_zone(
    browser: httpx.Client, kept: Callable[..., None]
) -> None:
    kept(AT, report())
    html = browser.get(PATH).text
    assert html.count('<time datetime="2026-03-02T09:00:00Z">') == 2
    assert '<time datetime="2026-01-05T00:00:00Z">' in html


def test_monitoring_that_is_old_or_of_another_version_says_so(
    browser: httpx.Client, kept: Callable[..., None]
) -> None:
    kept(AT - timedelta(days=30), report(version="7"))
    page = texts(browser)
    assert "Monitoring look at this Last looked on 2026-01-31" in page
    assert "churn look at this Version 7 was looked at, and version 1 is in service." in page
    assert "More came" not in page


def test_an_older_publication_in_service_is_looked_at(
    served: "Served", browser: httpx.Client
) -> None:
    published = tables.publications
    with served.parts.store.writing() as connection:
        row = dict(connection.execute(sa.select(published)).mappings().one())
        connection.execute(sa.insert(published).values(**row | {"number": 9}))
    page = texts(browser)
    with served.parts.store.writing() as connection:
        connection.execute(sa.delete(published).where(published.c.number == 9))
    assert "Publication look at this Publication 1 is in service; 9 is the newest." in page


def test_the_first_day_is_wrong_and_says_what_to_do(unscored: "Served") -> None:
    with unscored.browser() as client:
        page = texts(client)
    assert "Something is wrong." in page
    assert "Scores wrong There are no scores in service." in page
    assert "What to do wrong Scores: Run tenure score ." in page
    assert "Parts wrong Not there: snapshot" in page


@pytest.mark.parametrize("role", [{"role": "csm", "book": "Ann"}, {"role": "lead", "team": "t"}])
def test_nobody_but_an_admin_opens_it(served: "Served", role: dict[str, str]) -> None:
    with served.browser(**role) as client:
        assert client.get(PATH).status_code == 403
        assert PATH not in client.get("/").text


@pytest.mark.parametrize(
    ("low", "high", "level"),
    [
        (0.8, 1.2, "ok"),
        (1.1, 2.5, "look"),
        (2.0, 3.0, "wrong"),
        (0.6, 0.9, "look"),
        (0.2, 0.5, "wrong"),
    ],
)
def test_calibration_is_as_bad_as_its_interval_is_sure_of(
    low: float, high: float, level: str
) -> None:
    figures = Figures(Interval((low + high) / 2, low, high))
    found = Calibration(90, 100, 10, 9.0, figures)
    assert calibrated("churn", found).level == level
    few = Calibration(90, 3, 1, 0.5, Figures(None))
    assert calibrated("churn", few).level == "unknown"
    assert calibrated("churn", Calibration(90, 0, 0, 0.0, Figures(None))).level == "unknown"


def test_the_worst_of_all_is_said_first() -> None:
    ok, unknown, look, wrong = (
        Check("", level, "") for level in ("ok", "unknown", "look", "wrong")
    )
    assert (worst([ok, look, wrong, ok]), worst([look, unknown])) == ("wrong", "look")
    assert (worst([ok, unknown]), worst([])) == ("unknown", "ok")


def test_what_is_to_be_done_is_said_once_and_the_worst_first() -> None:
    late, old = Check("data", "look", "", "score"), Check("scores", "look", "", "score")
    gone, fine = Check("parts", "wrong", "", "look"), Check("workers", "ok", "", "start it")
    found = to_do([late, old, gone, fine, Check("calibration", "unknown", "")])
    assert found == {"look": [gone], "score": [late, old]}
    assert list(found) == ["look", "score"]


@pytest.mark.parametrize(
    ("hours", "said"), [(0.2, "0 hours"), (47, "47 hours"), (48, "2 days"), (312, "13 days")]
)
def test_an_age_of_days_is_told_in_days(hours: float, said: str) -> None:
    assert aged(hours) == said


def test_what_was_found_is_kept_for_its_owner_alone_and_comes_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert last(home) is None
    file = keep(home, AT, AT, [report("1")])
    keep(home, AT, AT, [report("2")])
    assert file.stat().st_mode & 0o777 == 0o600
    found = last(home)
    assert found is not None
    assert (found.at, found.reports[0].model_version) == (AT, "2")
    assert [path.name for path in home.reports.iterdir()] == ["monitored.json"]


@pytest.mark.parametrize("text", ["", "{", '{"at": 1}', "[]"])
def test_what_cannot_be_read_counts_as_nothing(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path)
    home.reports.mkdir()
    home.monitored.write_text(text)
    assert last(home) is None
