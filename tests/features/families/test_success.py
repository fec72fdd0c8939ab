"""Agreed outcomes and their reviews, computed by hand."""

from collections.abc import Callable

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
BASE = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
    """,
}
OUTCOMES = """
    outcome_id account_id agreed_at  due_at     achieved_at
    o1         a          2024-01-10 2024-06-01 2024-05-20
    o2         a          2024-01-10 2024-06-01 2024-07-15
    o3         a          2024-02-01 2024-08-01 -
    o4         a          2024-03-01 -          -
"""
REVIEWS = """
    review_id account_id held_at    verdict
    r1        a          2024-03-01 met
    r2        a          2024-05-01 missed
    r3        a          2024-06-01 partly
    r4        a          2024-06-20 -
"""


def outcomes(company: Company) -> CheckedSource:
    return company({**BASE, "outcomes": OUTCOMES}, extracted_at="2026-06-01")


def reviews(company: Company, table: str = REVIEWS) -> CheckedSource:
    return company({**BASE, "reviews": table}, extracted_at="2026-06-01")


@pytest.mark.parametrize(
    ("as_of", "still_open", "soon", "overdue", "oldest"),
    [
        ("2024-01-10", 0, 0, 0, 0),
        ("2024-01-11", 2, 0, 0, 0),
        ("2024-03-03", 4, 0, 0, 0),
        ("2024-03-04", 4, 2, 0, 0),  # 90 days before 1 June is 3 March
        ("2024-05-22", 3, 2, 0, 0),
        ("2024-06-02", 3, 1, 1, 1),
        ("2024-07-16", 2, 1, 0, 0),
        ("2024-08-12", 2, 0, 1, 11),
    ],
)
def test_an_outcome_is_open_soon_due_and_overdue_until_it_is_achieved(
    company: Company,
    values: Values,
    as_of: str,
    still_open: int,
    soon: int,
    overdue: int,
    oldest: int,
) -> None:
    columns = ("outcomes_open", "outcomes_due_soon", "outcomes_overdue", "days_outcome_overdue")
    seen = values(outcomes(company), [f"success__{name}" for name in columns], as_of)
    assert list(seen.values()) == [still_open, soon, overdue, oldest]


@pytest.mark.parametrize(
    ("as_of", "due", "met", "share", "achieved"),
    [
        ("2024-05-25", 0, 0, None, 1),
        ("2024-06-02", 2, 1, 0.5, 1),
        ("2024-07-20", 2, 2, 1.0, 2),
        ("2024-09-01", 3, 2, 2 / 3, 2),
        ("2025-06-10", 1, 0, 0.0, 1),
    ],
)
def test_an_outcome_that_fell_due_is_met_once_it_is_achieved(
    company: Company,
    values: Values,
    as_of: str,
    due: int,
    met: int,
    share: float | None,
    achieved: int,
) -> None:
    columns = ("outcomes_due", "outcomes_met", "outcomes_met_share", "outcomes_achieved")
    seen = values(outcomes(company), [f"success__{name}__365d" for name in columns], as_of)
    assert list(seen.values()) == [due, met, share, achieved]


@pytest.mark.parametrize(
    ("as_of", "since", "overdue"),
    [
        ("2024-02-01", None, 0),
        ("2024-03-02", 1, 0),
        ("2024-12-17", 180, 0),
        ("2024-12-20", 183, 3),
    ],
)
def test_a_review_is_overdue_half_a_year_after_the_last(
    company: Company, values: Values, as_of: str, since: float | None, overdue: float
) -> None:
    columns = ["success__days_since_last_review", "success__days_review_overdue"]
    assert list(values(reviews(company), columns, as_of).values()) == [since, overdue]


def test_an_account_that_was_never_reviewed_is_overdue_half_a_year_after_its_start(
    company: Company, values: Values
) -> None:
    column = "success__days_review_overdue"
    first = REVIEWS.splitlines()[1] + "\n r1 a 2025-01-01 met"
    assert values(reviews(company, first), [column], "2024-08-01") == {column: 213 - 180}


@pytest.mark.parametrize(
    ("as_of", "met", "partly", "missed", "latest_missed"),
    [
        ("2024-02-01", 0, 0, 0, None),
        ("2024-05-01", 1, 0, 0, 0),
        ("2024-05-02", 1, 0, 1, 1),
        ("2024-07-01", 1, 1, 1, 0),
        ("2025-05-20", 0, 1, 0, 0),
    ],
)
def test_verdicts_count_in_the_year_and_the_latest_one_stands(
    company: Company,
    values: Values,
    as_of: str,
    met: int,
    partly: int,
    missed: int,
    latest_missed: int | None,
) -> None:
    columns = ("reviews_met__365d", "reviews_partly__365d", "reviews_missed__365d")
    columns = (*columns, "latest_verdict_missed")
    seen = values(reviews(company), [f"success__{name}" for name in columns], as_of)
    assert list(seen.values()) == [met, partly, missed, latest_missed]
