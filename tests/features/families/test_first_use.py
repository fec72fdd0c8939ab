"""How soon after the start the product was taken into use, computed by hand."""

from collections.abc import Callable

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
BASE = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
        b           2024-01-01
        c           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-10
        s2              b          base    100 2024-01-10
        s3              c          base    100 2024-01-04
        s4              c          plus    100 2024-01-12
    """,
}
EVENTS = """
    account_id user_id occurred_at      event recorded_at
    a          u1      2024-01-20T10:00 open  2024-01-20T10:00
    a          u1      2024-01-20T11:00 save  2024-01-20T11:00
    a          u1      2024-01-20T12:00 share 2024-02-10T12:00
    a          u2      2024-01-30T12:00 open  2024-01-30T12:00
    a          u1      2024-01-30T12:00 open  2024-02-05T12:00
    b          u1      2024-01-05T12:00 open  2024-01-05T12:00
    c          u1      2024-01-09T12:00 open  2024-01-09T12:00
    c          u1      2024-01-03T12:00 open  2024-03-01T12:00
"""
COLUMNS = ("days_to_first_use", "days_to_shared_use", "days_to_broad_use")


@pytest.mark.parametrize(
    ("as_of", "account", "expected"),
    [
        ("2024-01-20", "a", [None, None, None]),
        ("2024-01-21", "a", [10, None, None]),
        ("2024-02-05", "a", [10, None, None]),
        ("2024-02-06", "a", [10, 20, None]),  # the second user of that day is known now
        ("2024-02-11", "a", [10, 20, 10]),  # and the third function
        ("2024-06-01", "b", [0, None, None]),  # used before the first subscription
        ("2024-03-01", "c", [None, None, None]),  # the log begins after c's subscription
        ("2024-03-02", "c", [0, None, None]),  # it goes further back, which is known now
    ],
)
def test_a_first_day_counts_once_it_is_known(
    company: Company, values: Values, as_of: str, account: str, expected: list[float | None]
) -> None:
    source = company({**BASE, "usage_events": EVENTS}, extracted_at="2025-01-01")
    columns = [f"adoption__{name}" for name in COLUMNS]
    assert list(values(source, columns, as_of, account).values()) == expected


def test_users_of_merged_accounts_share_a_day(company: Company, values: Values) -> None:
    events = """
        account_id user_id occurred_at event
        a          u1      2024-02-01  open
        b          u2      2024-02-01  open
    """
    merges = """
        from_account_id into_account_id merged_at
        b               a               2024-03-10
    """
    tables = {**BASE, "usage_events": events, "account_merges": merges}
    source = company(tables, extracted_at="2025-01-01")
    column = "adoption__days_since_first_shared_use"
    assert values(source, [column], "2024-03-10") == {column: None}
    assert values(source, [column], "2024-03-11") == {column: 39}
