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


PRICED = {
    "accounts": COMPANY["accounts"],
    "subscriptions": """
        subscription_id account_id product mrr  seats started_at ended_at
        s1              a          base    0    10    2023-01-10 2023-02-01
        s2              a          base    100  10    2023-02-01 2023-06-01
        s3              a          base    150  15    2023-06-01 2023-09-01
        s4              a          base    165  15    2023-09-01 2023-11-01
        s5              a          base    220  20    2023-11-01 2024-02-01
        s6              a          base    200  20    2024-02-01 -
        t1              a          addon   50   -     2023-03-01 2024-04-01
        t2              a          addon   50.1 -     2024-04-01 2024-05-01
        t3              a          addon   55   -     2024-05-01 2024-06-01
        t4              a          addon   55   5     2024-06-01 -
        u1              a          other   10   -     2024-07-01 -
    """,
}


@pytest.mark.parametrize(
    ("as_of", "days", "why"),
    [
        ("2023-08-31", None, "what was free had no price, and 15 seats cost as much each as 10"),
        ("2023-09-01", None, "a snapshot sees the state just before it"),
        ("2023-09-02", 1.0, "a seat costs 11 instead of 10"),
        ("2024-01-31", 152.0, "five seats more at the same price"),
        ("2024-02-11", 10.0, "a fall is a change too"),
        ("2024-04-30", 89.0, "a fifth of a percent is rounding"),
        ("2024-05-31", 30.0, "of a product without seats the MRR is the price"),
        ("2024-06-30", 60.0, "the price of a seat is not known before there were seats"),
        ("2024-07-30", 90.0, "another product has a first price, and no new one"),
    ],
)
def test_a_new_price_is_told_from_more_seats_and_from_other_products(
    company: Company, values: Values, as_of: str, days: float | None, why: str
) -> None:
    name = "lifecycle__days_since_price_change"
    assert values(company(PRICED), [name], as_of)[name] == pytest.approx(days), why


def test_a_price_that_is_announced_has_not_changed_yet(company: Company, values: Values) -> None:
    announced = {
        "accounts": COMPANY["accounts"],
        "subscriptions": """
            subscription_id account_id product mrr seats started_at ended_at
            s1              a          base    100 10    2023-01-10 2024-03-01
            s2              a          base    180 10    2024-03-01 -
        """,
    }
    name = "lifecycle__days_since_price_change"
    assert values(company(announced), [name], "2024-02-20")[name] is None
