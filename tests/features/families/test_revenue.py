"""What a seat costs, and how that changed, by hand."""

from collections.abc import Callable

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
COMPANY = {
    "accounts": """
        account_id  created_at
        a           2023-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr seats started_at ended_at
        s1              a          base    100 10    2023-01-10 2024-03-01
        s2              a          base    180 15    2024-03-01 -
    """,
}


@pytest.mark.parametrize(
    ("as_of", "cost", "since_a_quarter", "since_a_year"),
    [
        ("2023-02-01", 10.0, None, None),
        ("2024-03-02", 12.0, 0.2, 0.2),
        ("2024-05-30", 12.0, 0.2, 0.2),
        ("2024-06-01", 12.0, 0.0, 0.2),
        ("2025-03-02", 12.0, 0.0, 0.0),
    ],
)
def test_a_rise_of_the_price_of_a_seat_is_told_by_how_long_ago_it_came(
    company: Company,
    values: Values,
    as_of: str,
    cost: float,
    since_a_quarter: float | None,
    since_a_year: float | None,
) -> None:
    expected = {
        "lifecycle__mrr_per_seat": cost,
        "lifecycle__price_change__90d": since_a_quarter,
        "lifecycle__price_change__365d": since_a_year,
    }
    assert values(company(COMPANY), list(expected), as_of) == pytest.approx(expected)
