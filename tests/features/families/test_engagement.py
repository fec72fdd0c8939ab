"""Taking part besides the product, by hand."""

from collections.abc import Callable

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
COMPANY = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
    """,
    "engagement": """
        account_id occurred_at      channel   action
        a          2024-02-01T10:00 community posted
        a          2024-02-01T11:00 community posted
        a          2024-02-20T10:00 webinar   attended
        a          2024-05-01T10:00 email     opened
        a          2024-05-10T10:00 event     attended
        a          2024-05-10T10:00 portal    viewed
        a          2024-05-20T10:00 email     opened
    """,
}


@pytest.fixture
def source(company: Company) -> CheckedSource:
    return company(COMPANY)


COUNTS = [
    "engagement__activities__28d",
    "engagement__activities__90d",
    "engagement__activities_before__90d",
    "engagement__activities_change__90d",
    "engagement__activities__365d",
    "engagement__channels__90d",
]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2024-02-01", [0, 0, 0, 0, 0, 0]),
        ("2024-02-02", [2, 2, 0, 2, 2, 1]),
        ("2024-02-29", [3, 3, 0, 3, 3, 2]),
        ("2024-03-01", [1, 3, 0, 3, 3, 2]),
        ("2024-05-11", [3, 4, 2, 2, 6, 4]),  # 1 February is 100 days ago
        ("2024-05-21", [4, 4, 3, 1, 7, 3]),
        ("2025-05-21", [0, 0, 0, 0, 0, 0]),
    ],
)
def test_activities_are_counted_and_set_against_those_before(
    source: CheckedSource, values: Values, as_of: str, expected: list[float]
) -> None:
    assert list(values(source, COUNTS, as_of).values()) == expected


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("2024-02-21", [2, 1, 0, 0, 0, 0]), ("2024-05-21", [0, 0, 2, 2, 1, 1])],
)
def test_each_activity_counts_in_its_channel(
    source: CheckedSource, values: Values, as_of: str, expected: list[float]
) -> None:
    columns = [
        "engagement__community__90d",
        "engagement__webinars__90d",
        "engagement__emails__28d",
        "engagement__emails__90d",
        "engagement__events__365d",
        "engagement__other_channels__90d",
    ]
    assert list(values(source, columns, as_of).values()) == expected


@pytest.mark.parametrize(
    ("as_of", "any_channel", "but_emails"),
    [
        ("2024-02-01", None, None),
        ("2024-05-02", 1.0, 72.0),
        ("2024-05-11", 1.0, 1.0),
        ("2024-05-30", 10.0, 20.0),
    ],
)
def test_an_email_is_not_taking_part(
    source: CheckedSource,
    values: Values,
    as_of: str,
    any_channel: float | None,
    but_emails: float | None,
) -> None:
    expected = {
        "engagement__days_since_last_activity": any_channel,
        "engagement__days_since_taking_part": but_emails,
    }
    assert values(source, list(expected), as_of) == expected


LOOKS = COMPANY | {
    "engagement": """
        account_id occurred_at      channel action
        a          2024-02-01T10:00 web     plans_viewed
        a          2024-04-20T10:00 web     Pricing-page
        a          2024-04-25T10:00 web     downgrade_plans_viewed
        a          2024-04-26T10:00 email   price_notice_opened
        a          2024-04-27T10:00 email   -
        a          2024-05-10T10:00 web     explained
    """,
}


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2024-02-02", [1, 1, 0, 0, 0, 0]),
        ("2024-04-27", [1, 2, 1, 1, 1, 1]),
        ("2024-05-28", [0, 1, 0, 1, 1, 1]),
        ("2024-08-01", [0, 0, 0, 0, 0, 1]),
    ],
)
def test_an_action_counts_for_what_its_name_speaks_of(
    company: Company, values: Values, as_of: str, expected: list[float]
) -> None:
    columns = [
        "engagement__looks_at_buying__28d",
        "engagement__looks_at_buying__90d",
        "engagement__looks_at_leaving__28d",
        "engagement__looks_at_leaving__90d",
        "engagement__price_news__90d",
        "engagement__price_news__180d",
    ]
    assert list(values(company(LOOKS), columns, as_of).values()) == expected
