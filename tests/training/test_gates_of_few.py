"""A company of which a few leave a quarter: past dates count, and a gate still refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.built import Built
from features.errors import ModelError
from features.home import Home
from models.bundle import Bundle
from models.churn import CHURN
from models.gate import Gate, GateReport
from models.registry import Registry
from training.evidence import Way, joined, past_evidence
from training.fit import BoosterParams, LinearParams, recorded_params
from training.gates import Limits, Trial, decide
from training.later import folds
from training.prepare import labelled_rows
from training.register import judge, register
from training.run import Trained, train
from training.slices import described
from training.splits import outcome_known_by

Make = Callable[..., Trial]
SHY = replace(CHURN, fewest_event_accounts=5)
NOT_AUDITED = ("later_rows",)  # without declared features
BOLD = BoosterParams(trees=300, leaves=31, rows_in_leaf=1, l2=0.0, learning_rate=0.3)


@pytest.fixture(scope="module")
def company(world: Callable[..., Built]) -> Built:
    return world(accounts=35, months=30, seed=3)


@pytest.fixture(scope="module")
def trained(company: Built) -> Trained:
    return train(company, CHURN)


@pytest.fixture(scope="module")
def rows(company: Built) -> pd.DataFrame:
    return described(labelled_rows(company, CHURN), company.source)


@pytest.fixture
def trial(trained: Trained, rows: pd.DataFrame, trial_of: Make) -> Make:
    def make(bundle: Bundle = trained.bundle, **fields: Any) -> Trial:
        usual = {"rows": rows, "ways": lambda: (way(trained), None)}
        return trial_of(bundle, **(usual | fields))

    return make


def way(trained: Trained, params: Any = None) -> Way:
    return Way.of(trained.bundle, params or recorded_params(trained.params))


def gate(report: GateReport, name: str) -> Gate:
    (found,) = (each for each in report.gates if each.name == name)
    return found


def lost(rows: pd.DataFrame) -> int:
    return rows.loc[rows["event_days"] < 90, "customer_group"].nunique()


def test_a_company_that_loses_few_promotes_a_model_that_past_dates_bear_out(
    trial: Make, rows: pd.DataFrame
) -> None:
    assert lost(rows) < 50
    without = decide(trial(ways=None))
    assert "11 events" in gate(without, "later_period").sentence
    assert not without.passed
    report = decide(trial())
    assert report.passed, report.text()
    told = gate(report, "later_period")
    assert told.figures["past_dates"] == 6
    assert told.figures["later_events"] == 11
    assert f"{told.figures['event_groups']:.0f} customers among" in told.sentence
    assert "intervals are wide" in told.sentence


def test_a_company_of_twenty_losses_is_refused_for_its_model_and_not_for_its_size(
    trial: Make, world: Callable[..., Built]
) -> None:
    company = world(accounts=35, months=30, seed=2)
    its = train(company, CHURN)
    rows = described(labelled_rows(company, CHURN), company.source)
    assert 15 <= lost(rows) <= 30
    report = decide(trial(its.bundle, rows=rows, ways=lambda: (way(its), None)))
    assert gate(report, "later_period").passed
    assert not gate(report, "log_loss").passed
    assert "all of the interval must lie below 0" in gate(report, "log_loss").sentence


def test_its_rows_are_those_of_past_dates_and_the_later_ones_each_once(
    trial: Make, rows: pd.DataFrame
) -> None:
    tried = trial()
    used = tried.evidence
    assert not used.rows.duplicated(["account_id", "as_of"]).any()
    past = used.rows["as_of"] < tried.border
    by_hand = folds(rows, SHY, tried.border, 6)
    assert past.sum() == sum(len(fold.tested) for fold in by_hand)
    assert (used.rows[~past]["account_id"].to_numpy() == tried.later["account_id"]).all()
    assert (used.own[~past.to_numpy()] == tried.probabilities).all()


def test_what_is_known_only_later_moves_no_past_answer(
    trial: Make, trained: Trained, rows: pd.DataFrame
) -> None:
    border = trial().border
    first = folds(rows, SHY, border, 6)[0]
    known_by = first.split.test_from - pd.Timedelta(days=CHURN.grace_days)
    moments = rows["as_of"] + pd.to_timedelta(rows["event_days"], unit="D")
    unknowing = rows.assign(event_days=rows["event_days"].where(moments < known_by))
    unknowing.loc[unknowing["as_of"] >= first.split.test_from, "event_days"] = rows["event_days"]

    def said(table: pd.DataFrame) -> np.ndarray:
        found = past_evidence(table, SHY, border, way(trained), None)
        assert found is not None
        return found.own[(found.rows["as_of"] < first.split.test_until).to_numpy()]

    assert (said(unknowing) == said(rows)).all()


def test_its_rival_without_a_champion_is_the_base_rate_of_each_date(
    trial: Make, trained: Trained, rows: pd.DataFrame
) -> None:
    border = trial().border
    used = past_evidence(rows, SHY, border, way(trained), None)
    assert used is not None
    by_hand = [
        np.full(
            len(fold.tested),
            np.nanmean(outcome_known_by(fold.rows, 90, fold.split.test_from, CHURN)),
        )
        for fold in folds(rows, SHY, border, 6)
    ]
    assert used.rival == pytest.approx(np.concatenate(by_hand))


def test_a_challenger_fitted_in_a_worse_way_than_the_champion_is_refused(
    trial: Make, trained: Trained
) -> None:
    champion = trained.bundle.with_version("1")
    same = trial(champion=champion, ways=lambda: (way(trained), way(trained)))
    assert decide(same).passed
    assert gate(decide(same), "log_loss").figures["difference"] == 0
    worse = trial(champion=champion, ways=lambda: (way(trained, BOLD), way(trained)))
    assert not gate(decide(worse), "log_loss").passed


def test_a_first_model_fitted_in_a_way_that_knows_nothing_is_refused(
    trial: Make, trained: Trained
) -> None:
    report = decide(trial(ways=lambda: (way(trained, LinearParams(spread=1e-9)), None)))
    assert not gate(report, "log_loss").passed


def test_a_model_that_fails_where_its_way_of_fitting_does_well_is_refused(
    trial: Make, trained: Trained
) -> None:
    kept = trained.bundle.calibration
    raised = replace(kept, intercepts=tuple(each + 4 for each in kept.intercepts))
    champion = trained.bundle.with_version("1")
    both = {"champion": champion, "ways": lambda: (way(trained), way(trained))}

    def log_loss(worse_by: float) -> Gate:
        tried = trial(replace(trained.bundle, calibration=raised), limits=Limits(worse_by=worse_by))
        return gate(decide(replace(tried, **both)), "log_loss")

    found = log_loss(0.0).figures
    assert found["high"] < found["later_low"]
    # as much worse as all dates together would bear: the later ones alone would not
    between = (found["high"] + found["later_low"]) / 2 / found["rival"]
    assert not log_loss(between).passed
    assert "On the later rows alone" in log_loss(between).sentence
    assert log_loss(1.01 * found["later_low"] / found["rival"]).passed


def test_below_the_stated_number_of_customers_it_refuses_in_a_clear_sentence(
    trial: Make,
) -> None:
    report = decide(trial(limits=Limits(event_groups=15)))
    told = gate(report, "later_period")
    assert told.figures["event_groups"] == 14
    assert not told.passed
    assert "14 customers among" in told.sentence
    assert "(at least 20, 15 and 20 are asked for)" in told.sentence


def test_past_dates_count_for_nothing_where_many_have_the_event(
    trial: Make, rows: pd.DataFrame
) -> None:
    report = decide(trial(limits=Limits(few_groups=lost(rows))))
    told = gate(report, "later_period")
    assert not told.passed
    assert "past_dates" not in told.figures
    assert decide(trial(limits=Limits(few_groups=lost(rows) + 1))).passed


def test_a_company_without_a_past_date_to_ask_about_is_judged_by_the_later_rows(
    trial: Make, rows: pd.DataFrame
) -> None:
    border = trial().border
    young = rows[rows["as_of"] >= border - pd.Timedelta(days=100)]
    told = gate(decide(trial(rows=young)), "later_period")
    assert not told.passed
    assert told.sentence.endswith("(at least 20 and 20 are asked for).")


def test_a_way_that_is_not_on_record_is_refused(trial: Make) -> None:
    def unknown() -> tuple[Way, None]:
        raise ModelError("Expected a record of what churn 2 was made from, got none.")

    report = decide(trial(ways=unknown))
    assert not report.passed
    assert "Expected a record" in gate(report, "later_period").sentence


def test_from_the_registry_it_is_judged_by_the_settings_on_record_and_promoted(
    trial: Make, trained: Trained, rows: pd.DataFrame, tmp_path: Path
) -> None:
    registry = Registry(Home(tmp_path / "home"))
    version = register(trained, registry).version
    report = judge("churn", version, registry, rows, accept=NOT_AUDITED)
    assert report.passed, report.text()
    by_hand = gate(decide(trial()), "log_loss").figures
    assert gate(report, "log_loss").figures == by_hand
    registry.promote("churn", version, report)
    again = judge("churn", register(trained, registry).version, registry, rows, accept=NOT_AUDITED)
    assert again.passed, again.text()
    assert gate(again, "log_loss").figures["difference"] == 0


def test_evidence_of_several_dates_is_counted_together(trial: Make) -> None:
    used = trial().evidence
    twice = joined((used, used))
    assert twice.past_dates == 2 * used.past_dates
    assert len(twice.rows) == len(twice.own) == len(twice.rival) == 2 * len(used.rows)
