"""Labels of customers whose records were merged, worked out by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from features.checked import CheckedSource
from models.churn import CHURN
from models.contraction import CONTRACTION
from models.expansion import EXPANSION
from models.question import Question
from training.labels import label

Company = Callable[..., CheckedSource]

ACCOUNTS = """
    account_id  created_at
    a           2023-01-01
    b           2023-01-01
    c           2023-01-01
"""
TWO_THAT_MERGE = """
    subscription_id  account_id  product  mrr  started_at        ended_at
    s1               a           base     100  2024-01-01T00:00  {a_ends}
    s2               b           base     100  2024-01-01T00:00  {b_ends}
"""
A_INTO_B = """
    from_account_id  into_account_id  merged_at
    a                b                2024-05-11T00:00
"""


def made(company: Company, rows: str, merges: str) -> CheckedSource:
    tables = {"accounts": ACCOUNTS, "subscriptions": rows, "account_merges": merges}
    return company(tables, extracted_at="2025-12-31T00:00")


def merged(company: Company, a_ends: str, b_ends: str) -> CheckedSource:
    rows = TWO_THAT_MERGE.format(a_ends=a_ends, b_ends=b_ends)
    return made(company, rows, A_INTO_B)


def event_days(source: CheckedSource, question: Question, *snapshots: str) -> list[float | None]:
    """Give the days to the event from each account@date, None without one."""
    states = pd.DataFrame(
        [snapshot.split("@") for snapshot in snapshots], columns=["account_id", "as_of"]
    ).astype({"as_of": "datetime64[us]"})
    found = label(source, states, question)["event_days"]
    return [None if np.isnan(value) else value for value in found]


def test_an_account_that_vanished_in_a_merge_has_not_churned(company: Company) -> None:
    source = merged(company, "2024-05-11T00:00", "-")
    assert event_days(source, CHURN, "a@2024-05-01", "b@2024-05-01") == [None, None]


def test_a_merge_within_the_grace_of_a_loss_undoes_it(company: Company) -> None:
    source = merged(company, "2024-05-05T00:00", "-")
    assert event_days(source, CHURN, "a@2024-05-01") == [None]


def test_two_that_merged_churn_when_the_last_row_of_both_ends(company: Company) -> None:
    source = merged(company, "2024-05-15T00:00", "2024-05-21T00:00")
    assert event_days(source, CHURN, "a@2024-05-01", "b@2024-05-01") == [20.0, 20.0]


def test_a_merge_alone_is_neither_expansion_nor_contraction(company: Company) -> None:
    source = merged(company, "-", "-")
    for question in (EXPANSION, CONTRACTION):
        labels = event_days(source, question, "a@2024-05-01", "b@2024-05-01", "b@2024-06-01")
        assert labels == [None, None, None]


def test_a_merged_customer_grows_against_what_both_paid(company: Company) -> None:
    rows = TWO_THAT_MERGE.format(a_ends="-", b_ends="2024-05-21T00:00")
    source = made(company, rows + "    s3  b  base  120  2024-05-21T00:00  -\n", A_INTO_B)
    # 100 + 120 against 100 + 100
    assert event_days(source, EXPANSION, "b@2024-05-01", "b@2024-05-12") == [20.0, 9.0]


def test_a_chain_of_merges_ends_in_one_customer(company: Company) -> None:
    source = made(
        company,
        """
        subscription_id  account_id  product  mrr  started_at        ended_at
        s1               a           base     100  2024-01-01T00:00  2024-05-05T00:00
        s2               b           base     100  2024-01-01T00:00  2024-05-25T00:00
        s3               c           base     100  2024-01-01T00:00  2024-06-20T00:00
        """,
        """
        from_account_id  into_account_id  merged_at
        b                c                2024-05-20T00:00
        a                b                2024-05-11T00:00
        """,
    )
    labels = event_days(source, CHURN, "a@2024-05-01", "b@2024-05-01", "c@2024-05-01")
    assert labels == [50.0, 50.0, 50.0]


def test_a_merge_that_was_corrected_joins_whom_its_newest_version_says(company: Company) -> None:
    source = made(
        company,
        """
        subscription_id  account_id  product  mrr  started_at        ended_at
        s1               a           base     100  2024-01-01T00:00  2024-05-11T00:00
        s2               b           base     100  2024-01-01T00:00  -
        s3               c           base     100  2024-01-01T00:00  2024-06-20T00:00
        """,
        """
        from_account_id  into_account_id  merged_at         recorded_at
        a                b                2024-05-11T00:00  2024-05-11T00:00
        a                c                2024-05-11T00:00  2024-09-01T00:00
        """,
    )
    labels = event_days(source, CHURN, "a@2024-05-01", "b@2024-05-01", "c@2024-05-01")
    assert labels == [50.0, None, 50.0]
