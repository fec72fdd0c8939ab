import json
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.checked import CheckedSource
from models.bundle import Bundle
from training.monitor import MonitorReport, monitor, stability_index

USERS = "usage__active_users__28d"
ENTRY = {"column": USERS, "subject": "active users"}
ACCOUNTS = 400
Watched = Callable[..., MonitorReport]


@pytest.fixture(scope="module")
def company_of() -> dict[str, str]:
    """400 accounts on 2025-03-01, of which every fifth leaves a month later."""
    accounts = ["account_id created_at"]
    rows = ["subscription_id account_id product mrr started_at ended_at"]
    for number in range(ACCOUNTS):
        ended = "2025-04-01T12:00" if number % 5 == 0 else "-"
        accounts.append(f"a{number} 2024-01-01")
        rows.append(f"s{number} a{number} base 100 2024-01-01 {ended}")
    return {"accounts": "\n".join(accounts), "subscriptions": "\n".join(rows)}


@pytest.fixture
def source(company: Callable[..., CheckedSource], company_of: dict[str, str]) -> CheckedSource:
    return company(company_of, extracted_at="2025-09-01")


def scores(as_of: str, probability: float, spread: float = 0.0) -> pd.DataFrame:
    numbers = np.arange(ACCOUNTS)
    return pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in numbers],
            "as_of": pd.Timestamp(as_of),
            "scored_at": pd.Timestamp(as_of) + pd.Timedelta(hours=6),
            "model": "churn",
            "status": "scored",
            "model_version": "1",
            "horizon_days": 90,
            "probability": probability + spread * (numbers % 5 == 0) + numbers * 1e-6,
        }
    )


def features(middle: float, *, null: float = 0.0, accounts: int = ACCOUNTS) -> pd.DataFrame:
    draws = np.random.default_rng(round(middle)).normal(middle, 10, accounts)
    draws[: round(accounts * null)] = np.nan
    names = [f"a{number}" for number in range(accounts)]
    return pd.DataFrame({"account_id": names, "as_of": pd.Timestamp("2025-01-01"), USERS: draws})


@pytest.fixture
def watched(stumps: Callable[..., Bundle], source: CheckedSource) -> Watched:
    bundle = stumps(
        (USERS, 20.5, 1.0, 0.0),
        catalogue=(ENTRY,),
        as_of_range=(date(2024, 12, 1), date(2025, 2, 1)),
    )

    def watch(
        past: pd.DataFrame,
        before: pd.DataFrame | None = None,
        after: pd.DataFrame | None = None,
    ) -> MonitorReport:
        before = features(50) if before is None else before
        after = features(50.4) if after is None else after
        return monitor(past, source, bundle, before, after)

    return watch


def test_the_index_is_the_one_computed_by_hand() -> None:
    reference = np.arange(1, 101, dtype=float)
    # Half of the rows move from the lower five tenths into the highest one.
    current = np.concatenate([np.full(50, 100.0), np.arange(51, 101)])
    by_hand = (
        5 * (0.0001 - 0.1) * np.log(0.0001 / 0.1)  # five tenths are empty now
        + (0.6 - 0.1) * np.log(0.6 / 0.1)  # the highest holds six times as many
    )
    assert stability_index(reference, current) == pytest.approx(by_hand)
    assert stability_index(reference, reference) == 0.0


def test_nulls_are_a_bin_of_their_own() -> None:
    reference = np.arange(100, dtype=float)
    current = np.concatenate([reference, np.full(100, np.nan)])
    nothing = 0.0001
    by_hand = 10 * (0.05 - 0.1) * np.log(0.5) + (0.5 - nothing) * np.log(0.5 / nothing)
    assert stability_index(reference, current) == pytest.approx(by_hand)


def test_a_column_without_values_on_one_side_has_an_index() -> None:
    full, empty = np.arange(100, dtype=float), np.full(100, np.nan)
    assert stability_index(full, empty) > 1
    assert stability_index(empty, full) > 1
    assert stability_index(empty, empty) == 0.0


def test_a_feature_that_did_not_move_is_steady(watched: Watched) -> None:
    (drift,) = watched(scores("2025-03-01", 0.2)).features
    assert drift.level == "steady"


def test_a_feature_that_moved_is_named_with_its_middles(watched: Watched) -> None:
    (drift,) = watched(scores("2025-03-01", 0.2), after=features(80)).features
    assert drift.level == "far"
    assert drift.sentence.startswith("active users (usage__active_users__28d): far, index ")
    assert "median 5" in drift.sentence
    assert "now 8" in drift.sentence


def test_a_feature_that_went_missing_is_far(watched: Watched) -> None:
    after = features(50).drop(columns=USERS)
    (drift,) = watched(scores("2025-03-01", 0.2), after=after).features
    assert drift.level == "far"
    assert "not there any more" in drift.sentence


