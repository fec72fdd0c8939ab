"""Projects and trainings, by hand."""

from collections.abc import Callable

import pytest

from features.catalog import available
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
PROJECTS = """
    project_id account_id kind       started_at due_at     completed_at
    p1         a          onboarding 2024-01-10 2024-02-10 2024-03-01
    p2         a          migration  2024-02-01 2024-04-01 2024-03-20
    p3         a          -          2024-02-01 -          2024-05-01
    p4         a          migration  2024-04-01 2024-05-15 -
"""
TRAININGS = """
    account_id user_id course  completed_at
    a          ann     basics  2024-02-01
    a          ann     reports 2024-03-01
    a          bob     basics  2024-03-10
    a          -       basics  2024-06-01
"""
EVENTS = """
    account_id user_id occurred_at event
    a          ann     2024-03-05  open
    a          bob     2024-03-05  open
    a          cyd     2024-03-05  open
    a          dan     2024-03-05  open
"""


@pytest.mark.parametrize(
    ("as_of", "running", "late", "days_late"),
    [
        ("2024-01-10", 0, 0, 0),
        ("2024-01-11", 1, 0, 0),
        ("2024-02-10", 3, 0, 0),
        ("2024-02-11", 3, 1, 1),
        ("2024-03-01", 3, 1, 20),
        ("2024-03-02", 2, 0, 0),
        ("2024-04-02", 2, 0, 0),  # the migration was completed before it was due
        ("2024-05-16", 1, 1, 1),
    ],
)
def test_a_project_is_late_from_its_due_date_until_it_is_completed(
    company: Company, values: Values, as_of: str, running: float, late: float, days_late: float
) -> None:
    expected = {
        "services__running_projects": running,
        "services__late_projects": late,
        "services__days_late": days_late,
    }
    assert values(company({**BASE, "projects": PROJECTS}), list(expected), as_of) == expected


@pytest.mark.parametrize(
    ("as_of", "share"),
    [("2024-03-01", None), ("2024-03-02", 0.0), ("2024-03-21", 0.5), ("2024-05-02", 0.5)],
)
def test_projects_with_a_due_date_are_on_time_or_not(
    company: Company, values: Values, as_of: str, share: float | None
) -> None:
    expected = {"services__completed_on_time__365d": share}
    assert values(company({**BASE, "projects": PROJECTS}), list(expected), as_of) == expected


@pytest.mark.parametrize(
    ("as_of", "running_days", "since", "took"),
    [
        ("2024-01-10", None, None, None),
        ("2024-03-01", 51.0, None, None),
        ("2024-03-02", None, 1.0, 51.0),
        ("2025-03-02", None, 366.0, 51.0),
    ],
)
def test_an_onboarding_runs_and_is_then_past(
    company: Company,
    values: Values,
    as_of: str,
    running_days: float | None,
    since: float | None,
    took: float | None,
) -> None:
    expected = {
        "services__onboarding_running_days": running_days,
        "services__days_since_onboarding": since,
        "services__onboarding_took_days": took,
    }
    assert values(company({**BASE, "projects": PROJECTS}), list(expected), as_of) == expected


@pytest.mark.parametrize(
    ("as_of", "quarter", "year", "people", "since", "share"),
    [
        ("2024-02-01", 0, 0, 0, None, None),
        ("2024-03-06", 2, 2, 1, 5, 0.25),
        ("2024-06-02", 2, 4, 2, 1, 0.5),
        ("2024-06-04", 2, 4, 2, 3, None),  # nobody has used the product for 90 days
        ("2025-03-10", 0, 2, 1, 282, None),
    ],
)
def test_people_are_trained_against_those_who_use_the_product(
    company: Company,
    values: Values,
    as_of: str,
    quarter: float,
    year: float,
    people: float,
    since: float | None,
    share: float | None,
) -> None:
    source = company({**BASE, "trainings": TRAININGS, "usage_events": EVENTS})
    expected = {
        "services__trainings__90d": quarter,
        "services__trainings__365d": year,
        "services__people_trained__365d": people,
        "services__days_since_training": since,
        "services__trained_share": share,
    }
    assert values(source, list(expected), as_of) == expected


def test_the_trained_share_needs_users(company: Company) -> None:
    borne = {feature.column for feature in available(company({**BASE, "trainings": TRAININGS}))}
    assert "services__people_trained__365d" in borne
    assert "services__trained_share" not in borne
