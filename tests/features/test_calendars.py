"""Working days by country."""

from collections.abc import Callable

import pandas as pd

from features.calendars import work_days
from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
SUBSCRIPTIONS = """
    subscription_id account_id product mrr started_at
    s1              a          base    100 2024-01-01
"""


def calendar(company: Company, *countries: str) -> pd.DataFrame:
    accounts = [f"{name} {country} 2024-01-01" for name, country in zip("abcde", countries)]  # noqa: B905 - as many as there are
    text = "account_id country created_at\n" + "\n".join(accounts)
    source = company({"accounts": text, "subscriptions": SUBSCRIPTIONS}, extracted_at="2024-12-31")
    days = work_days(source).to_pandas()
    days["date"] = pd.to_datetime(days["day"], unit="D")
    return days


def worked(days: pd.DataFrame, country: str, day: str) -> bool:
    (found,) = days[(days["country"] == country) & (days["date"] == day)]["is_working"]
    return bool(found)


def test_weekends_and_holidays_are_those_of_the_country(company: Company) -> None:
    days = calendar(company, "DE", "US", "IL")
    assert [worked(days, "DE", day) for day in ("2024-10-03", "2024-10-05")] == [False, False]
    assert [worked(days, "US", day) for day in ("2024-10-03", "2024-07-04")] == [True, False]
    assert [worked(days, "IL", day) for day in ("2024-07-05", "2024-07-07")] == [False, True]


def test_it_spans_the_year_before_the_first_account_to_the_one_after_the_extract(
    company: Company,
) -> None:
    days = calendar(company, "DE")
    assert str(days["date"].min().date()) == "2023-01-01"
    assert str(days["date"].max().date()) == "2025-12-31"
    assert len(days) == 365 + 366 + 365


def test_what_was_before_a_day_leaves_the_day_out(company: Company) -> None:
    days = calendar(company, "DE").set_index("date")
    assert days.loc["2023-01-01", "working_before"] == 0
    assert days.loc["2023-01-07", "working_before"] == 5  # 2 to 6 January
    assert days.loc["2024-01-01", "holidays_before"] == 8  # 2023: New Year fell on a Sunday
    assert days.loc["2024-01-02", "holidays_before"] == 9


def test_a_country_is_taken_as_written_and_an_unknown_one_left_out(company: Company) -> None:
    days = calendar(company, "de", "XX", "-", "DEU", "Atlantis")
    assert set(days["country"]) == {"de", "DEU"}