def test_only_the_dates_that_the_model_learned_from_are_the_reference(watched: Watched) -> None:
    later = features(80).assign(as_of=pd.Timestamp("2025-02-01"))
    before = pd.concat([features(50), later])
    (drift,) = watched(scores("2025-03-01", 0.2), before=before).features
    assert drift.level == "steady"


def test_new_nulls_are_drift(watched: Watched) -> None:
    (drift,) = watched(scores("2025-03-01", 0.2), after=features(50, null=0.4)).features
    assert drift.level == "far"
    assert "null 0%, now 40%" in drift.sentence


def test_chance_alone_is_no_drift(watched: Watched) -> None:
    few = [features(50 + shift / 100, accounts=60) for shift in (0, 60)]
    (drift,) = watched(scores("2025-03-01", 0.2), *few).features
    assert drift.index is not None
    assert drift.index > 0.1
    assert drift.level == "steady"


def test_too_few_accounts_are_no_ground_for_a_verdict(watched: Watched) -> None:
    few = features(90, accounts=20)
    (drift,) = watched(scores("2025-03-01", 0.2), after=few).features
    assert (drift.index, drift.level) == (None, "unknown")


def test_scores_that_jump_within_one_version_are_drift(watched: Watched) -> None:
    past = pd.concat([scores("2025-03-01", 0.2), scores("2025-08-01", 0.6)])
    (drift,) = watched(past).scores
    assert (drift.column, drift.level) == ("probability__90d", "far")
    past["model_version"] = np.where(past["as_of"] < "2025-08-01", "0", "1")
    (other,) = watched(past).scores
    assert other.level == "unknown"


def test_calibration_counts_what_came_true(watched: Watched) -> None:
    (found,) = watched(scores("2025-03-01", 0.2)).calibration
    assert (found.horizon_days, found.rows, found.events) == (90, 400, 80)
    assert found.expected == pytest.approx(80.08, abs=0.01)
    assert "in line" in found.sentence


@pytest.mark.parametrize(("said", "verdict"), [(0.05, "too low"), (0.5, "too high")])
def test_probabilities_that_do_not_come_true_are_said(
    watched: Watched, said: float, verdict: str
) -> None:
    (found,) = watched(scores("2025-03-01", said)).calibration
    assert f"the probabilities are {verdict}" in found.sentence


def test_scores_that_rank_the_leavers_first_have_an_auc_of_one(watched: Watched) -> None:
    (found,) = watched(scores("2025-03-01", 0.1, spread=0.5)).calibration
    assert found.figures["auc"]["value"] == 1.0


def test_scores_too_young_to_judge_are_said(watched: Watched) -> None:
    (found,) = watched(scores("2025-08-01", 0.2)).calibration
    assert (found.rows, found.events) == (0, 0)
    assert found.sentence == "At 90 days no past score is old enough to be judged."


def test_without_past_scores_only_features_are_compared(watched: Watched) -> None:
    report = watched(scores("2025-03-01", 0.2).iloc[:0])
    assert (report.scores, report.calibration) == ((), ())
    assert len(report.features) == 1


def test_the_report_reads_as_text_and_as_strict_json(watched: Watched) -> None:
    report = watched(scores("2025-08-01", 0.2), after=features(80))
    assert report.text().startswith("churn: 1 of 1 features are far from training, 0 have moved.")
    text = json.dumps(report.to_json(), allow_nan=False)
    assert json.loads(text)["features"][0]["level"] == "far"


def test_scores_of_dates_that_the_model_learned_from_do_not_count(watched: Watched) -> None:
    learned, border = (scores(day, 0.2) for day in ("2025-01-31", "2025-02-01"))
    report = watched(pd.concat([learned, border]))
    assert [found.rows for found in report.calibration] == [ACCOUNTS]
    assert (report.left_aside.learned, report.left_aside.late) == (ACCOUNTS, 0)
    assert "Left aside are 400 scores as of dates before 2025-02-01" in report.text()
    assert report.to_json()["left_aside"]["learned"] == ACCOUNTS


def test_scores_made_when_their_window_was_over_do_not_count(watched: Watched) -> None:
    past = scores("2025-03-01", 0.2)
    # 90 days after 2025-03-01 it is 2025-05-30.
    past.loc[:99, "scored_at"] = pd.Timestamp("2025-05-30")
    past.loc[100:, "scored_at"] = pd.Timestamp("2025-05-29 23:59")
    report = watched(past)
    assert [found.rows for found in report.calibration] == [300]
    assert (report.left_aside.learned, report.left_aside.late) == (0, 100)
    assert "100 that were made when their own window was over" in report.text()


def test_a_report_on_forecasts_alone_leaves_nothing_aside(watched: Watched) -> None:
    report = watched(scores("2025-03-01", 0.2))
    assert (report.left_aside.learned, report.left_aside.late) == (0, 0)
    assert "Left aside" not in report.text()
