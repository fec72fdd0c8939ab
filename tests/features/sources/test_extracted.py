"""A wrong time of the extract does not pass in silence."""

from datetime import UTC, datetime, timedelta

import pytest

from features.errors import SourceError
from features.sources.check import check

BASE = {
    "accounts": "account_id created_at\na 2024-01-01",
    "subscriptions": "subscription_id account_id product mrr started_at\ns a base 1 2024-01-01",
    "trainings": "account_id completed_at\na 2024-03-01",
}
HEADING = "subscription_id account_id product mrr started_at ended_at\n"


def warnings_of(source):
    return [finding.message for finding in source.findings if finding.level == "warning"]


def test_an_extract_of_the_future_is_refused(source_folder, home):
    ahead = datetime.now(UTC) + timedelta(hours=1)
    folder = source_folder(BASE, extracted_at=ahead.isoformat())
    with pytest.raises(SourceError, match=r"Expected a past time at `extracted_at`.*Correct it"):
        check(str(folder), home=home)


def test_an_extract_of_today_is_good(company):
    assert not company(BASE, extracted_at=f"{datetime.now(UTC):%Y-%m-%d}").extracted_at_is_guess


def test_an_extract_long_after_its_newest_row_is_doubted(company):
    (warning,) = warnings_of(company(BASE, extracted_at="2024-04-06"))
    assert warning == (
        "The newest row is of 2024-03-01, 36 days before extracted_at: if the extract is older "
        "than it says, accounts would count as staying that nobody has seen. Correct extracted_at."
    )


def test_an_extract_35_days_after_its_newest_row_is_not(company):
    assert warnings_of(company(BASE, extracted_at="2024-04-05")) == []


def test_a_subscription_that_has_started_is_a_newest_row(company):
    started = HEADING + "s a base 1 2024-05-01 -"
    assert warnings_of(company(BASE | {"subscriptions": started}, extracted_at="2024-05-31")) == []


def test_a_planned_time_is_no_newest_row(company):
    planned = HEADING + "s a base 1 2024-01-01 2024-05-30\nt a base 1 2024-06-30 -"
    (warning,) = warnings_of(company(BASE | {"subscriptions": planned}, extracted_at="2024-05-31"))
    assert "2024-03-01, 91 days" in warning


@pytest.mark.parametrize(("late", "is_poor"), [(1, False), (2, True)])
def test_a_guess_is_poor_when_more_than_one_subscription_in_a_hundred_starts_later(
    company, late, is_poor
):
    rows = [f"s{n} a base 1 {'2024-04-01' if n < late else '2024-01-01'} -" for n in range(100)]
    tables = BASE | {"subscriptions": HEADING + "\n".join(rows)}
    found = warnings_of(company(tables, extracted_at=None))
    assert ["poor guess" in warning for warning in found] == [True] * is_poor
    assert warnings_of(company(tables, extracted_at="2024-03-02")) == []
