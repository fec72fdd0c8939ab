"""Each sentence of the definitions, on a company small enough to work out by hand.

Times with hours are used where the hour decides; `2024-05-01` alone is the end of that day.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.checked import CheckedSource
from models.churn import CHURN
from models.contraction import CONTRACTION
from models.expansion import EXPANSION
from models.question import Question
from training.labels import label, outcome_within

Company = Callable[..., CheckedSource]
Subscriptions = Callable[..., CheckedSource]

ACCOUNTS = """
    account_id  created_at
    a           2023-01-01
    b           2023-01-01
    c           2023-01-01
"""


@pytest.fixture
def subscriptions(company: Company) -> Subscriptions:
    """A company with these subscription rows, of product `base` at 100 where not said."""

    def make(rows: str, extracted_at="2025-12-31T00:00", **tables: str) -> CheckedSource:
        return company(
            {"accounts": ACCOUNTS, "subscriptions": rows, **tables}, extracted_at=extracted_at
        )

    return make


def labelled(source: CheckedSource, question: Question, *snapshots: str) -> pd.DataFrame:
    rows = [snapshot.split("@") for snapshot in snapshots]
    states = pd.DataFrame(rows, columns=["account_id", "as_of"]).assign(
        as_of=lambda frame: pd.to_datetime(frame["as_of"]).astype("datetime64[us]")
    )
    return label(source, states, question)


def days(labels: pd.DataFrame, name: str = "event_days") -> list[float | None]:
    return [None if np.isnan(value) else value for value in labels[name]]


ENDS_IN_MAY = """
    subscription_id  account_id  product  mrr  started_at        ended_at
    s1               a           base     100  2024-01-01T00:00  2024-05-11T12:00
"""


def test_a_loss_counts_from_the_snapshot_in_days(subscriptions: Subscriptions) -> None:
    labels = labelled(subscriptions(ENDS_IN_MAY), CHURN, "a@2024-05-01", "a@2024-04-01")
    assert days(labels) == [10.5, 40.5]


def test_a_loss_at_exactly_as_of_is_the_first_event_of_its_window(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(ENDS_IN_MAY.replace("05-11T12:00", "05-11T00:00"))
    assert days(labelled(source, CHURN, "a@2024-05-11")) == [0.0]


def test_a_loss_at_the_end_of_a_window_is_outside_it(subscriptions: Subscriptions) -> None:
    source = subscriptions(ENDS_IN_MAY.replace("05-11T12:00", "05-31T00:00"))
    labels = labelled(source, CHURN, "a@2024-05-01")
    assert outcome_within(labels, 30).tolist() == [0.0]
    assert outcome_within(labels, 90).tolist() == [1.0]


def test_a_snapshot_after_the_loss_has_nothing_to_lose(subscriptions: Subscriptions) -> None:
    labels = labelled(subscriptions(ENDS_IN_MAY), CHURN, "a@2024-06-01")
    assert days(labels, "observed_days") == [None]
    assert np.isnan(outcome_within(labels, 30)).all()


@pytest.mark.parametrize(
    ("restart", "churned"),
    [("2024-05-11T12:00", False), ("2024-06-10T11:59", False), ("2024-06-10T12:00", True)],
)
def test_a_restart_within_the_grace_is_no_churn(
    subscriptions: Subscriptions, restart: str, *, churned: bool
) -> None:
    source = subscriptions(f"""
        subscription_id  account_id  product  mrr  started_at        ended_at
        s1               a           base     100  2024-01-01T00:00  2024-05-11T12:00
        s2               a           other    40   {restart}         -
    """)
    assert outcome_within(labelled(source, CHURN, "a@2024-05-01"), 30).tolist() == [churned]


def test_a_renewal_the_day_after_is_no_churn(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at  ended_at
        s1               a           base     100  2024-01-01  2024-12-31
        s1               a           base     100  2025-01-01  -
    """)
    assert days(labelled(source, CHURN, "a@2024-12-01")) == [None]


def test_the_first_loss_counts_when_an_account_leaves_twice(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at        ended_at
        s1               a           base     100  2024-01-01T00:00  2024-02-01T00:00
        s2               a           base     100  2024-06-01T00:00  2024-07-01T00:00
    """)
    labels = labelled(source, CHURN, "a@2024-01-02", "a@2024-06-02")
    assert days(labels) == [30.0, 29.0]


def test_losing_one_of_two_products_is_no_churn(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at  ended_at
        s1               a           base     100  2024-01-01  2024-05-11
        s2               a           other    40   2024-01-01  -
    """)
    assert days(labelled(source, CHURN, "a@2024-05-01")) == [None]


