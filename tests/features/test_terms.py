"""The end of the signed term at a date, from rows that a CRM rolled over; computed by hand."""

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import pytest

from features.checked import CheckedSource
from features.engine import Engine
from features.spine import account_states

Company = Callable[..., CheckedSource]
ACCOUNTS = """
    account_id  created_at
    a           2020-01-01
"""
HEAD = (
    "account_id subscription_id product mrr started_at ended_at renews_at term_months recorded_at"
)


def term_end(company: Company, row: str, as_of: str, *more: str) -> str | None:
    """The day on which the term ends next, of rows without the columns that are all empty."""
    rows = [line.split() for line in (row, *more)]
    names = HEAD.split()
    kept = [i for i, _ in enumerate(names) if any(cells[i] != "-" for cells in rows)]
    lines = [" ".join(names[i] for i in kept)]
    lines += [" ".join(cells[i] for i in kept) for cells in rows]
    tables = {"accounts": ACCOUNTS, "subscriptions": "\n".join(lines)}
    source = company(tables, extracted_at="2026-04-01")
    states = account_states(source, [datetime.fromisoformat(as_of)], engine=Engine.POLARS)
    (end,) = states["term_ends_at"]
    return None if pd.isna(end) else str(end.date())


ANNUAL = "a s1 base 100 2021-01-31 - 2026-01-31 12 -"
MONTHLY = "a s1 base 100 2023-01-31 - 2026-01-31 1 -"


@pytest.mark.parametrize(
    ("row", "as_of", "end"),
    [
        # one row over five terms: today's renews_at says nothing about the earlier ones
        (ANNUAL, "2021-02-01", "2022-01-31"),
        (ANNUAL, "2022-01-31", "2022-01-31"),
        (ANNUAL, "2022-02-01", "2023-01-31"),
        (ANNUAL, "2025-02-01", "2026-01-31"),
        (ANNUAL, "2026-03-01", "2027-01-31"),
        # a month without a 31st ends on its last day, and the next one is not shortened
        (MONTHLY, "2023-02-10", "2023-02-28"),
        (MONTHLY, "2023-03-01", "2023-03-31"),
        (MONTHLY, "2024-02-20", "2024-02-29"),
        # a stored end off the grid counts inside the term that it ends, and only there
        ("a s1 base 100 2021-01-01 - 2025-06-30 12 -", "2025-03-01", "2025-06-30"),
        ("a s1 base 100 2021-01-01 - 2025-06-30 12 -", "2024-06-01", "2025-01-01"),
        # without term_months it is null before that term, which may be as short as a month
        ("a s1 base 100 2021-01-01 - 2025-06-30 - -", "2024-06-01", None),
        ("a s1 base 100 2021-01-01 - 2025-06-30 - -", "2025-05-15", None),
        ("a s1 base 100 2021-01-01 - 2025-06-30 - -", "2025-06-15", "2025-06-30"),
        ("a s1 base 100 2021-01-01 - 2025-06-30 - -", "2025-08-01", None),
        # no term, no end
        ("a s1 base 100 2021-01-01 - - - -", "2022-01-01", None),
        # a row that ended has no term any more
        ("a s1 base 100 2021-01-01 2022-06-01 - 12 -", "2022-07-01", None),
    ],
)
def test_the_term_ends_next_on(company: Company, row: str, as_of: str, end: str | None) -> None:
    assert term_end(company, row, as_of) == end


def test_a_scheduled_end_is_not_known_before_it_has_passed(company: Company) -> None:
    row = "a s1 base 100 2021-01-01 2022-06-01 - 12 -"
    assert term_end(company, row, "2022-05-31") == "2023-01-01"


def test_a_version_says_what_was_signed_when_it_was_recorded(company: Company) -> None:
    first = "a s1 base 100 2021-01-01 - 2022-01-01 - 2021-01-01"
    renewed = "a s1 base 100 2021-01-01 - 2023-01-01 - 2021-12-20"
    assert term_end(company, first, "2021-06-01", renewed) == "2022-01-01"
    assert term_end(company, first, "2021-12-25", renewed) == "2023-01-01"
