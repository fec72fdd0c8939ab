import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import GateError
from models.audit_checks import CHECKS
from models.bundle import Bundle
from models.calibration import Calibration
from models.gate import GateReport
from models.golden import golden_set
from training.gates import Limits, Trial, decide

EVENTS = "usage__events__28d"
BORDER = date(2024, 6, 1)
COMPARED = ("log_loss", "caught_arr", "segments")
GATES = ("loads", "golden_set", "later_period", *COMPARED, "calibration", "age", "audit")
Make = Callable[..., Trial]


def log_odds_of(monthly: float) -> float:
    """The log odds of the hazard of each of two intervals that give this share in 90 days."""
    hazard = 1 - (1 - monthly) ** 0.5
    return float(np.log(hazard / (1 - hazard)))


def later_rows(groups: int = 200) -> pd.DataFrame:
    """Each account once: half of them silent, of which 4 in 10 leave; of the others 1 in 10."""
    at = np.arange(groups)
    silent = at % 2 == 0
    leaves = np.where(silent, at // 2 % 10 < 4, at // 2 % 10 < 1)
    return pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in at],
            "as_of": pd.Timestamp("2024-07-01"),
            "customer_group": [f"g{number}" for number in at],
            "mrr": 100.0,
            "tier": np.where(at < groups / 2, "high", "low"),
            "segment": "smb",
            "region": None,
            EVENTS: np.where(silent, 0.0, 90.0),
            "event_days": np.where(leaves, 45.0, np.nan),
            "observed_days": 400.0,
        }
    )


@pytest.fixture
def model(stumps: Callable[..., Bundle]) -> Callable[..., Bundle]:
    def make(silent: float = 0.4, others: float = 0.1, **fields: object) -> Bundle:
        cut = (EVENTS, 40.0, log_odds_of(silent), log_odds_of(others))
        base_rates = dict.fromkeys((30, 90, 180, 365), 0.25)
        given = {"as_of_range": (date(2023, 1, 1), BORDER), "base_rates": base_rates}
        return stumps(cut, **(given | fields))

    return make


@pytest.fixture
def trial(model: Callable[..., Bundle], trial_of: Make) -> Make:
    def make(challenger: Bundle | None = None, **fields: Any) -> Trial:
        return trial_of(challenger or model(), **({"rows": later_rows()} | fields))

    return make


def refused(trial: Trial) -> dict[str, str]:
    report = decide(trial)
    assert report.passed == all(gate.passed for gate in report.gates)
    return {gate.name: gate.sentence for gate in report.gates if not gate.passed}


def test_the_first_model_passes_when_it_beats_the_base_rate(trial: Make) -> None:
    report = decide(trial())
    assert report.passed
    assert report.champion is None
    assert tuple(gate.name for gate in report.gates) == GATES


def test_the_figures_are_those_computed_by_hand(trial: Make) -> None:
    gates = {gate.name: gate.figures for gate in decide(trial()).gates}
    own = -(0.4 * np.log(0.4) + 0.6 * np.log(0.6) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)) / 2
    base = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert gates["log_loss"]["challenger"] == pytest.approx(own, abs=1e-6)
    assert gates["log_loss"]["rival"] == pytest.approx(base, abs=1e-6)
    assert gates["log_loss"]["difference"] == pytest.approx(own - base, abs=1e-6)
    assert gates["calibration"] == pytest.approx(
        {"observed_to_expected": 1.0, "slope": 1.0}, abs=1e-3
    )
    sizes = {"rows": 200, "events": 50, "without": 150, "groups": 200, "event_groups": 50}
    assert gates["later_period"] == sizes


