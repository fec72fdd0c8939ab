"""The oracle is right where its answer is known, and right on average where it is not."""

from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.errors import SourceError
from features.sources.sample.accounts import draw_accounts
from features.sources.sample.history import live, stream
from features.sources.sample.truth import write_truth
from features.sources.sample.world import Drift, Growth, Money, Risk, World, calendar
from training.oracle import (
    can_leave_within,
    oracle_added_shares,
    oracle_probabilities,
    read_truth,
    skill_share,
)

JANUARY = date(2023, 1, 1)


def _zero(law, **kept):
    """The law with every number at 0 but those kept."""
    numbers = {f.name: getattr(law, f.name) for f in fields(law)}
    zeros = {
        name: (0.0,) * len(value) if isinstance(value, tuple) else type(value)(0)
        for name, value in numbers.items()
    }
    return replace(law, **(zeros | kept))


def _plain_world(monthly: float, renewal: float = -20.0, upsell: float = -20.0) -> World:
    """Nobody differs from anybody: constant log odds to leave and to add seats, nothing else."""
    return World(
        risk=_zero(Risk(), monthly_base=(monthly,) * 3, renewal_base=(renewal,) * 3),
        money=_zero(Money(), quote_months_ahead=4),
        growth=_zero(Growth(), upsell_base=upsell, crosssell_base=-20.0, upsell_size=(0.5, 0.5)),
        drift=_zero(Drift(), bad_year_months=12),
    )


@pytest.fixture
def truth_of(tmp_path):
    def make(world: World, accounts: int, months: int, seed: int = 5) -> Path:
        cal = calendar(months)
        people = draw_accounts(world, accounts, months, stream(seed, "accounts"))
        history = live(people, world, cal, stream(seed, "dynamics"))
        write_truth(history, world, tmp_path / "truth", seed)
        return tmp_path

    return make


def _joined(company: Path, probabilities: pd.DataFrame) -> pd.DataFrame:
    truth = read_truth(company)
    hidden = truth.states[["account_id", "as_of", "leaves_on", "term_end", "month"]]
    rows = probabilities.merge(hidden, on=["account_id", "as_of"])
    return rows.merge(truth.traits, on="account_id")


def test_a_constant_hazard_gives_the_probability_of_the_textbook(truth_of):
    # Log odds of -2 are a hazard of 0.1192 a month. Who asks on a day uniform in a month of 31
    # days before the billing day leaves in it: (b - 1) / 31 of those that ask; the others at the
    # next billing day, day 31 + b - 1, outside a window of 31 days.
    company = truth_of(_plain_world(-2.0), 120, 14)
    rows = _joined(company, oracle_probabilities(company, [JANUARY], "churn", [31], plays=4000))
    rows = rows[(rows["term_months"] == 1) & (rows["leaves_on"] > 10_000)]
    known = 0.1192 * (rows["billing_day"] - 1) / 31
    assert len(rows) > 10
    np.testing.assert_allclose(rows["probability"], known, atol=0.025)
    assert abs((rows["probability"] - known).mean()) < 0.003


def test_a_renewal_is_decided_once_at_the_deadline(truth_of):
    company = truth_of(_plain_world(-20.0, renewal=0.0), 200, 14)
    rows = _joined(company, oracle_probabilities(company, [JANUARY], "churn", [90], plays=1000))
    rows = rows[(rows["term_months"] >= 12) & (rows["leaves_on"] > 10_000)]
    starts = read_truth(company).calendar.starts
    ends_in = starts[rows["term_end"]] + rows["billing_day"] - 1 - starts[rows["month"]]
    open_still = (ends_in < 90) & (ends_in >= rows["notice_days"])
    assert open_still.any()
    np.testing.assert_allclose(rows.loc[open_still, "probability"], 0.5, atol=0.07)
    assert (rows.loc[~open_still, "probability"] == 0).all()


def test_growth_at_a_constant_hazard_is_found_on_its_day(truth_of):
    # Log odds of 0 are an even chance a month to add half of the seats: within 31 days of a month
    # of 31 days, an even chance to have grown, and no less after 30 days more.
    company = truth_of(_plain_world(-20.0, upsell=0.0), 60, 14)
    found = oracle_probabilities(company, [JANUARY], "expansion", [31, 59], plays=2000)
    by_horizon = found.groupby("horizon_days")["probability"].mean()
    assert by_horizon[31] == pytest.approx(0.5, abs=0.01)
    assert by_horizon[59] == pytest.approx(0.75, abs=0.01)


def test_who_leaves_first_does_not_expand(truth_of):
    company = truth_of(_plain_world(20.0, upsell=0.0), 60, 14)
    first = pd.Timestamp("2022-01-01")
    rows = _joined(company, oracle_probabilities(company, [first], "expansion", [60], plays=500))
    assert (rows.loc[rows["term_months"] == 1, "probability"] == 0).all()


def test_nobody_shrinks_where_no_seat_is_cut(truth_of):
    company = truth_of(_plain_world(-20.0), 60, 14)
    found = oracle_probabilities(company, [JANUARY], "contraction", [90], plays=500)
    assert (found["probability"] == 0).all()


def test_a_longer_horizon_is_never_less_likely(truth_of):
    company = truth_of(World(), 150, 24)
    for question in ("churn", "expansion", "contraction"):
        found = oracle_probabilities(company, [JANUARY], question, [30, 90, 180, 365], plays=60)
        wide = found.pivot_table(index="account_id", columns="horizon_days", values="probability")
        assert (np.diff(wide.to_numpy(), axis=1) >= 0).all()


