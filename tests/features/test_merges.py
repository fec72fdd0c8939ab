"""Which account's rows count as whose, by every version of a merge."""

from collections.abc import Callable

import pytest

from features.checked import CheckedSource
from features.merges import identities
from features.spine import account_states
from features.windows import EPOCH

Company = Callable[..., CheckedSource]
ACCOUNTS = "account_id created_at\n" + "\n".join(f"{name} 2024-01-01" for name in "abcd")
SUBSCRIPTIONS = "subscription_id account_id product mrr started_at\n" + "\n".join(
    f"s{name} {name} base {mrr} 2024-01-01"
    for name, mrr in zip("abcd", (1, 20, 300, 4000), strict=True)
)
DAYS = range(1, 32)


def paid(company: Company, merges: str) -> dict[int, dict[str, float]]:
    """Who there is on each day of March 2024, and what it pays: a 1, b 20, c 300, d 4000."""
    tables = {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS, "account_merges": merges}
    source = company(tables, extracted_at="2024-06-01")
    days = EPOCH.replace(year=2024, month=3)
    states = account_states(source, [days.replace(day=day) for day in DAYS])
    rows = states.set_index("account_id").groupby(states["as_of"].dt.day.to_numpy())["mrr"]
    return {int(day): of_day.to_dict() for day, of_day in rows}


def test_a_corrected_merge_counts_from_when_it_became_known(company: Company) -> None:
    found = paid(
        company,
        """
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-05 2024-03-05
        a               c               2024-03-04 2024-03-20
        """,
    )
    assert found[5] == {"a": 1, "b": 20, "c": 300, "d": 4000}
    assert found[6] == found[20] == {"b": 21, "c": 300, "d": 4000}
    assert found[21] == found[31] == {"b": 20, "c": 301, "d": 4000}


def test_a_merge_of_an_account_into_itself_undoes_the_one_before(company: Company) -> None:
    found = paid(
        company,
        """
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-05 2024-03-05
        a               a               2024-03-05 2024-03-20
        """,
    )
    assert found[20] == {"b": 21, "c": 300, "d": 4000}
    assert found[21] == {"a": 1, "b": 20, "c": 300, "d": 4000}


def test_a_corrected_time_counts_once_both_have_come(company: Company) -> None:
    found = paid(
        company,
        """
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-25 2024-03-05
        a               b               2024-03-10 2024-03-12
        """,
    )
    assert found[12]["a"] == 1
    assert found[13] == {"b": 21, "c": 300, "d": 4000}


def test_a_chain_follows_the_correction_of_its_middle(company: Company) -> None:
    found = paid(
        company,
        """
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-05 2024-03-05
        b               c               2024-03-10 2024-03-10
        b               d               2024-03-10 2024-03-20
        """,
    )
    assert found[10] == {"b": 21, "c": 300, "d": 4000}
    assert found[11] == {"c": 321, "d": 4000}
    assert found[21] == {"c": 300, "d": 4021}


def test_of_a_ring_the_account_of_the_oldest_merge_stays(company: Company) -> None:
    found = paid(
        company,
        """
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-05 2024-03-05
        b               c               2024-03-10 2024-03-10
        c               a               2024-03-15 2024-03-15
        c               c               2024-03-15 2024-03-25
        """,
    )
    assert found[15] == {"c": 321, "d": 4000}
    assert found[16] == found[25] == {"a": 321, "d": 4000}
    assert found[26] == {"c": 321, "d": 4000}


@pytest.mark.parametrize("into", ["b", "a"])
def test_a_merge_recorded_once_more_changes_nothing(company: Company, into: str) -> None:
    once = f"""
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-05 2024-03-05
        b               {into}          2024-03-10 2024-03-10
        """
    again = once + "a b 2024-03-05 2024-03-20\n"
    assert paid(company, once) == paid(company, again)


def test_spans_of_what_an_account_was_end_together(company: Company) -> None:
    merges = """
        from_account_id into_account_id merged_at  recorded_at
        a               b               2024-03-05 2024-03-05
        a               c               2024-03-05 2024-03-20
        """
    tables = {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS, "account_merges": merges}
    of_b = {span for span in identities(company(tables)) if span.becomes == "b"}
    ends = {(span.account_id, span.becomes_until) for span in of_b}
    corrected = min(end for _, end in ends)
    assert {name for name, end in ends if end == corrected} == {"a", "b"}