def test_a_paid_plan_that_becomes_free_is_a_loss(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at        ended_at
        s1               a           base     100  2024-01-01T00:00  2024-05-11T00:00
        s1               a           base     0    2024-05-11T00:00  -
    """)
    assert days(labelled(source, CHURN, "a@2024-05-01")) == [10.0]


def test_use_that_is_billed_at_nothing_is_a_loss(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  billing  started_at        ended_at
        s1               a           base     90   usage    2024-01-01T00:00  2024-05-01T00:00
        s1               a           base     30   usage    2024-05-01T00:00  2024-06-01T00:00
        s1               a           base     0    usage    2024-06-01T00:00  -
    """)
    assert days(labelled(source, CHURN, "a@2024-04-01")) == [61.0]
    assert days(labelled(source, CONTRACTION, "a@2024-04-01")) == [30.0]


def test_the_cause_is_that_of_the_largest_row_that_ended(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at  ended_at    end_reason
        s1               a           base     100  2024-01-01  2024-05-11  payment
        s2               a           other    40   2024-01-01  2024-05-11  product
        s3               a           third    900  2024-01-01  2024-05-02  voluntary
    """)
    assert labelled(source, CHURN, "a@2024-05-01")["cause"].tolist() == ["payment"]


def test_lead_time_ends_at_the_request_where_that_comes_first(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at  ended_at          cancel_requested_at
        s1               a           base     100  2024-01-01  2024-05-11T00:00  2024-05-04T00:00
        s2               b           base     100  2024-01-01  2024-05-11T00:00  -
    """)
    labels = labelled(source, CHURN, "a@2024-05-01", "b@2024-05-01")
    assert days(labels, "lead_days") == [3.0, 10.0]
    assert days(labels) == [10.0, 10.0]


# What is unknown


@pytest.mark.parametrize(("extracted", "known"), [("06-29T23:59", False), ("06-30T00:00", True)])
def test_a_window_counts_once_it_and_the_grace_are_over(
    subscriptions: Subscriptions, extracted: str, *, known: bool
) -> None:
    # 2024-05-01 + 30 days + 30 days of grace = 2024-06-30
    source = subscriptions(ENDS_IN_MAY, extracted_at=f"2024-{extracted}")
    outcome = outcome_within(labelled(source, CHURN, "a@2024-05-01"), 30)
    assert outcome.tolist() == [1.0] if known else np.isnan(outcome).all()


def test_an_early_loss_does_not_make_a_longer_window_count(subscriptions: Subscriptions) -> None:
    source = subscriptions(ENDS_IN_MAY, extracted_at="2024-07-15T00:00")
    labels = labelled(source, CHURN, "a@2024-05-01")
    assert outcome_within(labels, 30).tolist() == [1.0]
    assert np.isnan(outcome_within(labels, 90)).all()


def test_a_loss_whose_grace_is_not_over_is_not_yet_one(subscriptions: Subscriptions) -> None:
    source = subscriptions(ENDS_IN_MAY, extracted_at="2024-06-09T00:00")
    assert days(labelled(source, CHURN, "a@2024-05-01")) == [None]


