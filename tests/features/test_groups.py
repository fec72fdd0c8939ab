"""Customer groups over time, against a climb on each day alone."""

import random
from collections.abc import Callable

import pandas as pd
import pytest

from features.checked import CheckedSource
from features.groups import memberships

Company = Callable[..., CheckedSource]
SUBSCRIPTIONS = """
    subscription_id account_id product mrr started_at
    s1              a          base    100 2024-01-01
"""
ACCOUNTS = tuple("abcdef")


def groups(source: CheckedSource, day: str) -> dict[str, str]:
    number = (pd.Timestamp(day) - pd.Timestamp("1970-01-01")).days
    return {
        each.account_id: each.customer_group
        for each in memberships(source)
        if each.enters <= number < each.leaves
    }


def test_a_group_forms_when_its_records_are_known(company: Company) -> None:
    accounts = """
        account_id parent_account_id created_at
        a          -                 2024-01-05
        b          a                 2024-01-01
        c          b                 2024-01-10
    """
    source = company({"accounts": accounts, "subscriptions": SUBSCRIPTIONS})
    assert groups(source, "2024-01-05") == {"b": "b"}
    assert groups(source, "2024-01-06") == {"a": "a", "b": "a"}
    assert groups(source, "2024-01-11") == {"a": "a", "b": "a", "c": "a"}


def test_a_ring_is_named_by_its_first_account(company: Company) -> None:
    accounts = """
        account_id parent_account_id created_at
        a          c                 2024-01-01
        c          b                 2024-01-01
        b          c                 2024-01-02
    """
    source = company({"accounts": accounts, "subscriptions": SUBSCRIPTIONS})
    assert groups(source, "2024-01-02") == {"a": "c", "c": "c"}
    assert groups(source, "2024-01-03") == {"a": "b", "b": "b", "c": "b"}


def test_a_merge_takes_the_children_along(company: Company) -> None:
    accounts = """
        account_id parent_account_id created_at
        a          -                 2024-01-01
        b          -                 2024-01-01
        c          b                 2024-01-01
    """
    merges = """
        from_account_id into_account_id merged_at
        b               a               2024-02-01
    """
    tables = {"accounts": accounts, "subscriptions": SUBSCRIPTIONS, "account_merges": merges}
    source = company(tables)
    assert groups(source, "2024-02-01") == {"a": "a", "b": "b", "c": "b"}
    assert groups(source, "2024-02-02") == {"a": "a", "c": "a"}


def climbed(versions: pd.DataFrame, merges: pd.DataFrame, day: pd.Timestamp) -> dict[str, str]:
    """The groups of one day, written without the code: everything known before it, climbed anew."""
    known = versions[versions["recorded_at"] < day].drop_duplicates("account_id", keep="last")
    stated = dict(zip(known["account_id"], known["parent_account_id"], strict=True))
    gone = merges[merges["merged_at"] < day]
    became = dict(zip(gone["from_account_id"], gone["into_account_id"], strict=True))

    def called(account: str) -> str:
        while account in became:
            account = became[account]
        return account

    def top(account: str) -> str:
        path = [account]
        while stated[path[-1]] in stated:
            above = called(stated[path[-1]])
            if above in path:
                return min(path[path.index(above) :])
            path.append(above)
        return path[-1]

    return {account: top(account) for account in stated if account not in became}


@pytest.mark.parametrize("seed", range(8))
def test_groups_follow_every_change(company: Company, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a drawn company, not a secret
    days = pd.date_range("2024-01-01", "2024-03-01").strftime("%Y-%m-%d").tolist()
    stated = [(dice.choice(ACCOUNTS), dice.choice((*ACCOUNTS, "-")), day) for day in days]
    first = {account: min(day for a, _, day in stated if a == account) for account, *_ in stated}
    rows = [f"{a} {p} {first[a]} {day}" for a, p, day in stated]
    merges = ["f a 2024-02-10", "e f 2024-02-20"] if {"a", "e", "f"} <= set(first) else []
    tables = {
        "accounts": "account_id parent_account_id created_at recorded_at\n" + "\n".join(rows),
        "subscriptions": SUBSCRIPTIONS.replace(" a ", f" {stated[0][0]} "),
        "account_merges": "from_account_id into_account_id merged_at\n" + "\n".join(merges),
    }
    source = company({name: text for name, text in tables.items() if "\n" in text.strip()})
    versions = pd.DataFrame(stated, columns=["account_id", "parent_account_id", "recorded_at"])
    versions["recorded_at"] = pd.to_datetime(versions["recorded_at"])
    gone = pd.DataFrame(
        [merge.split() for merge in merges],
        columns=["from_account_id", "into_account_id", "merged_at"],
    )
    gone["merged_at"] = pd.to_datetime(gone["merged_at"])
    for day in pd.date_range("2024-01-01", "2024-03-05"):
        assert groups(source, str(day.date())) == climbed(versions, gone, day)


def test_spans_of_an_account_touch_and_never_overlap(company: Company) -> None:
    accounts = """
        account_id parent_account_id created_at recorded_at
        a          -                 2024-01-01 2024-01-01
        b          -                 2024-01-01 2024-01-01
        b          a                 2024-01-01 2024-02-01
        b          -                 2024-01-01 2024-03-01
    """
    source = company({"accounts": accounts, "subscriptions": SUBSCRIPTIONS})
    of_b = [each for each in memberships(source) if each.account_id == "b"]
    assert [(each.customer_group, each.parent) for each in of_b] == [
        ("b", None),
        ("a", "a"),
        ("b", None),
    ]
    assert [each.leaves for each in of_b[:-1]] == [each.enters for each in of_b[1:]]