def test_a_first_model_no_better_than_the_base_rate_is_refused(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    assert "log_loss" in refused(trial(model(0.25, 0.25)))


def test_a_challenger_as_good_as_the_champion_passes(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    report = decide(trial(champion=model(0.38, 0.12)))
    assert report.passed
    assert report.champion == "1"


def test_a_worse_challenger_is_refused(trial: Make, model: Callable[..., Bundle]) -> None:
    assert set(refused(trial(model(0.25, 0.22), champion=model()))) >= {"log_loss"}


def test_how_much_worse_it_may_be_is_a_limit(trial: Make, model: Callable[..., Bundle]) -> None:
    slightly_worse = model(0.32, 0.16)
    lenient, strict = Limits(worse_by=0.2), Limits(worse_by=0.0)
    assert "log_loss" not in refused(trial(slightly_worse, champion=model(), limits=lenient))
    assert "log_loss" in refused(trial(slightly_worse, champion=model(), limits=strict))


def figures(trial: Trial, name: str) -> dict[str, float]:
    (gate,) = (gate for gate in decide(trial).gates if gate.name == name)
    return dict(gate.figures)


def test_the_share_of_arr_on_its_list_is_that_computed_by_hand(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    rows = later_rows().assign(mrr=np.arange(200.0))
    # the silent have four times the probability, so that the list holds the 20 richest of them
    listed = rows["account_id"].isin([f"a{number}" for number in range(160, 200, 2)])
    left = rows["event_days"].notna()
    by_hand = rows.loc[left & listed, "mrr"].sum() / rows.loc[left, "mrr"].sum()
    assert figures(trial(rows=rows), "caught_arr")["challenger"] == pytest.approx(by_hand)
    same = figures(trial(rows=rows, champion=model()), "caught_arr")
    assert (same["difference"], same["low"], same["high"]) == (0, 0, 0)


def test_a_list_that_catches_less_arr_than_the_champions_is_refused(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    upside_down = trial(model(0.1, 0.4), champion=model())
    assert "caught_arr" in refused(upside_down)
    assert figures(upside_down, "caught_arr")["difference"] < -0.1
    lenient = trial(model(0.1, 0.4), champion=model(), limits=Limits(caught_worse_by=1.0))
    assert "caught_arr" not in refused(lenient)
    assert "mrr" in refused(trial(rows=later_rows().drop(columns="mrr")))["caught_arr"]


def test_a_model_that_fails_in_one_part_of_the_customers_is_refused(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    rows, bold = later_rows(), model(0.7, 0.02)
    is_low = (rows["tier"] == "low").to_numpy()
    turned = np.where(rows[EVENTS] > 0, 0.0, 90.0)  # which the model takes the wrong way
    rows[EVENTS] = np.where(is_low, turned, rows[EVENTS])
    named = refused(trial(bold, rows=rows))["segments"]
    assert "in tier low: Log loss" in named
    assert "tier high" not in named
    assert "segments" not in refused(trial(bold, rows=rows[~is_low]))
    lenient = Limits(segment_worse_by=10.0)
    assert "segments" not in refused(trial(bold, rows=rows, limits=lenient))


def test_parts_with_few_events_count_together(trial: Make) -> None:
    many = later_rows().assign(tier=[f"t{number}" for number in range(200)])
    assert figures(trial(rows=many), "segments")["parts"] == 3
    assert figures(trial(), "segments")["parts"] == 4
    assert "region" in refused(trial(rows=many.drop(columns="region")))["segments"]


def test_a_model_far_older_than_the_known_outcomes_is_refused(trial: Make) -> None:
    rows = later_rows()
    rows.loc[0, "as_of"] = pd.Timestamp("2025-06-01")
    assert "age" not in refused(trial(rows=rows))
    rows.loc[0, "as_of"] = pd.Timestamp("2025-06-02")
    assert "366 days later" in refused(trial(rows=rows))["age"]
    rows.loc[0, ["event_days", "observed_days"]] = np.nan, 89.0  # what came is not known
    assert "age" not in refused(trial(rows=rows))


def test_a_model_that_is_younger_than_all_known_outcomes_is_refused(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    last = later_rows()["as_of"].max().date()
    assert "age" not in refused(trial(model(as_of_range=(date(2023, 1, 1), last))))
    newer = model(as_of_range=(date(2023, 1, 1), date(2026, 9, 22)))
    assert "only, 813 days before that: they are older" in refused(trial(newer))["age"]


@pytest.mark.parametrize(
    ("silent", "others"), [(0.9, 0.6), (0.12, 0.03), (0.97, 0.004)], ids=["high", "low", "bold"]
)
def test_probabilities_far_from_the_outcomes_are_refused(
    trial: Make, model: Callable[..., Bundle], silent: float, others: float
) -> None:
    assert "calibration" in refused(trial(model(silent, others), champion=model(silent, others)))


def test_neither_model_may_have_learned_from_the_period(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    newer = model(as_of_range=(date(2023, 1, 1), date(2024, 7, 2)))
    assert "later_period" in refused(trial(newer))
    assert "later_period" in refused(trial(champion=newer))


def test_a_row_on_the_border_counts_and_an_unknown_outcome_does_not(trial: Make) -> None:
    rows = later_rows()
    rows["as_of"] = pd.Timestamp(BORDER)
    rows.loc[:19, "observed_days"] = 89.0
    figures = {gate.name: gate.figures for gate in decide(trial(rows=rows)).gates}
    assert figures["later_period"]["rows"] == 180


def test_too_few_events_are_refused(trial: Make) -> None:
    rows = later_rows()
    rows.loc[rows["event_days"].notna().cumsum() > 19, "event_days"] = np.nan
    assert "19 events" in refused(trial(rows=rows))["later_period"]


def test_too_few_customer_groups_are_refused(trial: Make) -> None:
    rows = later_rows().assign(customer_group=[f"g{number % 10}" for number in range(200)])
    assert "10 customer groups" in refused(trial(rows=rows))["later_period"]


def test_one_group_many_times_over_makes_the_interval_wider(trial: Make) -> None:
    rows = later_rows()
    clustered = rows.assign(customer_group=[f"g{number // 8}" for number in range(200)])

    def width(each: pd.DataFrame) -> float:
        figures = {gate.name: gate.figures for gate in decide(trial(rows=each)).gates}["log_loss"]
        return figures["high"] - figures["low"]

    assert width(pd.concat([clustered] * 8)) > 1.5 * width(
        pd.concat([rows] * 8).reset_index().assign(customer_group=range(1600))
    )


HARMLESS = {"column": "country", "blocking": False, "message": "It is constant."}
LEAK = {
    "column": EVENTS,
    "blocking": True,
    "message": "cancel_date decides it.",
    "standing": "open",
}


def test_a_blocking_finding_of_the_audit_is_refused_with_its_message_and_its_name(
    trial: Make,
) -> None:
    assert not refused(trial(audit=[HARMLESS]))
    said = f"cancel_date decides it. To take that on: --accept {EVENTS}."
    assert refused(trial(audit=[HARMLESS, LEAK])) == {"audit": said}


def test_a_finding_that_somebody_takes_on_by_name_stops_nothing(trial: Make) -> None:
    assert not refused(trial(audit=[LEAK | {"standing": "accepted"}]))
    report = decide(trial(audit=[LEAK], accept=[EVENTS]))
    (gate,) = (gate for gate in report.gates if gate.name == "audit")
    assert gate.passed
    assert gate.sentence.endswith(f"Taken on by name, or left out: {EVENTS}.")
    assert "audit" in refused(trial(audit=[LEAK], accept=["train_and_now"]))


def test_what_is_taken_on_must_be_the_name_of_a_finding(trial: Make) -> None:
    assert "got contry" in refused(trial(audit=[HARMLESS], accept=["contry"]))["audit"]


def test_a_column_said_to_be_left_out_stops_a_model_that_uses_it(trial: Make) -> None:
    left_out = LEAK | {"standing": "left out"}
    assert "audit" in refused(trial(audit=[left_out]))
    assert not refused(trial(audit=[left_out | {"column": "why"}]))


def test_an_audit_that_left_a_check_out_is_refused(trial: Make) -> None:
    said = refused(trial(audit_checks=dict.fromkeys(CHECKS[:-1], "Looked at.")))["audit"]
    assert "without the checks train_and_now" in said
    assert "audit" in refused(trial(audit_checks={}))


def test_a_model_that_answers_its_golden_set_otherwise_is_refused(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    bundle = model()
    golden = golden_set(bundle)
    calibrated = replace(bundle, calibration=Calibration((1e-9,) * 4))
    said = refused(trial(registered=lambda: (calibrated, golden)))
    assert set(said) == {"golden_set"}
    assert "1e-12 is allowed" in said["golden_set"]
    other_trees = model(0.4, 0.1001)
    assert set(refused(trial(registered=lambda: (other_trees, golden)))) == {"golden_set"}
    assert "No golden set was kept" in refused(trial(registered=None))["golden_set"]


def test_every_gate_refuses_when_the_challenger_does_not_load(trial: Make) -> None:
    broken = trial()
    (broken.challenger / "booster.txt").write_text("tree")
    failed = refused(broken)
    assert set(failed) == set(GATES) - {"audit"}
    assert "manifest" in failed.pop("loads")
    assert set(failed.values()) == {"It could not be computed, for the same reason as loads."}


def test_a_feature_that_only_the_champion_knows_is_refused(
    trial: Make, stumps: Callable[..., Bundle]
) -> None:
    failed = refused(trial(champion=stumps(("support__open_tickets", 1.0, 0.0, 1.0))))
    assert "support__open_tickets" in failed["log_loss"]


def test_a_missing_feature_is_told_once(trial: Make) -> None:
    failed = refused(trial(rows=later_rows().drop(columns=EVENTS)))
    assert [name for name, sentence in failed.items() if EVENTS in sentence] == ["loads"]
    assert failed["log_loss"] == "It could not be computed, for the same reason as loads."


def test_a_refusal_ends_each_sentence_once_and_keeps_only_a_champion_that_is_there(
    trial: Make, model: Callable[..., Bundle]
) -> None:
    def told(report: GateReport) -> str:
        with pytest.raises(GateError) as refusal:
            report.demand()
        return str(refusal.value)

    first = told(decide(trial(model(0.25, 0.25))))
    assert "must lie below 0; calibration" in first
    assert first.endswith("is asked for). Train again.")
    later = told(decide(trial(model(0.25, 0.22), champion=model())))
    assert later.endswith(" Train again, or keep the champion.")
    assert ".." not in first + later


def test_a_champion_of_another_question_is_refused(
    trial: Make, stumps: Callable[..., Bundle]
) -> None:
    other = stumps((EVENTS, 40.0, 1.0, 0.0), model="expansion")
    assert "one question" in refused(trial(champion=other))["loads"]


def test_a_bundle_of_another_model_is_refused(trial: Make) -> None:
    assert "of churn" in refused(trial(model="expansion"))["loads"]


def test_probabilities_that_are_not_numbers_are_refused(
    trial: Make, model: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_: Bundle, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        return np.full((len(rows), 4), np.nan)

    monkeypatch.setattr(Bundle, "probabilities", nothing)
    assert set(refused(trial(champion=model()))) == set(GATES) - {"later_period", "age", "audit"}


def test_a_base_rate_that_is_not_a_number_is_refused(
    trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "base_rate", lambda *_: float("nan"))
    assert "is not a number" in refused(trial())["log_loss"]


def test_rows_without_labels_are_refused(trial: Make) -> None:
    failed = refused(trial(rows=later_rows().drop(columns="event_days")))
    assert "KeyError" in failed["loads"]
    assert "loads" in failed["later_period"]


def test_no_rows_are_refused(trial: Make) -> None:
    assert "later_period" in refused(trial(rows=later_rows().iloc[:0]))


def test_an_audit_finding_without_a_verdict_is_refused(trial: Make) -> None:
    assert (
        "could not be computed" in refused(trial(audit=[{"column": "x", "message": "?"}]))["audit"]
    )


def test_the_report_reads_as_text_and_as_json(trial: Make) -> None:
    report = decide(trial(rows=later_rows().iloc[:30]))
    assert "FAIL  later_period" in report.text()
    assert "churn 2 against the plain baselines: stays challenger." in report.text()
    assert json.loads(json.dumps(report.to_json()))["passed"] is False
    assert not replace(report, gates=()).passed
