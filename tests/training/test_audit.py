"""Faults planted in an honest table, each of which the audit names; the honest one passes."""

import numpy as np
import pandas as pd
import pytest

from training.audit.columns import audit

ROWS = 2000


@pytest.fixture(scope="module")
def outcome():
    return (np.random.default_rng(1).random(ROWS) < 0.2).astype(float)


@pytest.fixture(scope="module")
def honest(outcome):
    """Weak, strong-but-plausible, skewed, categorical and patchy columns; nothing to hide."""
    random = np.random.default_rng(2)
    noise = random.normal(size=(ROWS, 3))
    return pd.DataFrame(
        {
            "usage": noise[:, 0] - 0.8 * outcome,
            "mrr": np.exp(noise[:, 1] + 5),
            "tickets": random.poisson(1 + outcome),
            "plan": random.choice(["basic", "pro", "team"], size=ROWS),
            "csat": np.where(random.random(ROWS) < 0.6, np.nan, noise[:, 2]),
        }
    )


def named(frame, outcome, **options):
    return {(f.column, f.kind) for f in audit(frame, outcome, **options)}


def test_it_finds_nothing_in_an_honest_table(honest, outcome):
    assert audit(honest, outcome) == ()


def test_it_names_a_copy_of_the_outcome(honest, outcome):
    words = np.where(outcome == 1, "lost", "customer")
    frame = honest.assign(status=words)
    assert named(frame, outcome) == {("status", "decides the outcome")}


def test_it_names_a_score_that_was_made_from_the_outcome(honest, outcome):
    random = np.random.default_rng(3)
    score = random.normal(size=ROWS) + 2.2 * outcome  # AUC 0.94, far above every other column
    assert named(honest.assign(score=score), outcome) == {("score", "decides the outcome")}


def test_it_does_not_ask_in_which_direction_a_column_points(honest, outcome):
    frame = honest.assign(kept=1000 - 900 * outcome + np.arange(ROWS) / 1000)
    assert named(frame, outcome) == {("kept", "decides the outcome")}


def test_it_names_a_column_that_decides_only_for_some(honest, outcome):
    random = np.random.default_rng(4)
    flagged = (outcome == 1) & (random.random(ROWS) < 0.3)
    frame = honest.assign(final_call=np.where(flagged, "yes", "no"))
    assert named(frame, outcome) == {("final_call", "decides the outcome")}


def test_it_names_a_column_that_is_filled_after_the_end(honest, outcome):
    random = np.random.default_rng(5)
    reason = pd.Series(random.choice(["price", "moved", "other"], size=ROWS)).where(outcome == 1)
    assert named(honest.assign(reason=reason), outcome) == {("reason", "filled after the end")}


def test_it_names_a_date_that_is_filled_after_the_end(honest, outcome):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) % 300, unit="D")
    frame = honest.assign(ended_on=pd.Series(days).where(outcome == 1))
    assert named(frame, outcome) == {("ended_on", "filled after the end")}


def test_it_names_a_column_that_is_emptied_at_the_end(honest, outcome):
    seats = pd.Series(np.arange(ROWS) % 50 + 1.0).where(outcome == 0)
    assert named(honest.assign(seats=seats), outcome) == {("seats", "filled after the end")}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([f"C-{number:05d}" for number in range(ROWS)], id="text"),
        pytest.param(list(range(70_000, 70_000 + ROWS)), id="a row number"),
    ],
)
def test_it_names_ids(honest, outcome, values):
    assert named(honest.assign(customer=values), outcome) == {("customer", "names a row")}


def test_it_names_a_name_that_an_account_keeps_over_many_dates(honest, outcome):
    account = np.arange(ROWS) // 10
    frame = honest.assign(company=[f"Company {number}" for number in account])
    assert named(frame, outcome, groups=account) == {("company", "names a row")}


def test_it_takes_amounts_written_as_text_for_numbers(honest, outcome):
    charges = pd.Series(np.linspace(10, 90, ROWS).round(3)).astype(str)
    charges[::100] = " "
    assert audit(honest.assign(charges=charges), outcome) == ()


def test_a_constant_is_named_but_blocks_nothing(honest, outcome):
    (finding,) = audit(honest.assign(country="DE"), outcome)
    assert (finding.column, finding.kind, finding.blocking) == ("country", "constant", False)


def test_an_account_that_never_changes_does_not_betray_itself():
    """Each account has one seat count and one outcome; by rows alone, seats would decide."""
    account = np.arange(ROWS) // 100
    seats = np.random.default_rng(6).permutation(ROWS // 100)[account] * 1.5
    frame, lost = pd.DataFrame({"seats": seats}), (account % 4 == 0).astype(float)
    assert audit(frame, lost, groups=account) == ()
    assert named(frame, lost) == {("seats", "decides the outcome")}


def test_rows_with_an_unknown_outcome_are_left_aside(honest, outcome):
    unknown = np.where(np.arange(ROWS) % 3 == 0, np.nan, outcome)
    frame = honest.assign(only_there=np.where(np.isnan(unknown), 1.0, 0.0))
    assert named(frame, unknown) == {("only_there", "constant")}


def test_it_looks_at_the_asked_columns_only(honest, outcome):
    assert audit(honest.assign(copy=outcome), outcome, features=["usage", "mrr"]) == ()
