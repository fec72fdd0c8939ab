"""Tuning on ready tables, by a clock that ticks once for each look."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from features.errors import TooLittleDataError
from models.churn import CHURN
from models.question import Question
from tenure import cli
from training import tune_table
from training.strata import strata
from training.table import PARAMS, TableTrained, train_table
from training.tune import SPACE, Budget
from training.tune_table import borders

FEW = replace(PARAMS, trees=50)
Parts = Iterator[tuple[np.ndarray, np.ndarray]]
WINDOW = np.timedelta64(CHURN.main_horizon_days + CHURN.grace_days, "D")


def flat(rows: int = 320, seed: int = 1) -> pd.DataFrame:
    """Half of the accounts leave, and `usage` tells of them; of some the plan is not known."""
    random = np.random.default_rng(seed)
    usage = random.normal(size=rows)
    left = random.random(rows) < 1 / (1 + np.exp(2 * usage))
    plan = random.choice(["pro", "team", None], rows)
    return pd.DataFrame({"usage": usage, "plan": plan, "label": left.astype(int)})


def dated() -> pd.DataFrame:
    months = pd.date_range("2024-01-01", periods=14, freq="MS")
    return pd.concat(
        [flat(60, seed=at).assign(as_of=month) for at, month in enumerate(months)],
        ignore_index=True,
    )


def ticking() -> Callable[[], float]:
    """Give a clock by which each trial takes one minute: it is looked at before and after."""
    ticks: Iterator[int] = count()
    return lambda: 60.0 * next(ticks)


def tune(frame: pd.DataFrame, folder: Path, minutes: float = 2) -> TableTrained:
    return train_table(frame, CHURN, params=FEW, budget=Budget(minutes, folder, ticking()))


@pytest.fixture(scope="module")
def of_flat(tmp_path_factory: pytest.TempPathFactory) -> TableTrained:
    return tune(flat(), tmp_path_factory.mktemp("flat"))


@pytest.fixture(scope="module")
def of_dated(tmp_path_factory: pytest.TempPathFactory) -> TableTrained:
    return tune(dated(), tmp_path_factory.mktemp("dated"))


def turned(frame: pd.DataFrame, tested: TableTrained) -> pd.DataFrame:
    """Give the table with the test rows' signal upside down."""
    frame = frame.copy()
    frame.loc[tested.rows, "usage"] *= -1
    return frame


@pytest.mark.parametrize(("made", "name"), [(flat, "of_flat"), (dated, "of_dated")])
def test_the_rows_of_the_test_neither_tune_nor_teach(
    made: Callable[[], pd.DataFrame], name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first: TableTrained = request.getfixturevalue(name)
    again = tune(turned(made(), first), tmp_path)
    assert again.trials == first.trials
    assert again.bundle.booster_text == first.bundle.booster_text
    assert again.bundle.calibration == first.bundle.calibration
    assert first.metrics["auc"]["value"] > 0.6
    assert again.metrics["auc"]["value"] < 0.4


@pytest.mark.parametrize("made", [flat, dated])
def test_a_search_that_peeks_at_the_test_is_told_by_that(
    made: Callable[[], pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault that the test above is there for, planted: folds and borders of all rows."""

    def all_parted(
        hit: np.ndarray, groups: np.ndarray, among: np.ndarray, parts: int, seed: int
    ) -> Parts:
        return strata(hit, groups, np.ones_like(among), parts, seed)

    def all_borders(
        question: Question, dates: np.ndarray, learn: np.ndarray, _: np.datetime64
    ) -> Parts:
        return borders(question, dates, np.ones_like(learn), dates.max() + WINDOW)

    monkeypatch.setattr(tune_table, "strata", all_parted)
    monkeypatch.setattr(tune_table, "borders", all_borders)
    first = tune(made(), tmp_path / "first", 1)
    again = tune(turned(made(), first), tmp_path / "again", 1)
    assert again.trials[0].log_losses != first.trials[0].log_losses


def test_a_second_sitting_goes_on_where_the_first_one_ended(
    of_flat: TableTrained, tmp_path: Path
) -> None:
    assert len(tune(flat(), tmp_path, 1).trials) == 1
    again = tune(flat(), tmp_path, 2)
    assert again.trials == of_flat.trials
    assert again.bundle.digest == of_flat.bundle.digest
    assert len(list(tmp_path.glob("*.jsonl"))) == 1


def test_another_value_to_learn_from_is_another_search(
    of_flat: TableTrained, tmp_path: Path
) -> None:
    tune(flat(), tmp_path, 1)
    other = flat()
    other.loc[other.index.difference(of_flat.rows)[0], "usage"] += 1.0
    tune(other, tmp_path, 1)
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_a_table_without_dates_keeps_a_quarter_apart(of_flat: TableTrained) -> None:
    assert of_flat.sets_aside
    assert len(of_flat.rows) == 80
    share = flat().iloc[of_flat.rows]["label"].mean()
    assert share == pytest.approx(flat()["label"].mean(), abs=0.01)


def test_the_default_is_tried_first(of_flat: TableTrained, of_dated: TableTrained) -> None:
    for found in (of_flat, of_dated):
        assert dict(found.trials[0].parameters) == {name: getattr(FEW, name) for name in SPACE}
        assert len(found.trials) == 2
    assert "on rows held out against" in of_flat.notes[0]
    assert "on later dates against" in of_dated.notes[0]


def test_at_a_border_only_what_was_known_by_then_is_learned_from() -> None:
    rows = dated()
    dates = rows["as_of"].to_numpy("datetime64[us]")
    test_from = np.datetime64("2025-01-01", "us")
    learn = dates + WINDOW <= test_from
    parts = list(borders(CHURN, dates, learn, test_from))
    assert [str(dates[held].min())[:7] for _, held in parts] == [
        "2024-05",
        "2024-06",
        "2024-07",
        "2024-08",
    ]
    for known, held in parts:
        assert (dates[known] + WINDOW <= dates[held].min()).all()
        assert learn[held].all()


def test_parts_share_the_events_and_no_customer() -> None:
    hit = np.arange(300) % 3 == 0
    groups = (np.arange(300) // 4).astype(object)
    among = np.arange(300) < 240
    parts = list(strata(hit, groups, among, 4, seed=0))
    assert (np.sum([part for _, part in parts], axis=0) == among).all()
    for others, part in parts:
        assert not set(groups[others]) & set(groups[part])
        assert hit[part].mean() == pytest.approx(1 / 3, abs=0.05)


def test_it_refuses_where_a_quarter_has_too_few_events_to_test_on(tmp_path: Path) -> None:
    few = flat().assign(label=(np.arange(320) < 70).astype(int))
    with pytest.raises(TooLittleDataError, match=r"quarter .*, got 1[78] with .*without --tune"):
        tune(few, tmp_path)


def test_the_verb_nests_its_trials_and_trains_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "home"))
    flat().to_csv(tmp_path / "table.csv", index=False)
    asked = ["train", "churn", "--table", str(tmp_path / "table.csv"), "--json"]
    done = CliRunner().invoke(cli, [*asked, "--tune", "0.001"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["notes"][1].startswith("Tuned in 0.")
    assert document["held_out_rows"] == 80
    client = MlflowClient(f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("tenure").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    (trial,) = [run for run in runs if run is not parent]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert trial.data.params["leaves"] == parent.data.params["fit.leaves"]
    again = CliRunner().invoke(cli, [*asked, "--reproduce", document["version"]])
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["is_equal"]
