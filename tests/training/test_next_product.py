"""What is bought next, learned and judged: small companies, worked out by hand."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from features.checked import CheckedSource
from models.churn import CHURN
from models.expansion import EXPANSION
from models.next_product import NextProducts
from training.labels import label
from training.next_product import (
    NONE_TOLD,
    POPULAR,
    RANK,
    next_product_figures,
    next_products_of,
    products_told,
    told_ranks,
    with_products,
)

Company = Callable[..., CheckedSource]

ACCOUNTS = """
    account_id  created_at
    a           2023-01-01
    b           2023-01-01
"""
HEAD = "subscription_id account_id product mrr started_at ended_at"
BUYS = f"""
    {HEAD}
    s1 a core 100 2024-01-01T00:00 -
    s2 a maps 10  2024-03-11T00:00 -
    s3 a pay  10  2024-05-11T00:00 -
    s4 b core 100 2024-01-01T00:00 -
    s5 b pay  10  2024-04-11T00:00 -
"""
DATES = ("2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01")
LONG_AFTER = datetime(2025, 12, 31)  # noqa: DTZ001 - all times are naive UTC


def rows_of(company: Company, subscriptions: str, dates: tuple[str, ...] = DATES) -> pd.DataFrame:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": subscriptions}, extracted_at="2025-12-31T00:00"
    )
    states = pd.DataFrame(
        [(account, date) for date in dates for account in "ab"], columns=["account_id", "as_of"]
    ).astype({"as_of": "datetime64[us]"})
    states = states.assign(customer_group=states["account_id"], mrr=100.0)
    return with_products(source, label(source, states, EXPANSION), EXPANSION)


def held_at(rows: pd.DataFrame, account_id: str) -> list[tuple[str, ...]]:
    return rows.loc[rows["account_id"] == account_id, "held"].tolist()


def test_what_is_paid_for_is_told_at_each_date(company: Company) -> None:
    rows = rows_of(company, BUYS)
    all_three = ("core", "maps", "pay")
    assert held_at(rows, "a") == [
        ("core",),
        ("core",),
        ("core", "maps"),
        ("core", "maps"),
        all_three,
    ]


def test_a_row_that_was_recorded_late_is_not_yet_there(company: Company) -> None:
    late = BUYS.replace("ended_at", "ended_at recorded_at").replace(" -\n", " - -\n")
    late = late.replace("2024-03-11T00:00 - -", "2024-03-11T00:00 - 2024-04-20T00:00")
    rows = rows_of(company, late)
    assert held_at(rows, "a")[2:4] == [("core",), ("core", "maps")]


def test_each_purchase_counts_once_with_what_was_there_just_before(company: Company) -> None:
    learned = next_products_of(rows_of(company, BUYS), EXPANSION, LONG_AFTER)
    assert learned == NextProducts(
        products=("core", "maps", "pay"),
        bought={"maps": 1, "pay": 2},
        after={("core",): {"maps": 1, "pay": 1}, ("core", "maps"): {"pay": 1}},
    )


def test_a_purchase_counts_only_once_its_window_was_over_at_the_border(company: Company) -> None:
    rows = rows_of(company, BUYS)
    # maps on 11 March: seen from 1 March, whose 90 days and grace are over on 29 June
    border = datetime(2024, 6, 29)  # noqa: DTZ001 - naive UTC
    altered = rows.copy()
    later = altered["as_of"] > pd.Timestamp("2024-03-01")
    altered.loc[later, "next_product"] = "something else"
    known = next_products_of(rows, EXPANSION, border)
    assert known.bought == {"maps": 1, "pay": 1}
    assert next_products_of(altered, EXPANSION, border) == known
    # Planted: a border that lies too late sees it.
    assert "something else" in next_products_of(altered, EXPANSION, LONG_AFTER).bought


def test_a_company_with_one_product_has_none_to_buy_next(company: Company) -> None:
    one = "\n".join(line for line in BUYS.splitlines() if "maps" not in line and "pay" not in line)
    rows = rows_of(company, one)
    assert "held" not in rows
    assert next_products_of(rows, EXPANSION, LONG_AFTER) is None
    assert told_ranks(None, rows) == {}
    assert next_product_figures(rows, EXPANSION) == {}


def test_another_outcome_is_told_of_no_products(company: Company) -> None:
    source = company({"accounts": ACCOUNTS, "subscriptions": BUYS}, extracted_at="2025-12-31T00:00")
    labels = pd.DataFrame({"account_id": ["a"]})
    assert list(with_products(source, labels, CHURN)) == ["account_id"]


def judged(*purchases: tuple[tuple[str, ...], str | None]) -> pd.DataFrame:
    """Make one row per account, with what it had and what it bought ten days later."""
    rows = pd.DataFrame(purchases, columns=["held", "next_product"])
    names = [f"a{at}" for at in range(len(rows))]
    return rows.assign(
        account_id=names,
        customer_group=names,
        as_of=pd.Timestamp("2024-05-01"),
        next_product_days=np.where(rows["next_product"].isna(), np.nan, 10.0),
        event_days=np.nan,
        kind=None,
    )


LEARNED = NextProducts(
    products=("core", "maps", "pay"),
    bought={"maps": 30, "pay": 10, "chat": 2},
    after={("core",): {"maps": 3, "pay": 12}},
)


def test_a_hit_is_the_product_that_came_named_first_or_among_three() -> None:
    core = ("core",)
    rows = judged((core, "pay"), (core, "maps"), (core, "chat"), (core, "unheard of"), (core, None))
    rows = rows.assign(**told_ranks(LEARNED, rows))
    assert rows[RANK].tolist()[:4] == [1.0, 2.0, 3.0, np.inf]
    assert rows[POPULAR].tolist()[:4] == [2.0, 1.0, 3.0, np.inf]
    assert np.isnan(rows[RANK].iloc[4])
    found = next_product_figures(rows, EXPANSION)
    assert (found["purchases"], found["customers"]) == (4, 4)
    assert found["told"]["hit_at_1"]["value"] == found["popular"]["hit_at_1"]["value"] == 0.25
    assert found["told"]["hit_at_3"]["value"] == 0.75


def test_expansions_are_counted_by_what_they_were_made_of_each_once() -> None:
    rows = judged((("core",), None), (("core",), None), (("core",), None))
    kinds = ["more seats", "more seats", "a higher price"]
    rows = rows.assign(kind=kinds, event_days=[5.0, 5.0, 200.0], **told_ranks(LEARNED, rows))
    twice = rows.iloc[[0]].assign(as_of=pd.Timestamp("2024-05-03"), event_days=3.0)
    found = next_product_figures(pd.concat([rows, twice]), EXPANSION)["kinds"]
    assert found == {
        "a further product": 0,
        "more seats": 2,
        "a higher price": 0,
        "not told": 0,
    }


@pytest.mark.parametrize("way", ["told", "popular"])
def test_without_a_purchase_there_is_no_hit_rate(way: str) -> None:
    rows = judged((("core",), None))
    found = next_product_figures(rows.assign(**told_ranks(LEARNED, rows)), EXPANSION)
    assert found[way] == {"hit_at_1": None, "hit_at_3": None}


def test_a_catalogue_of_hundreds_is_no_list_of_products(company: Company) -> None:
    many = "\n".join(f"x{at} b item-{at} 1 2024-01-01T00:00 -" for at in range(101))
    assert "held" not in rows_of(company, f"{BUYS}{many}\n")
    assert products_told({"next_product": {}}) == (NONE_TOLD,)


def test_a_training_says_what_expansions_were_made_of() -> None:
    kinds = {"a further product": 2, "more seats": 1200}
    (said,) = products_told({"next_product": {"kinds": kinds}})
    assert said.endswith("made of: 2 a further product, 1,200 more seats.")
    assert products_told({}) == ()
