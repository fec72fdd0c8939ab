"""What happens at the parent and at sister companies, computed by hand and by plain Python."""

from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import available, catalog
from features.checked import CheckedSource
from features.engine import Engine

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
TABLES = {
    "accounts": """
        account_id parent_account_id created_at
        p          -                 2024-01-01
        a          p                 2024-01-01
        b          p                 2024-01-01
        c          b                 2024-01-01
        alone      -                 2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at ended_at   cancel_requested_at
        s1              p          base    100 2024-01-01 2024-09-01 2024-08-01
        s2              a          base    10  2024-01-01 -          -
        s3              b          base    20  2024-01-01 2024-06-01 -
        s4              b          plus    5   2024-03-01 2024-06-10 -
        s5              b          base    30  2024-08-15 -          -
        s6              c          base    7   2024-01-01 2024-05-01 -
        s7              alone      base    1   2024-01-01 2024-05-01 -
    """,
    "usage_events": """
        account_id occurred_at event quantity
        a          2024-06-01  open  1000
        b          2024-06-01  open  4
        b          2024-05-01  open  8
        c          2024-06-20  open  2
        alone      2024-06-20  open  50
    """,
}
LOST = "hierarchy__sisters_lost__90d"


@pytest.mark.parametrize(
    ("column", "as_of", "expected"),
    [
        ("hierarchy__sisters", "2024-06-01", 3.0),
        ("hierarchy__sisters_in_contract", "2024-05-01", 3.0),
        ("hierarchy__sisters_in_contract", "2024-05-02", 2.0),
        ("hierarchy__sisters_mrr", "2024-05-02", 125.0),
        ("hierarchy__sisters_mrr_before__90d", "2024-05-02", 127.0),
        ("hierarchy__share_of_group_mrr", "2024-09-02", 0.25),
        (LOST, "2024-05-01", 0.0),
        (LOST, "2024-05-02", 1.0),
        (LOST, "2024-06-10", 1.0),  # b's second product still runs
        (LOST, "2024-06-11", 2.0),
        (LOST, "2024-08-16", 0.0),  # b has come back, and c's end is too old
        ("hierarchy__sisters_lost__365d", "2024-08-16", 1.0),
        ("hierarchy__sisters_lost_share", "2024-08-16", 1 / 3),
        ("hierarchy__sisters_mrr_cancelled", "2024-08-01", 0.0),
        ("hierarchy__sisters_mrr_cancelled", "2024-08-02", 100.0),
        ("hierarchy__sisters_cancelled_share", "2024-08-02", 1.0),
        ("hierarchy__parent_mrr_cancelled", "2024-08-01", 0.0),
        ("hierarchy__parent_mrr_cancelled", "2024-08-02", 100.0),
        ("hierarchy__parent_mrr_cancelled", "2024-09-02", 0.0),
        ("hierarchy__parent_lost__365d", "2024-09-01", 0.0),
        ("hierarchy__parent_lost__365d", "2024-09-02", 1.0),
        ("hierarchy__sisters_events__28d", "2024-06-22", 6.0),
        ("hierarchy__sisters_events_before__28d", "2024-06-22", 8.0),
        ("hierarchy__sisters_events_change__28d", "2024-06-02", -0.5),
    ],
)
def test_the_others_of_the_group_are_seen(
    company: Company, values: Values, column: str, as_of: str, expected: float
) -> None:
    assert values(company(TABLES), [column], as_of)[column] == pytest.approx(expected)


def test_products_bought_together_after_a_break_are_one_contract(
    company: Company, values: Values
) -> None:
    sisters = [f"c{number}" for number in range(60)]
    told = ["account_id parent_account_id created_at", "a p 2024-01-01", "p - 2024-01-01"]
    told += [f"{sister} p 2024-01-01" for sister in sisters]
    bought = ["subscription_id account_id product mrr started_at ended_at"]
    for sister in sisters:
        bought.append(f"{sister}-0 {sister} base 10 2024-01-01 2024-02-01")
        again = [f"{sister}-{n} {sister} product{n} 10 2024-03-01 -" for n in range(1, 6)]
        bought += again
    tables = {"accounts": "\n".join(told), "subscriptions": "\n".join(bought)}
    column = "hierarchy__sisters_in_contract"
    assert values(company(tables), [column], "2024-06-01") == {column: 60.0}
    assert values(company(tables), [column], "2024-02-15") == {column: 0.0}


