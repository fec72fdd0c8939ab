"""What an expansion adds, learned: by hand, against scikit-learn, and with the future altered."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from features.checked import CheckedSource
from models.expansion import EXPANSION
from models.question import Question
from models.trees import Trees
from training.amount import SPREAD, added, amount_of, deviance, judge, mean_shares, shape_of
from training.labels import label, outcome_within

QUESTION = Question("expansion", "expansion", (30, 90), main_horizon_days=30)
BORDER = datetime(2026, 1, 1)  # noqa: DTZ001 - all times are naive UTC
FIRST = datetime(2023, 1, 1)  # noqa: DTZ001 - the same


def expanded(
    mrr: Sequence[float], change: Sequence[float], day: Sequence[float] | float = 5.0
) -> pd.DataFrame:
    names = [f"a{at}" for at in range(len(mrr))]
    return pd.DataFrame(
        {
            "account_id": names,
            "customer_group": names,
            "as_of": pd.Series([FIRST] * len(mrr)).astype("datetime64[us]"),
            "event_days": day,
            "observed_days": 2000.0,
            "mrr": mrr,
            "mrr_change__30d": change,
            "mrr_change__90d": change,
        }
    )


@pytest.fixture(scope="module")
def company() -> pd.DataFrame:
    """60 accounts over 30 months; the first feature makes an expansion e times as large."""
    rng = np.random.default_rng(0)
    parts = []
    for month in range(30):
        large = rng.normal(size=60)
        change = 0.25 * np.exp(0.5 * large + 0.1 * rng.normal(size=60))
        rows = expanded(
            rng.lognormal(5, 1, 60), change, np.where(rng.random(60) < 0.5, 5.0, np.nan)
        )
        stamp = pd.Timestamp(FIRST + timedelta(days=30 * month)).as_unit("us")
        parts.append(rows.assign(as_of=stamp, large=large, noise=rng.normal(size=60)))
    return pd.concat(parts, ignore_index=True)


def test_the_mean_share_is_the_money_won_over_the_money_of_those_who_grew() -> None:
    rows = expanded([100, 300, 1000], [0.5, 0.1, 9.0], [5.0, 10.0, np.nan])
    assert mean_shares(rows, QUESTION, BORDER)[30] == pytest.approx((50 + 30) / 400)


def test_a_horizon_within_which_nobody_grew_has_no_share() -> None:
    rows = expanded([100], [0.2], 45.0)
    assert mean_shares(rows, QUESTION, BORDER) == {90: pytest.approx(0.2)}


def test_what_was_lost_again_by_the_horizon_is_no_negative_amount() -> None:
    rows = expanded([100, 300], [0.5, -1.0])
    assert added(rows, 30).tolist() == [0.5, 0.0]
    assert mean_shares(rows, QUESTION, BORDER)[30] == pytest.approx(50 / 400)


@pytest.mark.parametrize(
    ("rises", "expected"),
    [
        ([("2024-05-11", 120)], 0.2),
        ([("2024-05-11", 120), ("2024-07-01", 150)], 0.5),
        ([("2024-05-11", 120), ("2024-06-20", 105)], 0.05),
        ([("2024-05-11", 120), ("2024-06-20", 0)], 0.0),
        ([("2024-05-11", 120), ("2024-06-05", 100)], None),
        ([("2024-05-11", 108)], None),
        ([("2024-08-01", 120)], None),
    ],
)
def test_what_an_account_adds_is_as_the_definitions_say(
    checked_rows: Callable[..., CheckedSource],
    rises: list[tuple[str, int]],
    expected: float | None,
) -> None:
    steps = [("2024-01-01", 100), *rises, ("9999-01-01", 0)]
    lives = [
        (datetime.fromisoformat(start), datetime.fromisoformat(end), mrr)
        for (start, mrr), (end, _) in pairwise(steps)
    ]
    state = pd.DataFrame({"account_id": ["a"], "as_of": pd.to_datetime(["2024-05-01"])})
    labels = label(checked_rows(lives, extracted_at=BORDER), state, EXPANSION)
    came = outcome_within(labels, 90)[0]
    found = added(labels, 90)[0] if came else None
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("came", "said", "by_hand"), [(0.2, 0.2, 0.0), (0.0, 0.3, 0.6), (0.4, 0.2, 0.15451774)]
)
def test_the_deviance_is_that_of_poisson(came: float, said: float, by_hand: float) -> None:
    # 2 (0.4 ln 2 - 0.4 + 0.2) = 0.1545...
    assert deviance(np.array([came]), np.array([said]))[0] == pytest.approx(by_hand)


def test_amounts_by_account_add_up_to_what_was_added_at_each_horizon(company: pd.DataFrame) -> None:
    found = amount_of(company, QUESTION, ("large", "noise"), BORDER)
    hit = company[company["event_days"].notna()]
    said = found.shares(hit[["large", "noise"]].to_numpy(np.float32), (30, 90))
    for at, days in enumerate((30, 90)):
        assert (said[:, at] * hit["mrr"]).sum() == pytest.approx(
            (added(hit, days) * hit["mrr"]).sum()
        )


def test_accounts_are_told_apart_where_that_was_better_on_later_expansions(
    company: pd.DataFrame,
) -> None:
    found = amount_of(company, QUESTION, ("large", "noise"), BORDER)
    assert found.shape is not None
    assert found.judged.mean_share > 2 * found.judged.by_account
    large, noise = found.shape.weights.weights
    assert large > 5 * abs(noise)


@pytest.fixture(scope="module")
def bent(company: pd.DataFrame) -> pd.DataFrame:
    """The same accounts, but what adds is to be far from 0 either way: no straight line has it."""
    share = np.where(company["large"].abs() > 0.7, 0.4, 0.1)
    return company.assign(mrr_change__30d=share, mrr_change__90d=share)


def test_trees_tell_amounts_where_they_were_clearly_better_on_later_expansions(
    bent: pd.DataFrame,
) -> None:
    found = amount_of(bent, QUESTION, ("large", "noise"), BORDER)
    assert isinstance(found.shape, Trees)
    assert found.judged.by_trees < found.judged.by_account / 2
    said = found.shares(np.array([[-1.5, 0], [0, 0], [1.5, 0]], np.float32), (30, 90))
    np.testing.assert_allclose(said, np.tile([[0.4], [0.1], [0.4]], 2), rtol=0.25)
    hit = bent[bent["event_days"].notna()]
    money = found.shares(hit[["large", "noise"]].to_numpy(np.float32), (30,))[:, 0] * hit["mrr"]
    assert money.sum() == pytest.approx((added(hit, 30) * hit["mrr"]).sum())


def test_trees_are_not_taken_where_they_are_not_clearly_better(company: pd.DataFrame) -> None:
    judged = amount_of(company, QUESTION, ("large", "noise"), BORDER).judged
    assert judged.way == "by account"
    assert judged.by_trees > judged.by_account


def test_the_same_rows_give_the_same_trees(bent: pd.DataFrame) -> None:
    once, again = (amount_of(bent, QUESTION, ("large", "noise"), BORDER) for _ in range(2))
    assert once.to_text() == again.to_text()


def test_where_nothing_tells_amounts_apart_every_share_is_about_the_mean(
    company: pd.DataFrame,
) -> None:
    found = amount_of(company, QUESTION, ("noise",), BORDER)
    hit = company[company["event_days"].notna()]
    said = found.shares(hit[["noise"]].to_numpy(np.float32), (30,))
    assert np.abs(said / found.mean_shares[30] - 1).mean() < 0.05


def test_the_mean_share_stands_where_telling_apart_was_worse_on_later_expansions(
    company: pd.DataFrame,
) -> None:
    # What made an expansion large makes it small in the second half, which no past could tell.
    turned = company.copy()
    turned.loc[turned["as_of"] > FIRST + timedelta(days=450), "large"] *= -1
    found = amount_of(turned, QUESTION, ("large", "noise"), FIRST + timedelta(days=700))
    assert found.judged.is_worse_by_account
    assert found.shape is None
    assert "is the mean share: on" in found.sentence()


def test_the_mean_share_stands_where_too_few_grew(company: pd.DataFrame) -> None:
    few = company[company["account_id"].isin([f"a{at}" for at in range(15)])]
    found = amount_of(few, QUESTION, ("large", "noise"), BORDER)
    assert found.judged is None
    assert found.shape is None
    assert found.mean_shares[30] == mean_shares(few, QUESTION, BORDER)[30]


def test_no_other_outcome_has_an_amount(company: pd.DataFrame) -> None:
    churn = Question("churn", "churn", (30, 90), main_horizon_days=30)
    assert amount_of(company, churn, ("large",), BORDER) is None


def test_the_weights_are_those_of_a_ridge_regression_by_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    change = 0.2 * np.exp(rng.normal(size=50) * 0.3)
    rows = expanded(np.full(50, 100.0), change).assign(one=rng.normal(size=50) + change)
    shape = shape_of(rows, QUESTION, ("one",), BORDER)
    squeezed = np.sign(rows["one"]) * np.log1p(rows["one"].abs())
    placed = ((squeezed - squeezed.mean()) / squeezed.std(ddof=0)).clip(-4, 4).to_numpy()
    logs = np.log(change)
    ridge = Ridge(alpha=logs.var() / SPREAD**2).fit(placed[:, None], logs)
    assert shape.weights.weights == pytest.approx(ridge.coef_, rel=1e-5)
    said = placed * ridge.coef_[0]
    assert (shape.lowest, shape.highest) == pytest.approx((said.min(), said.max()), rel=1e-5)


def test_an_expansion_counts_once_however_many_dates_saw_it_come() -> None:
    rng = np.random.default_rng(2)
    change = 0.2 * np.exp(rng.normal(size=40) * 0.3)
    once = expanded(np.full(40, 100.0), change, 20.0).assign(one=rng.normal(size=40))
    later = once.iloc[:10].assign(
        as_of=once["as_of"].iloc[:10] + timedelta(days=15), event_days=5.0
    )
    twice = pd.concat([once, later], ignore_index=True)
    found = shape_of(twice, QUESTION, ("one",), BORDER).weights
    expected = shape_of(once, QUESTION, ("one",), BORDER).weights
    assert found.weights == pytest.approx(expected.weights)
    other = later.assign(account_id="b" + later["account_id"])
    counted = shape_of(pd.concat([once, other]), QUESTION, ("one",), BORDER).weights
    assert counted.weights != pytest.approx(expected.weights)


@pytest.mark.parametrize("kind", ["company", "bent"])
def test_nothing_that_was_not_known_at_the_border_is_learned(
    kind: str, request: pytest.FixtureRequest
) -> None:
    company: pd.DataFrame = request.getfixturevalue(kind)
    border = FIRST + timedelta(days=30 * 24)
    is_young = company["as_of"] + timedelta(days=30 + EXPANSION.grace_days) > border
    altered = company.copy()
    altered.loc[is_young, ["mrr_change__30d", "large"]] = 7.0
    is_far = company["as_of"] + timedelta(days=90 + EXPANSION.grace_days) > border
    altered.loc[is_far, "mrr_change__90d"] = 7.0
    features = ("large", "noise")
    known = amount_of(company, QUESTION, features, border)
    assert amount_of(altered, QUESTION, features, border) == known
    assert judge(altered, QUESTION, features, border) == known.judged
    # Planted: the same with a border that lies too late sees it.
    late = border + timedelta(days=31)
    assert amount_of(altered, QUESTION, features, late) != amount_of(
        company, QUESTION, features, late
    )
