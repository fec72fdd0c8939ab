import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from features.errors import GateError, ModelError
from features.home import Home
from models.bundle import Bundle
from models.gate import Gate, GateReport
from models.record import AuditRecord, Training
from models.registry import Registry

Train = Callable[..., Training]
ROWS = pd.DataFrame({"usage__events__28d": [0.0, 90.0]})


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that MLflow has set up, copied for each test: setting one up takes seconds."""
    home = Home(tmp_path_factory.mktemp("registry"))
    assert Registry(home).models() == ()
    return home.mlflow_database


@pytest.fixture
def registry(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    home = Home(tmp_path)
    home.mlflow_database.write_bytes(template.read_bytes())
    return Registry(home)


@pytest.fixture
def train(stumps: Callable[..., Bundle], tmp_path: Path) -> Train:
    def make(step: float = 2.0, **fields: object) -> Training:
        page = tmp_path / "report.html"
        page.write_text("<p>How sure</p>")
        values: dict[str, Any] = {
            "bundle": stumps(("usage__events__28d", 40.0, step, -step)),
            "parameters": {"learning_rate": 0.05},
            "metrics": {
                "metrics": {"auc": {"value": 0.71, "low": 0.66, "high": 0.75}},
                "by_horizon": {"90": {"brier": {"value": float("nan")}}},
            },
            "data": {"fingerprint": "d" * 64, "rows": 1200, "extracted_at": "2025-01-01"},
            "audit": ({"kind": "constant", "column": "x", "blocking": False},),
            "audit_checks": {"single_columns": "Looked at."},
            "reports": (page,),
        }
        return Training(**(values | fields))

    return make


def passed(challenger: str, champion: str | None, model: str = "churn") -> GateReport:
    return GateReport(
        model, challenger, champion, (Gate("log_loss", passed=True, sentence="Better."),)
    )


def test_what_was_logged_comes_back_and_predicts_the_same(registry: Registry, train: Train) -> None:
    training = train()
    version = registry.log(training)
    back = registry.fetch("churn", version)
    assert back.version == version == "1"
    assert (back.probabilities(ROWS) == training.bundle.probabilities(ROWS)).all()


def test_what_mlflow_keeps_is_its_owners_alone(
    registry: Registry, train: Train, template: Path
) -> None:
    registry.fetch("churn", registry.log(train()))
    home = registry.home
    kept = {template: 0o600, home.mlflow_artifacts: 0o700, home.bundles: 0o700}
    assert {path: path.stat().st_mode & 0o777 for path in kept} == kept


def test_a_new_model_is_challenger_and_not_champion(registry: Registry, train: Train) -> None:
    registry.log(train())
    registry.log(train(1.0))
    assert registry.version_of("churn", "challenger") == "2"
    assert registry.champion("churn") is None


def test_it_lists_versions_with_what_they_came_from(registry: Registry, train: Train) -> None:
    registry.log(train())
    registry.promote("churn", "1", passed("1", None))
    registry.log(train(1.0))
    newer, older = registry.models()
    assert (older.model, older.version, older.aliases) == ("churn", "1", ("champion",))
    assert newer.aliases == ("challenger",)
    assert older.data == {"fingerprint": "d" * 64, "rows": "1200", "extracted_at": "2025-01-01"}
    assert older.metrics["metrics/auc"] == 0.71
    assert older.metrics["metrics/auc.low"] == 0.66
    assert older.parameters["fit.learning_rate"] == "0.05"
    assert len(older.parameters["code.lock"]) in (7, 64)
    assert json.loads(json.dumps(older.to_json()))["version"] == "1"


def test_the_run_keeps_reports_catalogue_audit_and_signature(
    registry: Registry, train: Train
) -> None:
    registry.log(train())
    (root,) = registry.home.mlflow_artifacts.glob("*/artifacts/model")
    names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert names >= {
        "MLmodel",
        "audit.json",
        "bundle/booster.txt",
        "bundle/manifest.json",
        "catalogue.json",
        "data.json",
        "metrics.json",
        "report/report.html",
    }
    signature = (root / "MLmodel").read_text()
    assert "usage__events__28d" in signature
    assert "python_function" not in signature
    assert json.loads((root / "metrics.json").read_text())["by_horizon"]["90"]["brier"] == {
        "value": None
    }
    assert registry.audit("churn", "1").findings[0]["kind"] == "constant"
    assert registry.audit("churn", "1").checks == {"single_columns": "Looked at."}


def test_an_audit_kept_before_checks_were_named_has_none() -> None:
    kept = AuditRecord.from_json('[{"kind": "constant", "column": "x", "blocking": false}]')
    assert (len(kept.findings), kept.checks) == (1, {})


def test_nothing_kept_can_be_unpickled(registry: Registry, train: Train) -> None:
    registry.log(train())
    kinds = {path.suffix for path in registry.home.mlflow_artifacts.rglob("*") if path.is_file()}
    assert kinds == {"", ".json", ".txt", ".html"}


def test_the_first_champion_passes_the_gate_too(registry: Registry, train: Train) -> None:
    registry.log(train())
    with pytest.raises(GateError, match="no gate was computed"):
        registry.promote("churn", "1", GateReport("churn", "1", None, ()))
    assert registry.champion("churn") is None


@pytest.mark.parametrize(
    "report",
    [
        GateReport("churn", "1", None, (Gate("log_loss", passed=False, sentence="Worse."),)),
        passed("2", None),
        passed("1", "7"),
        passed("1", None, model="expansion"),
    ],
    ids=["failed", "of another version", "against another champion", "of another model"],
)
def test_promotion_needs_a_passed_report_on_this_very_pair(
    registry: Registry, train: Train, report: GateReport
) -> None:
    registry.log(train())
    with pytest.raises(GateError):
        registry.promote("churn", "1", report)
    assert registry.champion("churn") is None


def test_rollback_gives_back_each_earlier_champion_in_turn(
    registry: Registry, train: Train
) -> None:
    for version, champion in (("1", None), ("2", "1"), ("3", "2")):
        registry.log(train(float(version)))
        registry.promote("churn", version, passed(version, champion))
    assert registry.rollback("churn") == "2"
    champion = registry.champion("churn")
    assert champion is not None
    assert champion.version == "2"
    assert registry.rollback("churn") == "1"
    with pytest.raises(ModelError, match="earlier champion"):
        registry.rollback("churn")
    assert registry.version_of("churn", "champion") == "1"


def test_a_promotion_that_died_half_way_rolls_back_to_another_model(
    registry: Registry, train: Train
) -> None:
    for version, champion in (("1", None), ("2", "1")):
        registry.log(train(float(version)))
        registry.promote("churn", version, passed(version, champion))
    # What promote writes before it moves the alias, and then the process dies.
    with registry.tracking.client() as client:
        client.set_registered_model_tag("tenure-churn", "previous_champions", '["1", "2"]')
    assert registry.rollback("churn") == "1"


def test_promoting_the_champion_again_leaves_the_way_back(registry: Registry, train: Train) -> None:
    for version, champion in (("1", None), ("2", "1"), ("2", "2")):
        registry.log(train(float(version)))
        registry.promote("churn", version, passed(version, champion))
    assert registry.rollback("churn") == "1"


def test_an_exchanged_artifact_is_refused(registry: Registry, train: Train) -> None:
    registry.log(train())
    (booster,) = registry.home.mlflow_artifacts.rglob("booster.txt")
    booster.write_text(booster.read_text().replace("threshold=40", "threshold=41"))
    with pytest.raises(ModelError, match="manifest"):
        registry.fetch("churn", "1")


def test_an_exchanged_bundle_with_its_own_manifest_is_refused(
    registry: Registry, train: Train
) -> None:
    registry.log(train(2.0))
    registry.log(train(3.0))
    registry.fetch("churn", "1")
    first, second = (registry.folder("churn", version) for version in ("1", "2"))
    for name in ("booster.txt", "bundle.json", "manifest.json"):
        (first / name).write_bytes((second / name).read_bytes())
    with pytest.raises(ModelError, match="digest"):
        registry.fetch("churn", "1")


def test_a_version_that_is_not_there_is_named_with_those_that_are(
    registry: Registry, train: Train
) -> None:
    registry.log(train())
    with pytest.raises(ModelError, match="got 9; there are: 1"):
        registry.fetch("churn", "9")


def test_a_name_cannot_reach_into_the_search(registry: Registry) -> None:
    with pytest.raises(ModelError, match="model's name"):
        registry.version_of("x' OR '1'='1", "champion")


def test_a_failed_upload_marks_the_run_and_registers_nothing(
    registry: Registry, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        registry.log(train(reports=(tmp_path / "gone.png",)))
    with registry.tracking.client() as client:
        (run,) = client.search_runs([client.get_experiment_by_name("tenure").experiment_id])
    assert run.info.status == "FAILED"
    assert registry.models() == ()


def test_the_environment_names_the_tracking_server(
    registry: Registry,
    train: Train,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_bytes(template.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    monkeypatch.chdir(tmp_path)
    registry.log(train())
    assert len(registry.models()) == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert registry.models() == ()


def test_a_home_with_a_space_and_a_hash_keeps_everything_in_it(
    template: Path, train: Train, tmp_path: Path
) -> None:
    home = Home(tmp_path / "a b ü#1")
    home.root.mkdir()
    home.mlflow_database.write_bytes(template.read_bytes())
    registry = Registry(home)
    registry.log(train())
    assert registry.fetch("churn", "1").version == "1"
    assert {path.name for path in tmp_path.iterdir()} == {"a b ü#1", "report.html"}


def test_a_home_that_reads_as_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="TENURE_HOME"):
        Registry(Home(tmp_path / "what?")).models()
    assert not list(tmp_path.iterdir())


def test_two_processes_may_set_up_one_home_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, features.home, models.registry, mlflow\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "home = features.home.Home(pathlib.Path(sys.argv[1]))\n"
        "print(models.registry.Registry(home).models())\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "home")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    answers = [each.communicate(timeout=120) for each in both]
    assert [each.returncode for each in both] == [0, 0], answers
    assert [out for out, _ in answers] == ["()\n", "()\n"]


def test_the_first_training_names_experiment_and_model_with_others_locked_out(
    registry: Registry, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def watched(name: str) -> None:
        create = getattr(MlflowClient, name)

        def while_locked(client: MlflowClient, *given: str, **more: str) -> object:
            file = registry.home.root / "mlflow.lock"
            with file.open() as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            named.append(name)
            return create(client, *given, **more)

        monkeypatch.setattr(MlflowClient, name, while_locked)

    watched("create_experiment")
    watched("create_registered_model")
    assert registry.log(train()) == "1"
    assert named == ["create_experiment", "create_registered_model"]


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.mlflow_database.write_text("junk\n")
    with pytest.raises(ModelError, match=r"mlflow\.db, got: .*not a database") as refusal:
        Registry(home).models()
    assert "train again" in str(refusal.value)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(b"")])
def test_a_database_that_is_gone_while_its_models_are_there_is_not_begun_anew(
    registry: Registry, train: Train, spoil: Callable[[Path], object]
) -> None:
    registry.log(train())
    spoil(registry.home.mlflow_database)
    with pytest.raises(ModelError, match=r"got: none, and files of models in .*Put a copy"):
        registry.models()
    database = registry.home.mlflow_database
    assert not database.exists() or database.stat().st_size == 0


def test_a_database_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.mlflow_database.mkdir()
    began = time.monotonic()
    with pytest.raises(ModelError, match="unable to open database file"):
        Registry(home).models()
    assert time.monotonic() - began < 60  # MLflow would try for 100 seconds


def test_a_home_that_was_moved_is_told_where_its_files_were(
    registry: Registry, train: Train, tmp_path: Path
) -> None:
    old, new = Home(tmp_path / "old"), Home(tmp_path / "new")
    old.root.mkdir()
    old.mlflow_database.write_bytes(registry.home.mlflow_database.read_bytes())
    Registry(old).log(train())
    old.root.rename(new.root)
    with pytest.raises(ModelError, match=r"old/mlartifacts/.*A home is bound to its path"):
        Registry(new).fetch("churn", "1")
    with pytest.raises(ModelError, match=r"old/mlartifacts, got.*A home is bound to its path"):
        Registry(new).log(train())
    assert not old.root.exists()


def test_a_server_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = Registry(Home(tmp_path), "http://me:secret@127.0.0.1:9")
    with pytest.raises(ModelError, match=r"answer at http://127\.0\.0\.1:9, got: ") as refusal:
        server.models()
    assert "secret" not in str(refusal.value)
    assert "MLFLOW_TRACKING_URI" in str(refusal.value)


def test_importing_the_registry_imports_no_mlflow() -> None:
    code = "import sys, models.registry; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
