"""What tickets are about, by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
COLUMNS = [
    "support__billing_tickets__90d",
    "support__defect_tickets__90d",
    "support__questions__90d",
    "support__wishes__90d",
]
COMPANY = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
    """,
    "support_tickets": """
        ticket_id account_id opened_at        category
        t1        a          2024-02-01T10:00 how_to
        t2        a          2024-02-02T10:00 Billing
        t3        a          2024-02-03T10:00 login-error
        t4        a          2024-02-04T10:00 feature_request
        t5        a          2024-02-05T10:00 payment-error
        t6        a          2024-02-06T10:00 shower
        t7        a          2024-02-07T10:00 -
    """,
}


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("2024-02-04", [1, 1, 1, 0]), ("2024-03-01", [2, 2, 1, 1]), ("2024-06-01", [0, 0, 0, 0])],
)
def test_a_ticket_counts_for_what_its_category_speaks_of(
    company: Company, values: Values, as_of: str, expected: list[float]
) -> None:
    source = replace(company(COMPANY), stable_columns=frozenset({("support_tickets", "category")}))
    assert list(values(source, COLUMNS, as_of).values()) == expected
