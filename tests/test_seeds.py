"""The page on companies of many seeds: its verdicts, from figures made up by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.bounds import MANY, MANY_SEEING, OWN, share
from benchmarks.companies import HIDDEN, hidden_states
from benchmarks.seeds import _apart, _asked, _held
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from training.oracle import read_truth

WORSE, UNSURE, BETTER = (
    {"log_loss": dict(zip(("low", "value", "high"), each, strict=True))}
    for each in ((0.01, 0.02, 0.03), (-0.01, 0.0, 0.01), (-0.03, -0.02, -0.01))
)


def scored(outcomes: list[int], said: list[float], oracle: list[float]) -> pd.DataFrame:
    """Give tested rows of monthly accounts, which can all leave."""
    return pd.DataFrame(
        {
            "customer_group": [f"g{number}" for number in range(len(outcomes))],
            "as_of": pd.Timestamp("2025-01-01"),
            "term_ends_at": pd.NaT,
            "term_months": 1,
            "outcome__90d": np.array(outcomes, dtype=float),
            "probability__90d": said,
            "oracle": oracle,
        }
    )


def test_the_share_is_of_the_oracles_skill_on_the_same_rows() -> None:
    # pairs in order: 3 of 4 by the model, 4 of 4 by the oracle: (.75 - .5) / (1 - .5)
    rows = scored([1, 1, 0, 0], [0.9, 0.3, 0.4, 0.1], [0.9, 0.8, 0.2, 0.1])
    assert share(rows, CHURN) == pytest.approx(0.5)


def test_accounts_that_cannot_leave_yet_are_left_out_of_the_share() -> None:
    rows = scored([1, 1, 0, 0, 0], [0.9, 0.3, 0.4, 0.1, 0.95], [0.9, 0.8, 0.2, 0.1, 0.0])
    bound = rows.assign(term_months=[1, 1, 1, 1, 12])
    bound["term_ends_at"] = pd.to_datetime([None, None, None, None, "2025-12-01"])
    assert share(bound, CHURN) == pytest.approx(0.5)


def test_a_company_and_an_origin_are_counted_once_however_many_baselines_are_better() -> None:
    fine = {"above_baselines": {"a": BETTER, "b": BETTER}}
    poor = {"above_baselines": {"a": WORSE, "b": WORSE}}
    dim = {"above_baselines": {"a": BETTER, "b": UNSURE}}
    (pooled, origins) = _held(
        [{**fine, "by_origin": [fine, dim]}, {**dim, "by_origin": [poor, dim]}]
    )
    assert pooled[2:] == ["1 of 2", "**no**"]
    assert origins[2:] == ["1 of 4", "**no**"]


def test_what_is_better_throughout_is_reached() -> None:
    fine = {"above_baselines": {"a": BETTER, "none": None}}
    assert [line[3] for line in _held([{**fine, "by_origin": [fine]}])] == ["yes", "yes"]


def test_a_share_below_the_asked_one_is_not_reached() -> None:
    rows = scored([1, 0, 1, 0] * 10, [0.6, 0.4, 0.7, 0.5] * 10, [0.9, 0.1, 0.8, 0.2] * 10)
    assert _asked([rows], {OWN: [0.86, 0.82]}, CHURN)[0][3] == "**no**"
    assert _asked([rows], {OWN: [0.86, 0.84]}, CHURN)[0][2:4] == [
        "85.0% (standard error 1.0%)",
        "yes",
    ]


def test_the_oracles_own_calibration_stands_beside_the_models() -> None:
    rows = scored([1, 0, 0, 0] * 10, [0.5] * 40, [0.25] * 40)
    _, _, ratio, error = _asked([rows], {OWN: [0.86]}, CHURN)
    assert (ratio[2], ratio[4]) == ("0.50 (each alone 0.50 to 0.50)", "1")
    assert (error[2], error[4]) == ("1.000 (each alone 1.000 to 1.000)", "0")


def test_what_companies_have_too_many_and_too_few_of_is_told_beside_what_is_pooled() -> None:
    # 8 of 40 came and 4 of 40, where 6 of 40 were expected of each: the pool is right.
    many, few = (
        scored([*[1] * came, *[0] * (40 - came)], [0.15] * 40, [0.15] * 40) for came in (8, 4)
    )
    _, _, ratio, error = _asked([many, few], {OWN: [0.86, 0.84]}, CHURN)
    assert ratio[0].endswith(", pooled")
    assert ratio[2] == "1.00 (each alone 0.67 to 1.33)"
    # 0.05 off over a share of 0.2, and of 0.1
    assert error[2:4] == ["0.000 (each alone 0.250 to 0.500)", "yes"]


def test_what_is_missing_is_parted_so_that_it_adds_up() -> None:
    found = {OWN: [0.8], MANY: [0.85], MANY_SEEING: [0.95]}
    assert _apart(found) == (
        "Of the 20.0% that are missing, 5.0% are for too few accounts, 10.0% for what the tables "
        "do not show, and 5.0% for the model."
    )


def test_what_is_hidden_is_told_of_each_account_and_month_by_numbers(tmp_path: Path) -> None:
    simulate(tmp_path, accounts=20, months=6)
    found, truth = hidden_states(tmp_path), read_truth(tmp_path)
    assert len(found) == len(truth.states)
    told = found.drop(columns=["account_id", "as_of"])
    assert all(name.startswith(HIDDEN) for name in told)
    assert told.notna().all(axis=None)
    assert found[f"{HIDDEN}value"].tolist() == truth.states["value"].astype("float32").tolist()
    left = truth.states["term_end"] - truth.states["month"]
    assert found[f"{HIDDEN}term_end"].tolist() == left.tolist()
