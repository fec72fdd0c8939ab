"""Tuning on small companies whose hazard is known, by a clock that ticks once for each look."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from numpy.typing import NDArray
from optuna import load_study
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from features.built import Built
from features.errors import TooLittleDataError
from features.home import Home
from models.churn import CHURN
from models.record import Training
from models.registry import Registry
from training.fit import BoosterParams, recorded_params
from training.later import folds, losses
from training.prepare import features_of, labelled_rows
from training.run import Trained, train
from training.tune import SPACE, Budget, Look, Tuned, tune

QUESTION = replace(CHURN, horizons_days=(30, 90), fewest_event_accounts=5)
POOR = BoosterParams(trees=2, learning_rate=0.9, leaves=60, rows_in_leaf=1, l2=0.0)


@pytest.fixture(scope="module")
def company(world: Callable[..., Built]) -> Built:
    return world(accounts=80, months=24, seed=6)


@pytest.fixture(scope="module")
def looks(company: Built) -> list[Look]:
    past = folds(labelled_rows(company, QUESTION), QUESTION, company.source.extracted_at, 2)
    return [partial(losses, fold, features_of(company, QUESTION)) for fold in past]


def ticking() -> Callable[[], float]:
    """Give a clock by which each trial takes one minute: it is looked at before and after."""
    ticks: Iterator[int] = count()
    return lambda: 60.0 * next(ticks)


def search(looks: Sequence[Look], folder: Path, minutes: float, **about: str) -> Tuned:
    return tune(looks, Budget(minutes, folder, ticking()), about=about)


def settings(found: Tuned) -> list[dict[str, float]]:
    return [dict(trial.parameters) for trial in found.trials]


@pytest.fixture(scope="module")
def whole(looks: list[Look], tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Eleven trials in one go."""
    return search(looks, tmp_path_factory.mktemp("whole"), 11)


def test_the_default_is_tried_first_and_nothing_worse_is_chosen(whole: Tuned) -> None:
    default = BoosterParams()
    assert settings(whole)[0] == {name: getattr(default, name) for name in SPACE}
    best = min(trial.log_losses[-1] for trial in whole.trials if trial.is_whole)
    chosen = [trial for trial in whole.trials if trial.parameters["l2"] == whole.params.l2]
    assert [trial.log_losses[-1] for trial in chosen] == [best]
    assert best <= whole.trials[0].log_losses[-1]


def test_it_stops_when_the_minutes_are_spent(whole: Tuned) -> None:
    assert len(whole.trials) == 11
    assert {trial.seconds for trial in whole.trials} == {60.0}


def test_what_is_worse_than_most_is_given_up_before_its_last_fold(whole: Tuned) -> None:
    given_up = [trial for trial in whole.trials if not trial.is_whole]
    assert given_up
    assert all(len(trial.log_losses) < 2 for trial in given_up)
    assert all(len(trial.log_losses) == 2 for trial in whole.trials if trial.is_whole)


def test_a_search_in_two_sittings_tries_the_same_as_one_in_one_go(
    whole: Tuned, looks: list[Look], tmp_path: Path
) -> None:
    first = search(looks, tmp_path, 9)
    assert len(first.trials) == 9
    assert settings(search(looks, tmp_path, 11)) == settings(whole)


def test_the_same_minutes_again_try_nothing_and_choose_the_same(
    looks: list[Look], tmp_path: Path
) -> None:
    assert search(looks, tmp_path, 3) == search(looks, tmp_path, 3)


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    whole: Tuned, looks: list[Look], tmp_path: Path
) -> None:
    class KilledError(BaseException):
        """As a signal comes: in the middle of a trial."""

    calls = count()

    def until_killed(look: Look, params: BoosterParams) -> NDArray[np.float64]:
        if next(calls) == 7:
            raise KilledError
        return look(params)

    with pytest.raises(KilledError):
        search([partial(until_killed, look) for look in looks], tmp_path, 11)
    assert settings(search(looks, tmp_path, 11)) == settings(whole)


@pytest.mark.parametrize("at", range(6))
def test_an_interrupt_in_the_release_of_the_journals_lock_is_an_interrupt(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases, unlink = count(), os.unlink

    def interrupted(path: str) -> None:
        unlink(path)
        if str(path).endswith(".rename") and next(releases) == at:
            raise KeyboardInterrupt  # as Ctrl-C comes, when the file is gone and not yet returned

    def alike(_: BoosterParams) -> NDArray[np.float64]:
        return np.full(1, 0.5)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search([alike], tmp_path, 2)
    assert len(search([alike], tmp_path, 2).trials) == 2


def test_other_data_is_another_search(looks: list[Look], tmp_path: Path) -> None:
    search(looks, tmp_path, 2, data="january")
    search(looks, tmp_path, 1, data="february")
    trials = []
    for file in tmp_path.glob("*.jsonl"):
        journal = JournalStorage(JournalFileBackend(str(file)))
        trials += [len(load_study(study_name=None, storage=journal).trials)]
    assert sorted(trials) == [1, 2]


def test_a_poor_default_is_bettered(looks: list[Look], tmp_path: Path) -> None:
    start = replace(POOR, trees=50, learning_rate=0.15, leaves=31, rows_in_leaf=20, l2=0.1)
    found = tune(looks, Budget(6, tmp_path, ticking()), about={}, default=start)
    best = min(trial.log_losses[-1] for trial in found.trials if trial.is_whole)
    assert best < found.trials[0].log_losses[-1] - 0.001
    assert "trial" in found.sentence()


def test_without_a_past_border_to_judge_at_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(TooLittleDataError, match=r"at least one past date .* Train without --tune"):
        search((), tmp_path, 1)


@pytest.fixture(scope="module")
def tuned(company: Built, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    budget = Budget(2, tmp_path_factory.mktemp("tuned"), ticking())
    return train(company, QUESTION, budget=budget)


def test_tuning_looks_at_nothing_that_the_model_is_tested_on(
    company: Built, tuned: Trained, tmp_path: Path
) -> None:
    table = company.table.copy()
    table.loc[table["as_of"] >= tuned.split.test_from, "x__fixed"] = 0.0
    budget = Budget(2, tmp_path, ticking())
    again = train(replace(company, table=table), QUESTION, budget=budget)
    assert [trial.log_losses for trial in again.trials] == [
        trial.log_losses for trial in tuned.trials
    ]
    assert again.bundle.digest == tuned.bundle.digest


def test_the_settings_on_record_make_the_same_model_again(company: Built, tuned: Trained) -> None:
    again = train(company, QUESTION, params=recorded_params(tuned.made_from.fit))
    assert again.bundle.digest == tuned.bundle.digest
    assert again.params == tuned.params


def test_each_trial_is_a_run_below_the_trainings(tuned: Trained, tmp_path: Path) -> None:
    registry = Registry(Home(tmp_path))
    registry.log(Training(tuned.bundle, tuned.params, metrics={}, data={}, trials=tuned.trials))
    client = MlflowClient(f"sqlite:///{registry.home.mlflow_database}")
    runs = client.search_runs([client.get_experiment_by_name("tenure").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    by_name = {run.info.run_name: run for run in children}
    assert set(by_name) == {f"trial {trial.number}" for trial in tuned.trials}
    for trial in tuned.trials:
        run = by_name[f"trial {trial.number}"]
        assert run.data.metrics["log_loss"] == pytest.approx(trial.log_losses[-1])
        assert run.data.params["leaves"] == str(trial.parameters["leaves"])
        assert run.info.status == ("FINISHED" if trial.is_whole else "KILLED")
