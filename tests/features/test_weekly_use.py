"""The weeks of use beside an account's name, counted by hand."""

from collections.abc import Callable
from datetime import date

import pytest

from features.checked import CheckedSource
from features.engine import Engine
from features.spine import account_states
from features.weekly_use import WEEKS, weekly_use

Company = Callable[..., CheckedSource]
DAY = date(2024, 4, 1)
BASE = {
    "accounts": """
        account_id  created_at
        a           2023-01-01
        b           2023-01-01
    """,
    "subscriptions": """
        subscription_id  account_id  product  mrr  started_at
        s1               a           core     10   2023-01-01
        s2               b           core     10   2023-01-01
    """,
}
EVENTS = """
    account_id  user_id  occurred_at       event  quantity  recorded_at
    a           u        2024-04-01T00:00  open   1000      2024-04-01T00:00
    a           u        2024-03-31T23:00  open   4         2024-03-31T23:00
    a           u        2024-03-25T00:00  open   3         2024-03-25T00:00
    a           u        2024-03-26T00:00  open   500       2024-04-02T00:00
    a           v        2024-03-24T23:59  open   20        2024-03-24T23:59
    a           u        2023-10-02T00:00  open   7         2023-10-02T00:00
    a           u        2023-10-01T23:00  open   100       2023-10-01T23:00
"""


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_each_week_ends_at_the_date_and_knows_nothing_later(
    company: Company, engine: Engine
) -> None:
    source = company({**BASE, "usage_events": EVENTS}, extracted_at="2024-05-01")
    weeks = weekly_use(source, account_states(source, [DAY]), engine=engine)
    used = weeks.set_index("account_id")[[*range(WEEKS)]]
    assert used.loc["a"].tolist() == [7, *[0] * 23, 20, 7]
    assert used.loc["b"].tolist() == [0] * WEEKS


def test_without_a_log_there_are_no_weeks(company: Company) -> None:
    source = company(BASE, extracted_at="2024-05-01")
    weeks = weekly_use(source, account_states(source, [DAY]))
    assert weeks.columns.tolist() == ["account_id", "as_of"]