def test_an_account_alone_has_no_sisters(company: Company, values: Values) -> None:
    columns = ["hierarchy__sisters", "hierarchy__sisters_mrr", "hierarchy__sisters_mrr_change__90d"]
    seen = values(company(TABLES), columns, "2024-06-01", "alone")
    assert list(seen.values()) == [0.0, 0.0, None]
    assert values(company(TABLES), [LOST], "2024-06-01", "alone") == {LOST: 0.0}


def test_the_direct_parent_is_meant_and_not_the_topmost(company: Company, values: Values) -> None:
    column = "hierarchy__parent_mrr_cancelled"
    assert values(company(TABLES), [column], "2024-08-02", "c") == {column: 0.0}


def test_a_merged_sister_is_not_lost(company: Company, values: Values) -> None:
    merges = """
        from_account_id into_account_id merged_at
        c               b               2024-04-01
    """
    source = company({**TABLES, "account_merges": merges})
    columns = ["hierarchy__sisters", "hierarchy__sisters_mrr", "hierarchy__sisters_lost__365d"]
    assert list(values(source, columns, "2024-04-01").values()) == [3.0, 132.0, 0.0]
    assert list(values(source, columns, "2024-04-02").values()) == [2.0, 132.0, 0.0]
    assert list(values(source, columns, "2024-05-02").values()) == [2.0, 125.0, 0.0]


def test_a_new_parent_counts_from_when_it_is_recorded(company: Company, values: Values) -> None:
    accounts = """
        account_id parent_account_id created_at recorded_at
        p          -                 2024-01-01 2024-01-01
        a          -                 2024-01-01 2024-01-01
        a          p                 2024-01-01 2024-08-10
        b          p                 2024-01-01 2024-01-01
        c          b                 2024-01-01 2024-01-01
        alone      -                 2024-01-01 2024-01-01
    """
    source = company({**TABLES, "accounts": accounts})
    columns = ["hierarchy__sisters", "hierarchy__parent_mrr_cancelled"]
    assert list(values(source, columns, "2024-08-10").values()) == [0.0, 0.0]
    assert list(values(source, columns, "2024-08-11").values()) == [3.0, 100.0]


def test_a_parent_that_is_overwritten_bears_no_feature(company: Company) -> None:
    groups = {feature.group for feature in available(company(TABLES))}
    assert "hierarchy" not in groups
    constant = {"parent_account_id": {"column": "parent_account_id", "constant": True}}
    source = company(TABLES, tables={"accounts": {"columns": constant}})
    assert {f.column for f in catalog() if f.group == "hierarchy"} <= {
        feature.column for feature in available(source)
    }


def lost_by_day(source: CheckedSource, group: set[str], day: date, days: int) -> int:
    """The accounts of a group without a running subscription whose last end lies in the window."""
    rows = source.read("subscriptions")
    start = pd.Timestamp(day)
    found = 0
    for account in group:
        own = rows[(rows["account_id"] == account) & (rows["started_at"] < start)]
        running = own[~(own["ended_at"] < start)]
        last = own["ended_at"].max()
        found += running.empty and not own.empty and last >= start - timedelta(days=days)
    return found


def test_losses_agree_with_a_walk_through_the_days(company: Company) -> None:
    source = company(TABLES)
    days = pd.date_range("2024-01-02", "2024-12-30", freq="5D").astype("datetime64[us]")
    spine = pd.DataFrame({"account_id": "a", "as_of": days})
    (feature,) = [feature for feature in catalog() if feature.column == LOST]
    table = feature_table(source, spine, engine=Engine.POLARS, features=[feature])
    walked = [lost_by_day(source, {"p", "b", "c"}, day, 90) for day in days]
    assert list(table[LOST]) == walked
    assert set(walked) == {0, 1, 2}
