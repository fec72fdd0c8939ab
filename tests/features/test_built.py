"""Which dates a history is built at, and that what was built is read again."""

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from features.build import feature_table
from features.built import built, dates_between, month_starts, refuse_the_future
from features.checked import CheckedSource
from features.engine import Engine
from features.errors import SourceError, TooLittleDataError
from features.home import Home

ACCOUNTS = """
account_id  name  created_at
a           Ada   2020-01-01T00:00
b           Bo    2020-01-01T00:00
"""
SUBSCRIPTIONS = """
subscription_id  account_id  product  mrr  started_at        ended_at
s1               a           core     100  2020-01-01T00:00  2021-01-01T00:00
s1               a           core     100  2021-01-01T00:00  -
s2               b           core     100  2020-01-01T00:00  2022-02-10T00:00
"""


def test_months_begin_with_the_first_account_that_was_lost(
    company: Callable[..., CheckedSource],
) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, extracted_at="2022-05-02T00:00:00"
    )
    assert month_starts(source) == (date(2022, 3, 1), date(2022, 4, 1), date(2022, 5, 1))


def test_months_begin_with_the_first_subscription_where_nobody_was_lost(
    company: Callable[..., CheckedSource],
) -> None:
    kept = SUBSCRIPTIONS.replace("2022-02-10T00:00", "-")
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": kept}, extracted_at="2020-03-02T00:00:00"
    )
    assert month_starts(source) == (date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1))


def test_the_end_that_a_newer_version_tells_of_is_a_loss(
    company: Callable[..., CheckedSource],
) -> None:
    versions = """
    subscription_id  account_id  product  mrr  started_at        ended_at          recorded_at
    s1               a           core     100  2020-01-01T00:00  2022-02-10T00:00  2022-02-11
    s1               a           core     100  2020-01-01T00:00  -                 -
    s2               b           core     100  2021-01-01T00:00  2022-03-10T00:00  2022-03-11
    """
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": versions}, extracted_at="2022-05-02T00:00:00"
    )
    assert month_starts(source) == (date(2022, 3, 1), date(2022, 4, 1), date(2022, 5, 1))


def test_a_scheduled_end_is_no_loss_yet(company: Callable[..., CheckedSource]) -> None:
    planned = SUBSCRIPTIONS.replace("2022-02-10T00:00", "2030-01-01T00:00")
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": planned}, extracted_at="2020-02-02T00:00:00"
    )
    assert month_starts(source) == (date(2020, 1, 1), date(2020, 2, 1))


def test_a_date_after_the_extract_is_refused(
    company: Callable[..., CheckedSource], home: Home
) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, extracted_at="2022-05-02T10:00:00"
    )
    assert len(built(source, (date(2022, 5, 2),), home=home, engine=Engine.POLARS).states) == 2
    with pytest.raises(SourceError, match="up to the extract's, 2022-05-02, got 2022-05-03"):
        built(source, (date(2022, 5, 2), date(2022, 5, 3)), home=home)


def test_the_morning_after_a_day_that_is_known_to_its_end_is_known(
    company: Callable[..., CheckedSource],
) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, extracted_at="2022-05-02"
    )
    refuse_the_future(source, [date(2022, 5, 3)])
    with pytest.raises(SourceError, match="up to the extract's, 2022-05-03, got 2022-05-04"):
        refuse_the_future(source, [date(2022, 5, 4)])


def test_a_series_holds_both_its_ends() -> None:
    assert dates_between(date(2024, 1, 1), date(2024, 1, 15), "week") == (
        date(2024, 1, 1),
        date(2024, 1, 8),
        date(2024, 1, 15),
    )


def test_what_was_built_is_read_again_and_equal(
    company: Callable[..., CheckedSource], home: Home
) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, extracted_at="2022-05-02T00:00:00"
    )
    dates = (date(2022, 1, 1), date(2022, 3, 1))
    first = built(source, dates, home=home, engine=Engine.POLARS)
    again = built(source, dates, home=home, engine=Engine.POLARS)
    assert len(list(home.snapshots.iterdir())) == 1
    assert again.table.equals(first.table)
    fresh = feature_table(source, first.states, engine=Engine.POLARS)
    assert again.table[fresh.columns.tolist()].equals(fresh)


def test_other_dates_are_another_build(company: Callable[..., CheckedSource], home: Home) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, extracted_at="2022-05-02T00:00:00"
    )
    for day in (date(2022, 1, 1), date(2022, 3, 1)):
        built(source, (day,), home=home, engine=Engine.POLARS)
    assert len(list(home.snapshots.iterdir())) == 2


def test_a_source_that_will_not_do_is_refused_before_its_features_are_built(
    company: Callable[..., CheckedSource], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, extracted_at="2022-05-02T00:00:00"
    )
    seen: list[str] = []

    def refuse(_: CheckedSource, states: pd.DataFrame) -> None:
        seen.extend(states["status"])
        raise TooLittleDataError("Expected more customers, got one. Bring more.")

    monkeypatch.setattr("features.built.feature_table", None)  # calling it would be a TypeError
    with pytest.raises(TooLittleDataError, match="got one"):
        built(source, [date(2022, 3, 1)], home=home, enough=refuse)
    assert seen == ["active", "inactive"]