def test_what_came_true_does_not_move_it(truth_of):
    company = truth_of(World(), 100, 24)
    before = oracle_probabilities(company, [JANUARY], "churn", [90], plays=100)
    states = company / "truth" / "states.parquet"
    table = pd.read_parquet(states)
    table[table["as_of"] <= pd.Timestamp(JANUARY)].to_parquet(states, index=False)
    (company / "truth" / "causes.parquet").unlink()
    after = oracle_probabilities(company, [JANUARY], "churn", [90], plays=100)
    pd.testing.assert_frame_equal(before, after)


def _lost_within(company: Path, rows: pd.DataFrame, horizon_days: int) -> pd.Series:
    causes = pd.read_parquet(company / "truth" / "causes.parquet")
    lost = causes[causes["event"] == "churn"].set_index("account_id")["occurred_at"]
    return rows["account_id"].map(lost) < rows["as_of"] + pd.Timedelta(days=horizon_days)


def test_it_is_right_on_average_and_as_sharp_as_it_should_be(truth_of):
    """The issue's ranges, at a size that runs in seconds: 2,400 accounts, six dates."""
    company = truth_of(World(), 2400, 48, seed=11)
    dates = pd.to_datetime([f"{year}-{month}-01" for year in (2024, 2025) for month in (1, 5, 9)])
    rows = _joined(company, oracle_probabilities(company, dates, "churn", [90]))
    rows = rows[rows["leaves_on"] > 10_000]
    churned = _lost_within(company, rows, 90)
    assert churned.sum() / rows["probability"].sum() == pytest.approx(1, abs=0.15)
    likely = rows["probability"] > 0.15
    assert churned[likely].sum() / rows["probability"][likely].sum() == pytest.approx(1, abs=0.2)
    assert 0.035 < churned.mean() < 0.065
    starts = read_truth(company).calendar.starts
    ends_in = starts[rows["term_end"]] + rows["billing_day"] - 1 - starts[rows["month"]]
    ends_in = ends_in.where(rows["term_months"] > 1, rows["billing_day"] - 1)
    can_leave = (rows["term_months"] == 1) | (ends_in < 90)
    oracle = roc_auc_score(churned[can_leave], rows.loc[can_leave, "probability"])
    renewal = roc_auc_score(churned[can_leave], ends_in[can_leave])
    assert 0.75 <= oracle <= 0.85
    assert max(renewal, 1 - renewal) < 0.60


def test_monthly_accounts_and_ending_terms_can_leave():
    as_of = pd.Timestamp("2024-01-01")
    states = pd.DataFrame(
        {
            "as_of": as_of,
            "term_ends_at": pd.to_datetime(["2024-03-30", "2024-03-31", None, "2024-01-09"]),
            "term_months": [12.0, 12.0, np.nan, 1.0],
        }
    )
    assert can_leave_within(states, 90).tolist() == [True, False, True, True]


def test_the_share_of_skill_counts_from_a_coin():
    assert skill_share(0.725, 0.80) == pytest.approx(0.75)


@pytest.mark.parametrize("day", [date(2023, 1, 2), date(2021, 12, 1), date(2027, 1, 1)])
def test_it_refuses_a_date_that_it_does_not_know(truth_of, day):
    company = truth_of(World(), 30, 14)
    with pytest.raises(SourceError, match="first days of the months"):
        oracle_probabilities(company, [day], "churn", [90], plays=10)


def test_it_refuses_a_company_without_a_truth(tmp_path):
    with pytest.raises(SourceError, match="no truth beside its tables"):
        oracle_probabilities(tmp_path, [JANUARY], "churn", [90])


def test_it_refuses_an_unknown_question(truth_of):
    with pytest.raises(SourceError, match="answers churn, expansion, contraction"):
        oracle_probabilities(truth_of(World(), 30, 14), [JANUARY], "regret", [90])


def test_one_purchase_of_a_known_size_adds_its_share_of_the_seats(truth_of):
    # Whoever buys in January buys half as many seats again, rounded up, and nothing else happens.
    company = truth_of(_plain_world(-20.0, upsell=-1.0), 60, 14)
    rows = oracle_added_shares(company, [JANUARY], [31], plays=500)
    seats = read_truth(company).states[["account_id", "as_of", "seats"]]
    rows = rows.merge(seats, on=["account_id", "as_of"])
    known = rows["probability"] * np.ceil(rows["seats"] / 2) / rows["seats"]
    assert rows["probability"].between(0.15, 0.4).all()
    np.testing.assert_allclose(rows["added_share"], known, rtol=1e-3)


def test_what_is_lost_again_by_the_horizon_adds_nothing(truth_of):
    # Everybody buys in each month. On a month's term 12 % leave in each, so that a fifth are there
    # after a year: what the others had bought adds nothing.
    company = truth_of(_plain_world(-2.0, upsell=20.0), 120, 14)
    rows = _joined(company, oracle_added_shares(company, [JANUARY], [365], plays=300))
    rows = rows[rows["leaves_on"] > 10_000]
    monthly = rows.loc[rows["term_months"] == 1, "added_share"]
    stayed = rows.loc[rows["term_months"] > 1, "added_share"]
    assert len(monthly) > 5
    assert 0.1 < monthly.mean() / stayed.mean() < 0.35


def test_what_is_added_comes_with_the_same_probability(truth_of):
    company = truth_of(_plain_world(-2.0, upsell=-1.0), 60, 14)
    added = oracle_added_shares(company, [JANUARY], [31, 90], plays=50)
    alone = oracle_probabilities(company, [JANUARY], "expansion", [31, 90], plays=50)
    pd.testing.assert_frame_equal(added[list(alone)], alone)