def test_an_end_that_lies_ahead_of_the_extract_has_not_happened(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(ENDS_IN_MAY, extracted_at="2024-05-05T00:00")
    assert days(labelled(source, CHURN, "a@2024-01-02")) == [None]


# Versions


def test_the_newest_version_tells_what_came_true(subscriptions: Subscriptions) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at  ended_at    recorded_at
        s1               a           base     100  2024-01-01  2024-05-11  2024-05-12
        s1               a           base     100  2024-01-01  -           2024-01-01
        s2               b           base     100  2024-01-01  2024-05-11  2024-05-12
        s2               b           base     100  2024-01-01  -           2024-05-13
        s3               c           base     100  2024-01-01  2024-05-11  2024-05-12
        s3               c           base     100  2024-01-01  -           -
    """)
    labels = labelled(source, CHURN, "a@2024-05-01", "b@2024-05-01", "c@2024-05-01")
    assert days(labels) == [pytest.approx(11), None, pytest.approx(11)]


def test_a_row_recorded_late_is_no_expansion_of_what_already_ran(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions("""
        subscription_id  account_id  product  mrr  started_at        ended_at  recorded_at
        s1               a           base     100  2024-01-01T00:00  -         2024-01-01T00:00
        s2               a           other    100  2024-02-01T00:00  -         2024-05-11T00:00
    """)
    assert days(labelled(source, EXPANSION, "a@2024-05-01")) == [None]


# Expansion and contraction


def steps(*levels: tuple[str, str, str]) -> str:
    """Subscription rows of account a that follow one another: (mrr, from, to)."""
    head = "subscription_id account_id product mrr started_at ended_at\n"
    return head + "\n".join(
        f"s{k} a base {mrr} {start} {end}" for k, (mrr, start, end) in enumerate(levels)
    )


@pytest.mark.parametrize(("mrr", "expands"), [("110", True), ("109.9999", False)])
def test_a_tenth_more_is_an_expansion_to_the_last_digit(
    subscriptions: Subscriptions, mrr: str, *, expands: bool
) -> None:
    source = subscriptions(
        steps(("100", "2024-01-01T00:00", "2024-05-11T00:00"), (mrr, "2024-05-11T00:00", "-"))
    )
    assert days(labelled(source, EXPANSION, "a@2024-05-01")) == [10.0 if expands else None]


@pytest.mark.parametrize(("mrr", "contracts"), [("90", True), ("90.0001", False)])
def test_a_tenth_less_is_a_contraction_to_the_last_digit(
    subscriptions: Subscriptions, mrr: str, *, contracts: bool
) -> None:
    source = subscriptions(
        steps(("100", "2024-01-01T00:00", "2024-05-11T00:00"), (mrr, "2024-05-11T00:00", "-"))
    )
    assert days(labelled(source, CONTRACTION, "a@2024-05-01")) == [10.0 if contracts else None]


@pytest.mark.parametrize(("back", "expands"), [("06-09T23:59", False), ("06-10T00:00", True)])
def test_an_expansion_has_to_last_for_thirty_days(
    subscriptions: Subscriptions, back: str, *, expands: bool
) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("120", "2024-05-11T00:00", f"2024-{back}"),
            ("100", f"2024-{back}", "-"),
        )
    )
    assert days(labelled(source, EXPANSION, "a@2024-05-01")) == [10.0 if expands else None]


def test_an_expansion_in_two_steps_counts_from_the_first_that_is_enough(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-06T00:00"),
            ("105", "2024-05-06T00:00", "2024-05-11T00:00"),
            ("111", "2024-05-11T00:00", "2024-05-16T00:00"),
            ("130", "2024-05-16T00:00", "-"),
        )
    )
    assert days(labelled(source, EXPANSION, "a@2024-05-01")) == [10.0]


def test_an_account_that_expands_holds_it_and_leaves_counts_for_both(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("120", "2024-05-11T00:00", "2024-06-20T00:00"),
        )
    )
    labels = labelled(source, EXPANSION, "a@2024-05-01")
    assert days(labels) == [10.0]
    assert days(labels, "competing_days") == [None]
    assert days(labelled(source, CHURN, "a@2024-05-01")) == [50.0]


def test_an_account_that_leaves_before_it_held_the_rise_is_no_expansion(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("120", "2024-05-11T00:00", "2024-06-05T00:00"),
        )
    )
    labels = labelled(source, EXPANSION, "a@2024-05-01")
    assert days(labels) == [None]
    assert days(labels, "competing_days") == [35.0]
    assert outcome_within(labels, 90).tolist() == [0.0]


def test_an_account_that_leaves_and_comes_back_larger_is_no_expansion(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("300", "2024-07-01T00:00", "-"),
        )
    )
    assert outcome_within(labelled(source, EXPANSION, "a@2024-05-01"), 180).tolist() == [0.0]


def test_a_loss_is_no_contraction(subscriptions: Subscriptions) -> None:
    labels = labelled(subscriptions(ENDS_IN_MAY), CONTRACTION, "a@2024-05-01")
    assert days(labels) == [None]
    assert days(labels, "competing_days") == [10.5]


def test_an_account_that_shrinks_holds_it_and_leaves_counts_for_both(
    subscriptions: Subscriptions,
) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("50", "2024-05-11T00:00", "2024-06-20T00:00"),
        )
    )
    assert days(labelled(source, CONTRACTION, "a@2024-05-01")) == [10.0]


def test_a_pause_within_the_grace_is_a_part_of_a_contraction(subscriptions: Subscriptions) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("50", "2024-05-21T00:00", "-"),
        )
    )
    assert days(labelled(source, CONTRACTION, "a@2024-05-01")) == [10.0]


def test_the_change_at_each_horizon_is_told_where_it_is_known(subscriptions: Subscriptions) -> None:
    source = subscriptions(
        steps(
            ("100", "2024-01-01T00:00", "2024-05-11T00:00"),
            ("150", "2024-05-11T00:00", "2024-07-01T00:00"),
            ("120", "2024-07-01T00:00", "-"),
        ),
        extracted_at="2024-09-01T00:00",
    )
    row = labelled(source, EXPANSION, "a@2024-05-01").iloc[0]
    assert [row["mrr_change__30d"], row["mrr_change__90d"]] == pytest.approx([0.5, 0.2])
    assert np.isnan(row["mrr_change__180d"])
