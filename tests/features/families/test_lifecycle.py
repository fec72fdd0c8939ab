"""Notice deadlines of terms that a CRM rolled over, computed by hand."""

from collections.abc import Callable

import pytest

from features.catalog import available
from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
ACCOUNTS = """
    account_id  created_at
    a           2020-01-01
"""
STABLE = {"subscriptions": {"columns": {"auto_renew": {"column": "auto_renew", "constant": True}}}}
COLUMNS = (
    "lifecycle__days_to_term_end",
    "lifecycle__days_to_notice_deadline",
    "lifecycle__days_to_next_notice_deadline",
)
RENEWAL = ("lifecycle__days_to_decision", "lifecycle__days_to_lapse")


def signed(company: Company, rows: str, *, is_stable: bool = True) -> CheckedSource:
    head = "subscription_id account_id product mrr started_at renews_at term_months notice_days"
    tables = {"accounts": ACCOUNTS, "subscriptions": f"{head} auto_renew\n{rows}"}
    more = {"tables": STABLE} if is_stable else {}
    return company(tables, extracted_at="2026-04-01", **more)


# one row over five terms, rolled forward to its newest end
ROLLED = "s1 a base 100 2021-01-31 2026-01-31 12 90 true"


@pytest.mark.parametrize(
    ("as_of", "term_end", "deadline", "ahead"),
    [
        ("2022-10-01", 122, 32, 32),  # notice by 2 November 2022, the term ends in January
        ("2022-11-02", 90, 0, 0),  # today is the last day
        ("2022-11-03", 89, -1, None),
        ("2023-01-31", 0, -90, None),
        ("2023-02-01", 364, 274, 274),  # the next term
        ("2025-12-01", 61, -29, None),  # inside the term that the stored end names
    ],
)
def test_notice_is_due_before_the_end_of_the_term_that_ran_then(
    company: Company,
    values: Values,
    as_of: str,
    term_end: int,
    deadline: int,
    ahead: int | None,
) -> None:
    seen = values(signed(company, ROLLED), COLUMNS, as_of)
    assert list(seen.values()) == [term_end, deadline, ahead]


TWO = """
    s1 a base 100 2024-01-15 - 12 60 true
    s2 a plus 100 2024-06-01 - 12 30 false
    s3 a more 100 2024-06-01 - -  30 true
"""


@pytest.mark.parametrize(
    ("as_of", "deadline", "ahead", "decision", "lapse"),
    [
        # s1: notice by 16 November 2024, end 15 January; s2: notice by 2 May 2025, end 1 June
        ("2024-11-10", 6, 6, 6, 203),
        ("2024-11-20", -4, 163, 193, 193),
        ("2025-05-20", -18, 180, 12, 12),
    ],
)
def test_the_earliest_of_the_running_terms_counts(
    company: Company,
    values: Values,
    as_of: str,
    deadline: int,
    ahead: int,
    decision: int,
    lapse: int,
) -> None:
    seen = values(signed(company, TWO), (*COLUMNS[1:], *RENEWAL), as_of)
    assert list(seen.values()) == [deadline, ahead, decision, lapse]


def test_an_automatic_renewal_that_is_overwritten_bears_no_feature(company: Company) -> None:
    borne = {feature.column for feature in available(signed(company, ROLLED, is_stable=False))}
    assert set(COLUMNS) <= borne
    assert not set(RENEWAL) & borne
    assert set(RENEWAL) <= {f.column for f in available(signed(company, ROLLED))}


def test_the_notice_of_a_version_counts_from_when_it_was_recorded(
    company: Company, values: Values
) -> None:
    rows = """
        subscription_id account_id product mrr started_at term_months notice_days recorded_at
        s1              a          base    100 2024-01-15 12          60          2024-01-15
        s1              a          base    100 2024-01-15 12          30          2024-11-30
    """
    source = company({"accounts": ACCOUNTS, "subscriptions": rows}, extracted_at="2026-04-01")
    columns = ("lifecycle__notice_days", *COLUMNS[1:])
    assert list(values(source, columns, "2024-11-30").values()) == [60, -14, None]
    assert list(values(source, columns, "2024-12-01").values()) == [30, 15, 15]
