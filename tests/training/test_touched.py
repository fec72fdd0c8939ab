"""Which rows customer success had touched, and that figures stand with and without them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.checked import CheckedSource
from training.closeup import by_slice
from training.slices import NOT_TOUCHED, TOUCHED, UNKNOWN
from training.touched import told, touched, touched_share

Company = Callable[..., CheckedSource]

ACCOUNTS = """
    account_id created_at
    a          2023-01-01
    b          2023-01-01
    old        2023-01-01
"""
SUBSCRIPTIONS = """
    subscription_id account_id product mrr started_at
    s1              a          base    100 2023-01-01
    s2              b          base    100 2023-01-01
    s3              old        base    100 2023-01-01
"""
TOUCHES = """
    touch_id account_id occurred_at      kind arm
    t1       a          2024-01-20T10:00 call -
    t2       b          2024-01-20T10:00 none control
    t3       old        2024-02-10T10:00 call treatment
"""
MERGES = """
    from_account_id into_account_id merged_at
    old             b               2024-03-01T10:00
"""


def rows(*pairs: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(pairs, columns=["account_id", "as_of"])
    return frame.astype({"as_of": "datetime64[us]"})


@pytest.mark.parametrize(
    ("account_id", "as_of", "is_touched"),
    [
        ("a", "2024-01-20", 0),  # the touch comes later that day
        ("a", "2024-01-21", 1),
        ("a", "2024-04-19", 1),  # the window is [2024-01-20, 2024-04-19)
        ("a", "2024-04-20", 0),
        ("b", "2024-02-01", 0),  # held back by an experiment
        ("b", "2024-03-01", 0),  # the touched account merges in later that day
        ("b", "2024-03-02", 1),
    ],
)
def test_a_row_is_touched_by_what_was_done_in_the_90_days_before(
    company: Company, account_id: str, as_of: str, is_touched: int
) -> None:
    source = company(
        {
            "accounts": ACCOUNTS,
            "subscriptions": SUBSCRIPTIONS,
            "touches": TOUCHES,
            "account_merges": MERGES,
        },
        extracted_at="2024-12-31",
    )
    assert touched(source, rows((account_id, as_of))).tolist() == [is_touched]


def test_the_share_is_that_of_all_rows_in_any_order(company: Company) -> None:
    source = company(
        {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS, "touches": TOUCHES},
        extracted_at="2024-12-31",
    )
    asked = rows(("b", "2024-02-01"), ("a", "2024-02-01"), ("a", "2024-01-01"), ("b", "2024-01-01"))
    assert touched(source, asked).tolist() == [0, 1, 0, 0]
    assert touched_share(source, asked) == 0.25
    assert "touched 25% of the rows in the 90 days before" in next(told(0.25))


def test_without_touches_nobody_can_tell(company: Company) -> None:
    source = company({"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS})
    asked = rows(("a", "2024-02-01"))
    assert np.isnan(touched(source, asked)).all()
    assert touched_share(source, asked) is None
    assert list(told(None)) == []


def test_the_figures_stand_with_and_without_touched_rows() -> None:
    rng = np.random.default_rng(3)
    count = 300
    frame = pd.DataFrame(
        {
            "as_of": pd.Timestamp("2024-01-01"),
            "customer_group": [f"g{at % 90}" for at in range(count)],
            "term_ends_at": pd.NaT,
            "term_months": np.nan,
            "touched": rng.choice([0.0, 1.0, np.nan], count),
            **dict.fromkeys(("tier", "segment", "region"), None),
        }
    ).astype({"as_of": "datetime64[us]", "term_ends_at": "datetime64[us]"})
    outcome, probability = rng.integers(0, 2, count).astype(float), rng.random(count)
    found = by_slice(frame, outcome, probability, 90)["touch"]
    assert set(found) == {TOUCHED, NOT_TOUCHED, UNKNOWN}
    for name, value in ((TOUCHED, 1.0), (NOT_TOUCHED, 0.0)):
        own = (frame["touched"] == value).to_numpy()
        assert (found[name]["rows"], found[name]["events"]) == (own.sum(), outcome[own].sum())
        auc = roc_auc_score(outcome[own], probability[own])
        assert found[name]["auc"]["value"] == pytest.approx(auc)
