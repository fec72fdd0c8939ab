import tracemalloc
from datetime import datetime

import lightgbm
import numpy as np
import pandas as pd
import pytest

from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.fit import BoosterParams, fit_booster, fit_hazard, hazard_rows

SMALL = BoosterParams(trees=10, rows_in_leaf=5)


def rows(text: str) -> pd.DataFrame:
    lines = [line.split() for line in text.strip().splitlines()]
    frame = pd.DataFrame(lines[1:], columns=lines[0]).replace("-", "nan")
    numbers = frame.drop(columns="as_of").astype(float)
    return numbers.assign(as_of=pd.to_datetime(frame["as_of"]).astype("datetime64[us]"))


def expanded(
    frame: pd.DataFrame, border: str, question: Question = CHURN
) -> list[tuple[float, int, int]]:
    """(value of x, interval, outcome) of each row that enters."""
    found = hazard_rows(frame, question, ["x"], datetime.fromisoformat(border), SMALL)
    return [
        (x, int(k), int(y)) for (x, k), y in zip(found.cells[:, :2], found.outcomes, strict=True)
    ]


def test_one_row_becomes_one_row_for_each_interval_up_to_its_event() -> None:
    frame = rows("""
        x  as_of       event_days  observed_days
        1  2024-01-01  100         1000
        2  2024-01-01  -           1000
    """)
    assert expanded(frame, "2026-01-01") == [
        (1, 0, 0),
        (1, 1, 0),
        (1, 2, 1),
        (2, 0, 0),
        (2, 1, 0),
        (2, 2, 0),
        (2, 3, 0),
    ]


def test_a_planted_row_whose_interval_and_grace_cross_the_border_does_not_enter() -> None:
    # 2024-01-01 + 90 days + 30 days of grace = 2024-04-30
    frame = rows("""
        x  as_of       event_days  observed_days
        1  2024-01-01  40          1000
    """)
    assert expanded(frame, "2024-04-29") == [(1, 0, 0)]
    assert expanded(frame, "2024-04-30") == [(1, 0, 0), (1, 1, 1)]


def test_an_early_event_in_an_interval_that_crosses_the_border_does_not_enter() -> None:
    frame = rows("""
        x  as_of       event_days  observed_days
        1  2024-01-01  31          1000
        2  2024-02-25  1           1000
    """)
    assert expanded(frame, "2024-04-20") == [(1, 0, 0)]


def test_nothing_that_happens_after_the_border_changes_the_model() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=900),
            "as_of": pd.Series(pd.date_range("2022-01-01", periods=900, unit="us")),
            "event_days": np.where(rng.random(900) < 0.5, rng.uniform(0, 365, 900), np.nan),
            "observed_days": 2000.0,
        }
    )
    border = datetime(2023, 6, 1)  # noqa: DTZ001 - naive UTC
    before = fit_hazard(frame, CHURN, ["x"], border, SMALL)
    known = (border - frame["as_of"]).dt.days - 30
    is_later = frame["event_days"].fillna(0) >= known.clip(0)
    changed = frame.assign(
        event_days=frame["event_days"].mask(is_later), x=frame["x"].mask(known < 30, 99.0)
    )
    assert is_later.sum() > 100
    assert fit_hazard(changed, CHURN, ["x"], border, SMALL) == before


def test_a_lost_account_stays_at_risk_of_expansion_without_one() -> None:
    frame = rows("""
        x  as_of       event_days  observed_days  competing_days
        1  2024-01-01  -           1000           20
    """)
    assert expanded(frame, "2026-01-01", EXPANSION) == [(1, k, 0) for k in range(4)]


def test_beyond_the_largest_number_rows_without_the_event_are_sampled_and_weighted_up() -> None:
    frame = pd.DataFrame(
        {
            "x": 0.0,
            "as_of": pd.Timestamp("2024-01-01"),
            "event_days": [10.0] * 200 + [np.nan] * 19_800,
            "observed_days": 40.0,
        }
    )
    border = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
    found = hazard_rows(frame, CHURN, ["x"], border, BoosterParams(largest_rows=5000))
    assert found.weights[found.outcomes == 1].tolist() == [1.0] * 200
    assert len(found.weights) == pytest.approx(5000, rel=0.05)
    assert found.weights.sum() == pytest.approx(20_000, rel=0.05)


def test_a_long_interval_weighs_less_since_more_snapshots_see_its_events() -> None:
    frame = rows("""
        x  as_of       event_days  observed_days
        1  2024-01-01  -           1000
    """)
    found = hazard_rows(frame, CHURN, ["x"], datetime(2026, 1, 1), SMALL)  # noqa: DTZ001 - naive
    assert found.weights.tolist() == pytest.approx([1, 30 / 60, 30 / 90, 30 / 185])


def test_laying_rows_out_by_interval_holds_the_matrix_once_and_never_in_float64() -> None:
    random = np.random.default_rng(0)
    names = [f"x{number}" for number in range(50)]
    frame = pd.DataFrame(random.normal(size=(50_000, 50)), columns=names).assign(
        as_of=pd.Timestamp("2024-01-01"), event_days=np.nan, observed_days=1000.0
    )
    many = BoosterParams(largest_rows=1_000_000)
    tracemalloc.start()
    found = hazard_rows(frame, CHURN, names, datetime(2026, 1, 1), many)  # noqa: DTZ001 - naive
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.cells.shape == (200_000, 50 + 3)
    assert found.cells.dtype == np.float32
    second_in_float64 = 2 * found.cells.nbytes
    assert peak < found.cells.nbytes + second_in_float64 / 4


def test_the_same_rows_give_the_same_text() -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(2000, 3)).astype(np.float32)
    outcomes = (rng.random(2000) < 0.2).astype(float)
    first, again = (fit_booster(cells, outcomes, ["a", "b", "c"], SMALL) for _ in range(2))
    assert first == again


def test_a_monotone_column_never_lowers_the_hazard() -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(3000, 1)).astype(np.float32)
    outcomes = (rng.random(3000) < 0.3 + 0.2 * np.sin(3 * cells[:, 0])).astype(float)
    free, risen = (
        lightgbm.Booster(
            model_str=fit_booster(cells, outcomes, ["a"], SMALL, directions=directions)
        ).predict(np.linspace(-2, 2, 200)[:, None])
        for directions in ((0,), (1,))
    )
    assert (np.diff(free) < 0).any()
    assert (np.diff(risen) >= 0).all()
