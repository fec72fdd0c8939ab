"""Renewals: what came of them, how losses lie around them, and what was said of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from features.built import Built
from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from features.spine import account_states
from models.churn import CHURN
from models.expansion import EXPANSION
from models.renewal import AtTermEnd
from training.backtest import backtest
from training.backtest_page import sections
from training.fit import BoosterParams
from training.labels import label
from training.renewals import CAME, SAID, at_term_end, renewals, renewed

DAYS, MONTHS = "lifecycle__days_to_term_end", "lifecycle__term_months"
FEW = BoosterParams(trees=20)
BORDER = pd.Timestamp("2030-01-01")
AS_OF = datetime(2024, 5, 1)  # noqa: DTZ001 - all times are naive UTC
LATER = datetime(2024, 9, 1)  # noqa: DTZ001 - the same


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def came(
    checked_rows: Callable[..., CheckedSource], *rows: tuple[str, str], extracted_at: datetime
) -> float:
    """Tell what came of the renewal on 1 June of an account that is asked about on 1 May."""
    ends = day("9999-01-01")
    told = [(day(start), day(end) if end else ends, 100) for start, end in rows]
    state = pd.DataFrame(
        {"account_id": ["a"], "as_of": pd.Series([AS_OF]).astype("datetime64[us]")}
    )
    labels = label(checked_rows(told, extracted_at), state, CHURN)
    return float(renewed(labels.assign(**{DAYS: 31.0, MONTHS: 12.0}))[0])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("2023-06-01", "2024-06-01"), ("2024-06-01", "")], 1.0),
        ([("2023-06-01", "2024-06-01"), ("2024-06-20", "")], 1.0),
        ([("2023-06-01", "2024-06-01"), ("2024-07-01", "")], 0.0),
        ([("2023-06-01", "2024-06-01")], 0.0),
        ([("2023-06-01", "2024-06-02")], 0.0),
        ([("2023-06-01", "2024-06-12")], 1.0),
        ([("2023-06-01", "2024-05-12")], 0.0),
        ([("2023-06-01", "")], 1.0),
    ],
    ids=[
        "at once",
        "signed late, within the grace",
        "back after the grace",
        "left with the term",
        "left at the end of that day",
        "left later",
        "left before",
        "runs on",
    ],
)
def test_a_renewal_is_no_churn_by_the_end_of_the_day_of_the_terms_end(
    checked_rows: Callable[..., CheckedSource], rows: list[tuple[str, str]], expected: float
) -> None:
    assert came(checked_rows, *rows, extracted_at=LATER) == expected


@pytest.mark.parametrize(("extract", "expected"), [("2024-07-01", np.nan), ("2024-07-02", 0.0)])
def test_it_is_unknown_until_the_day_and_the_grace_are_over(
    checked_rows: Callable[..., CheckedSource], extract: str, expected: float
) -> None:
    """Also of who left early: else those that left would count, and those that stayed not."""
    found = came(checked_rows, ("2023-06-01", "2024-05-12"), extracted_at=day(extract))
    assert found == pytest.approx(expected, nan_ok=True)


def panel(text: str) -> pd.DataFrame:
    lines = [line.split() for line in text.strip().splitlines()]
    names = [DAYS, MONTHS, "event_days", "observed_days"]
    frame = pd.DataFrame(lines, columns=names).replace("-", np.nan).astype(float)
    return frame.assign(as_of=pd.Timestamp("2024-01-01"))


def test_the_share_on_the_day_is_counted_where_an_interval_holds_one_end() -> None:
    rows = panel("""
        10   12  10  500
        40   12  41  500
        40   12  35  500
        100  12  100 500
        10   1   3   500
        30   1   30  500
        100  12  20  500
        10   12  10  20
        -    -   5   500
    """)
    # longer: 10, 41 (midnight after) and 100 on the day, 35 not; monthly: 3 not, and two ends in
    # 30 to 90 days do not tell which; a loss before the interval, one not yet known, none of a term
    everybody = (3 + 1) / (5 + 2)
    found = at_term_end(rows, CHURN, BORDER)
    assert found is not None
    assert found.longer == pytest.approx((3 + 2 * everybody) / (4 + 2))
    assert found.monthly == pytest.approx((0 + 2 * everybody) / (1 + 2))


def test_a_loss_that_the_border_does_not_know_is_not_counted() -> None:
    rows = panel("40 12 40 500")
    # the interval from 30 to 90 days is over, with the grace, on 30 April
    assert at_term_end(rows, CHURN, pd.Timestamp("2024-04-29")) == AtTermEnd(0.5, 0.5)
    known = at_term_end(rows, CHURN, pd.Timestamp("2024-04-30"))
    assert known is not None
    assert known.longer > 0.5


def test_growth_has_no_renewals() -> None:
    assert at_term_end(panel("40 12 40 500"), EXPANSION, BORDER) is None


def test_what_was_said_is_held_against_what_came() -> None:
    rows = pd.DataFrame(
        {
            DAYS: [10.0, 20.0, 40.0, 50.0, 60.0, 10.0],
            MONTHS: [1.0, 12.0, 12.0, 12.0, 12.0, 12.0],
            SAID: [0.9, 0.8, 0.7, 0.6, 0.5, np.nan],
            CAME: [1.0, 1.0, 1.0, 0.0, np.nan, 1.0],
            "customer_group": list("abcdef"),
        }
    )
    found = renewals(rows, CHURN)
    assert found is not None
    every = found["all"]
    assert (every["rows"], every["events"]) == (4, 1)
    assert every["said"] == pytest.approx((0.9 + 0.8 + 0.7 + 0.6) / 4)
    assert every["renewed"]["value"] == pytest.approx(3 / 4)
    # one failed, and 0.1 + 0.2 + 0.3 + 0.4 were said to
    assert every["observed_over_expected"]["value"] == pytest.approx(1.0)
    assert every["auc"]["value"] == 1.0
    assert {name: part["rows"] for name, part in found["by_time"].items()} == {
        "in 0 to 30 days": 2,
        "in 30 to 90 days": 2,
    }
    assert {name: part["rows"] for name, part in found["by_term"].items()} == {
        "a month": 1,
        "longer": 3,
    }


def test_without_a_known_renewal_nothing_is_claimed() -> None:
    rows = pd.DataFrame({SAID: [np.nan], CAME: [1.0], "customer_group": ["a"]})
    assert renewals(rows, CHURN) is None


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> CheckedSource:
    folder = tmp_path_factory.mktemp("sample")
    simulate(folder / "company", accounts=150, months=36, seed=3)
    return check(str(folder / "company"), home=Home(folder / "home"))


def test_what_came_of_a_sample_companys_renewals_is_what_its_rows_say(
    sample: CheckedSource,
) -> None:
    """By plain pandas: renewed is who has a row that runs past the day, or starts in the grace."""
    states = account_states(sample, [date(2023, 3, 1)])
    states = states[states["status"] == "active"]
    days = (states["term_ends_at"] - states["as_of"]).dt.days.astype(float)
    rows = label(sample, states, CHURN).assign(**{DAYS: days, MONTHS: states["term_months"]})
    found = pd.Series(renewed(rows), index=states["account_id"])
    merges = sample.newest("account_merges")
    merged = {*merges["from_account_id"], *merges["into_account_id"]}
    asked = rows[~rows["account_id"].isin(merged)].set_index("account_id")
    signed = sample.newest("subscriptions").merge(asked[["term_ends_at"]], on="account_id")
    over = signed["term_ends_at"] + pd.Timedelta(days=1)
    runs_past = ~(signed["ended_at"] <= over) & (
        signed["started_at"] < signed["term_ends_at"] + pd.Timedelta(days=30)
    )
    stayed = runs_past.groupby(signed["account_id"]).any().reindex(asked.index).astype(float)
    told = found[asked.index].dropna()
    assert (told == stayed[told.index]).all()
    assert 0 < (told == 0).sum() < len(told)


def test_a_back_test_shows_renewals_where_terms_end(world: Callable[..., Built]) -> None:
    built = world(accounts=120, months=30, seed=4)
    termed = built.table.assign(**{DAYS: np.arange(len(built.table)) % 60.0, MONTHS: 12.0})
    found = backtest(replace(built, table=termed), CHURN, params=FEW, limit=2)
    captions = {section.caption: section for section in sections(found)}
    parts = found.metrics["renewals"]
    known = found.test_rows[[SAID, CAME]].dropna()
    assert (
        parts["all"]["rows"] == len(known) == int(captions["Renewals"].rows[0][1].replace(",", ""))
    )
    assert parts["all"]["said"] == pytest.approx(known[SAID].mean())
    assert sum(part["rows"] for part in parts["by_time"].values()) == len(known)


def test_where_losses_come_on_any_day_the_days_up_to_the_renewal_count(
    world: Callable[..., Built],
) -> None:
    """The hazard of the next 30 days is known, and losses lie evenly in them."""
    built = world(accounts=250, months=40, seed=6)
    days = np.random.default_rng(0).integers(0, 30, len(built.table))
    table = built.table.assign(**{DAYS: days.astype(float), MONTHS: 1.0})
    rows = backtest(replace(built, table=table), CHURN, params=FEW, limit=3).test_rows
    keys = ["account_id", "as_of"]
    true = built.states[[*keys, "hazard"]].assign(part=(days + 1) / 30)
    known = rows.dropna(subset=[SAID, CAME]).merge(true, on=keys)
    expected = 1 - known["hazard"] * known["part"]
    whole = 1 - known["probability__30d"]
    assert known[SAID].mean() == pytest.approx(expected.mean(), abs=0.01)
    assert known[CAME].mean() == pytest.approx(expected.mean(), abs=0.01)
    assert (known[SAID] - expected).abs().mean() < 0.7 * (whole - expected).abs().mean()


def test_a_back_test_without_terms_says_so(world: Callable[..., Built]) -> None:
    built = world(accounts=120, months=30, seed=4)
    found = backtest(built, CHURN, params=FEW, limit=1)
    (section,) = (each for each in sections(found) if each.caption == "Renewals")
    assert section.rows == ()
    assert "No term ended" in section.words
