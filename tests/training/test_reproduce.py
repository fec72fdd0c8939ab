"""A registered version trained again from its record, and faults planted on the way."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from features.built import Built, built, month_starts
from features.checked import CheckedSource
from features.errors import FeatureError, ModelError, SourceError
from features.families import lifecycle
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.made_from import History, ReadyTable, TableRoles
from models.provenance import Provenance
from models.record import Training
from models.registry import Registry
from tenure import cli
from training.fit import BoosterParams, LinearParams, recorded_params
from training.made import score_digest
from training.register import register, register_table
from training.reproduce import Kept, Reproduced, reproduce, reproduce_table
from training.run import train
from training.table import train_table

PARAMS = BoosterParams(trees=20, rows_in_leaf=20)
TABLES = ("accounts", "subscriptions")


@dataclass(frozen=True)
class Registered:
    """A home with a version in its registry, and the source that it was trained on."""

    home: Home
    folder: Path
    source: CheckedSource

    @property
    def registry(self) -> Registry:
        return Registry(self.home)

    def kept(self, version: str = "1", **otherwise: Any) -> Kept:
        """Give a version, with a record that says otherwise."""
        found = Kept.of(self.registry, "churn", version)
        return replace(found, made_from=replace(found.made_from, **otherwise))

    def again(self, **otherwise: Any) -> Reproduced:
        return reproduce(self.kept(**otherwise), self.source)

    def changed(self, to: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> CheckedSource:
        """Check the source with other subscriptions, under the same key of persons."""
        shutil.copytree(self.home.erasure, to / "home" / self.home.erasure.name)
        shutil.copytree(self.folder, to / "company")
        file = to / "company" / "subscriptions.parquet"
        change(pd.read_parquet(file)).to_parquet(file)
        return check(str(to / "company"), home=Home(to / "home"))


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    root = tmp_path_factory.mktemp("registered")
    folder, home = root / "company", Home(root / "home")
    simulate(folder, accounts=250, months=36, seed=11)
    for path in folder.iterdir():
        if path.stem not in TABLES:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    source = check(str(folder), home=home)
    history = built(source, month_starts(source), home=home)
    register(train(history, CHURN, params=PARAMS), Registry(home))
    return Registered(home, folder, source)


def test_the_same_trees_and_scores_come_of_the_record_alone(registered: Registered) -> None:
    again = registered.again()
    assert again.differing == ()
    assert again.result == registered.kept().made_from.result
    assert again.result.rows > 100
    again.demand()
    assert len(registered.registry.models()) == 1


def test_a_changed_row_of_the_source_is_refused_and_its_table_named(
    registered: Registered, tmp_path: Path
) -> None:
    def dearer(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(mrr=rows["mrr"].where(rows.index != 0, rows["mrr"] + 1))

    other = registered.changed(tmp_path, dearer)
    with pytest.raises(SourceError, match=r"its tables differ: changed subscriptions\. "):
        reproduce(registered.kept(), other)


def test_the_same_rows_in_another_order_are_the_same_data(
    registered: Registered, tmp_path: Path
) -> None:
    other = registered.changed(tmp_path, lambda rows: rows.iloc[::-1].reset_index(drop=True))
    assert other.fingerprint == registered.source.fingerprint


def test_a_checked_file_that_was_changed_since_is_refused(
    registered: Registered, tmp_path: Path
) -> None:
    folder = tmp_path / "checked"
    shutil.copytree(registered.source.folder, folder)
    file = folder / "accounts.parquet"
    pd.read_parquet(file).assign(name="x").to_parquet(file)
    with pytest.raises(SourceError, match=r"accounts\.parquet with the SHA-256"):
        reproduce(registered.kept(), replace(registered.source, folder=folder))


def test_another_seed_on_record_gives_other_trees_and_scores(registered: Registered) -> None:
    again = registered.again(fit=asdict(replace(PARAMS, seed=8)))
    assert {"trees", "scores"} <= set(again.differing)
    with pytest.raises(ModelError, match=r"to the last bit, got other .*trees.* and scores\."):
        again.demand()


def test_dates_on_record_that_are_not_those_of_the_training_are_found(
    registered: Registered,
) -> None:
    history = registered.kept().made_from.data
    assert isinstance(history, History)
    moved = tuple(day + timedelta(days=1) for day in history.dates)
    assert "scores" in registered.again(data=replace(history, dates=moved)).differing


def test_a_changed_feature_is_refused_and_named(
    registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = lifecycle.FEATURES
    other = replace(first, description="Declared otherwise since.")
    monkeypatch.setattr(lifecycle, "FEATURES", (other, *others))
    with pytest.raises(FeatureError, match=f"they differ: changed {first.column}. Use the release"):
        registered.again()
    monkeypatch.setattr(lifecycle, "FEATURES", tuple(others))
    with pytest.raises(FeatureError, match=f"gone .*{first.column}"):
        registered.again()


def test_other_code_and_another_lock_are_told_of_and_compared_all_the_same(
    registered: Registered,
) -> None:
    again = registered.again(code=Provenance("0" * 40, is_dirty=False, lock="1" * 64))
    assert again.differing == ()
    assert any(said.startswith("The code is another: 000000000000") for said in again.remarks)
    assert "The lock is another: 111111111111" in again.text()


def test_a_record_that_was_changed_since_is_refused(registered: Registered) -> None:
    (file,) = registered.home.mlflow_artifacts.glob("*/artifacts/model/made_from.json")
    kept = file.read_text()
    assert '"seed": 7' in kept
    file.write_text(kept.replace('"seed": 7', '"seed": 8'))
    with pytest.raises(ModelError, match=r"Expected the record of churn 1 .* changed since"):
        registered.kept()
    file.write_text(kept)
    registered.kept()


def test_a_booster_that_was_changed_since_is_refused_though_the_copy_at_home_is_good(
    registered: Registered,
) -> None:
    assert (registered.registry.folder("churn", "1") / "booster.txt").is_file()
    (file,) = registered.home.mlflow_artifacts.rglob("bundle/booster.txt")
    kept = file.read_text()
    file.write_text(kept.replace("leaf_value=", "leaf_value=1", 1))
    with pytest.raises(ModelError, match=r"booster\.txt as it was saved, got other bytes"):
        registered.kept()
    file.write_text(kept)
    registered.kept()


def test_a_version_that_is_older_than_such_records_is_refused(
    registered: Registered, tmp_path: Path
) -> None:
    bundle = registered.kept().bundle
    registry = Registry(Home(tmp_path))
    registry.log(Training(bundle, parameters={}, metrics={}, data={}))
    with pytest.raises(ModelError, match=r"made from, got a version older .* tenure train churn"):
        registry.made_from("churn", "1")


def test_a_shell_completes_the_versions_there_are(
    registered: Registered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = ShellComplete(cli, {}, "tenure", "_TENURE_COMPLETE")

    def completed(home: Path, model: str) -> list[str]:
        monkeypatch.setenv("TENURE_HOME", str(home))
        words = ["train", model, "--reproduce"]
        return [item.value for item in shell.get_completions(words, "")]

    assert completed(registered.home.root, "churn") == ["1"]
    assert completed(registered.home.root, "expansion") == []
    assert completed(tmp_path / "none", "churn") == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "option", [("--tune", "1"), ("--accept", "x"), ("--table", "t.csv", "--label", "left")]
)
def test_what_the_record_says_cannot_be_asked_otherwise(option: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["train", "churn", "--reproduce", "1", *option])
    assert done.exit_code == 2
    assert "--reproduce takes settings" in done.output


@pytest.mark.parametrize("params", [PARAMS, LinearParams()])
def test_one_thread_or_two_give_the_same_trees_and_scores(
    world: Callable[..., Built], params: BoosterParams | LinearParams
) -> None:
    company = world(accounts=120, months=30, seed=4)
    many = replace(params, threads=2) if isinstance(params, BoosterParams) else params
    one, two = (train(company, CHURN, params=each) for each in (params, many))
    trees = [each.bundle.model_file[1].partition("\nparameters:")[0] for each in (one, two)]
    assert trees[0] == trees[1]
    assert "Tree=19" in trees[0] or params != PARAMS
    digests = [score_digest(each.bundle, each.test_rows) for each in (one, two)]
    assert digests[0] == digests[1] == one.made_from.result.scores


def test_the_settings_on_record_come_back(registered: Registered) -> None:
    assert recorded_params(registered.kept().made_from.fit) == PARAMS
    assert recorded_params(asdict(LinearParams(spread=0.03))) == LinearParams(spread=0.03)
    with pytest.raises(ModelError, match="another record of spirit"):
        recorded_params({**asdict(PARAMS), "spirit": 1})


@pytest.fixture(scope="module")
def of_a_table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Path]:
    root = tmp_path_factory.mktemp("of-a-table")
    random = np.random.default_rng(2)
    use = random.normal(size=300)
    left = random.random(300) < 1 / (1 + np.exp(1 + 2 * use))
    file = root / "table.csv"
    pd.DataFrame({"use": use, "noise": random.normal(size=300), "left": left.astype(int)}).to_csv(
        file, index=False
    )
    asked = TableRoles(label="left")
    registry = Registry(Home(root / "home"))
    trained = train_table(pd.read_csv(file), CHURN, asked)
    register_table(trained, file, registry, CHURN, asked)
    return registry, file


def of(registry: Registry) -> Kept:
    return Kept.of(registry, "churn", "1")


def test_a_model_of_a_ready_table_takes_no_challengers_place_and_is_not_promoted(
    of_a_table: tuple[Registry, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, _ = of_a_table
    assert registry.version_of("churn", "of_a_table") == "1"
    assert registry.version_of("churn", "challenger") is None
    monkeypatch.setenv("TENURE_HOME", str(registry.home.root))
    named, newest = (
        CliRunner().invoke(cli, ["promote", "churn", "--source", "nowhere", *version])
        for version in (["--version", "1"], [])
    )
    assert "got churn 1, which was trained on a ready table" in str(named.exception)
    assert "Expected a challenger of churn, got none" in str(newest.exception)


def test_a_model_of_a_ready_table_comes_of_its_record_and_that_file(
    of_a_table: tuple[Registry, Path],
) -> None:
    registry, file = of_a_table
    kept = of(registry)
    assert isinstance(kept.made_from.data, ReadyTable)
    assert reproduce_table(kept, file).differing == ()
    made = replace(kept.made_from, fit={**kept.made_from.fit, "seed": 5})
    assert "trees" in reproduce_table(replace(kept, made_from=made), file).differing


def test_a_model_of_contraction_is_trained_by_its_verb_and_kept_under_its_name(
    of_a_table: tuple[Registry, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = of_a_table
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    asked = ["train", "contraction", "--table", str(file), "--label", "left"]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert "Registered as contraction 1, a model of a table" in done.output
    (kept,) = Registry(Home(tmp_path)).models()
    assert (kept.model, kept.aliases) == ("contraction", ("of_a_table",))


def test_another_table_or_none_is_refused(
    of_a_table: tuple[Registry, Path], registered: Registered, tmp_path: Path
) -> None:
    registry, file = of_a_table
    other = tmp_path / "table.csv"
    other.write_text(file.read_text().replace("0.", "1.", 1))
    with pytest.raises(SourceError, match=r"trained on, table\.csv with the SHA-256 .* got \w{12}"):
        reproduce_table(of(registry), other)
    with pytest.raises(SourceError, match=r"got no such file\. Name that file with --table"):
        reproduce_table(of(registry), None)
    with pytest.raises(ModelError, match="got churn 1, which was trained on a source"):
        reproduce_table(registered.kept(), file)
    with pytest.raises(ModelError, match=r"a ready table\. Name that with --table"):
        reproduce(of(registry), registered.source)
