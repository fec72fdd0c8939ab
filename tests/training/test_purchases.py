"""What was bought next, and what an expansion was made of: each sentence worked out by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.checked import CheckedSource
from models.expansion import EXPANSION
from training.labels import label, purchases

Company = Callable[..., CheckedSource]
Asked = Callable[..., pd.DataFrame]

ACCOUNTS = """
    account_id  created_at
    a           2023-01-01
    b           2023-01-01
"""
HEAD = "subscription_id  account_id  product  seats  mrr  started_at  ended_at\n"
CORE = "s1  a  core  10  100  2024-01-01T00:00  -\n"


@pytest.fixture
def asked(company: Company) -> Asked:
    """Label account a at 2024-05-01 from subscription rows, the extract being much later."""

    def make(rows: str, *, extracted_at="2025-12-31T00:00", at="a@2024-05-01", **tables: str):
        source = company(
            {"accounts": ACCOUNTS, "subscriptions": HEAD + rows, **tables},
            extracted_at=extracted_at,
        )
        account_id, as_of = at.split("@")
        state = pd.DataFrame({"account_id": [account_id], "as_of": pd.to_datetime([as_of])})
        labels = label(source, state.astype({"as_of": "datetime64[us]"}), EXPANSION)
        return purchases(source, labels, EXPANSION).iloc[0]

    return make


def told(row: pd.Series) -> tuple[str | None, float | None]:
    days = row["next_product_days"]
    return row["next_product"], None if np.isnan(days) else days


def test_the_next_product_is_the_first_that_comes_to_be_paid_for(asked: Asked) -> None:
    later = "s2 a maps 5 10 2024-06-20T00:00 -\ns3 a pay 5 10 2024-05-11T00:00 -\n"
    assert told(asked(CORE + later)) == ("pay", 10.0)


def test_of_two_at_once_it_is_the_dearer(asked: Asked) -> None:
    both = "s2 a maps 5 10 2024-05-11T00:00 -\ns3 a pay 5 11 2024-05-11T00:00 -\n"
    assert told(asked(CORE + both)) == ("pay", 10.0)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("s2 a maps 5 10 2024-04-01T00:00 -", "it runs already"),
        ("s2 a maps 5 10 2024-05-11T00:00 2024-06-09T00:00", "29 days are no purchase"),
        ("s2 a core 20 200 2024-05-11T00:00 -", "more of the same is no further product"),
        ("s2 a maps 5 0 2024-05-11T00:00 -", "nothing is paid for it"),
    ],
)
def test_what_is_no_purchase(asked: Asked, rows: str, why: str) -> None:
    assert told(asked(f"{CORE}{rows}\n")) == (None, None), why


def test_a_contract_signed_late_is_no_purchase(asked: Asked) -> None:
    gap = "s2 a maps 5 10 2024-01-01T00:00 2024-04-20T00:00\ns2 a maps 5 10 2024-05-05T00:00 -\n"
    assert told(asked(CORE + gap)) == (None, None)
    longer = gap.replace("2024-04-20", "2024-03-20")
    assert told(asked(CORE + longer)) == ("maps", 4.0)


def test_a_purchase_is_unknown_until_its_grace_is_over(asked: Asked) -> None:
    rows = CORE + "s2 a maps 5 10 2024-05-11T00:00 -\n"
    assert told(asked(rows, extracted_at="2024-06-10T00:00")) == (None, None)
    assert told(asked(rows, extracted_at="2024-06-11T00:00")) == ("maps", 10.0)


def test_what_a_merged_account_brings_along_is_no_purchase(asked: Asked) -> None:
    rows = CORE + "s2 b maps 5 10 2024-01-01T00:00 -\n"
    merge = "from_account_id into_account_id merged_at\nb a 2024-05-11T00:00\n"
    assert told(asked(rows, account_merges=merge)) == (None, None)
    new = rows.replace("maps 5 10 2024-01-01", "maps 5 10 2024-05-21")
    assert told(asked(new, account_merges=merge)) == ("maps", 20.0)


def core_becomes(seats: str, mrr: int) -> str:
    ends = CORE.replace(" -\n", " 2024-05-11T00:00\n")
    return f"{ends}s1 a core {seats} {mrr} 2024-05-11T00:00 -\n"


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (CORE + "s2 a maps 5 20 2024-05-11T00:00 -\n", "a further product"),
        (core_becomes("12", 120), "more seats"),
        (core_becomes("10", 120), "a higher price"),
        # 13 seats for 150: 3 x 10 more by seats, 20 by price
        (core_becomes("13", 150), "more seats"),
        # 11 seats for 150: 10 by seats, 40 by price
        (core_becomes("11", 150), "a higher price"),
        (core_becomes("-", 120), "not told"),
        # 12 seats are 20 more, the further product 21
        (core_becomes("12", 120) + "s2 a maps 5 21 2024-05-11T00:00 -\n", "a further product"),
        (core_becomes("12", 120) + "s2 a maps 5 19 2024-05-11T00:00 -\n", "more seats"),
        (core_becomes("11", 105), None),
    ],
)
def test_an_expansion_is_what_most_of_its_rise_is_made_of(
    asked: Asked, rows: str, kind: str | None
) -> None:
    assert asked(rows)["kind"] == kind


def test_what_a_merged_account_paid_before_is_no_part_of_the_rise(asked: Asked) -> None:
    rows = core_becomes("30", 300) + "s2 b maps 5 500 2024-01-01T00:00 -\n"
    merge = "from_account_id into_account_id merged_at\nb a 2024-05-06T00:00\n"
    assert asked(rows, account_merges=merge)["kind"] == "more seats"
