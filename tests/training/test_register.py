"""A registered version is held against the gates as it comes back; each planted fault refuses."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from features.errors import GateError
from features.home import Home
from models.audit_checks import CHECKS
from models.bundle import Bundle, load
from models.gate import Gate, GateReport
from models.golden import Golden
from models.record import Training
from models.registry import Registry
from training.gates import Trial, decide
from training.register import after_table, after_training, judge

EVENTS, PLAN = "usage__events__28d", "lifecycle__plan"
ROWS = pd.DataFrame(
    {
        "account_id": ["a"],
        "as_of": pd.to_datetime(["2024-07-01"]),
        "customer_group": ["a"],
        "event_days": [45.0],
        "observed_days": [400.0],
        EVENTS: [3.0],
        PLAN: ["basic"],
    }
)


@pytest.fixture(scope="module")
def home(stumps: Callable[..., Bundle], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Give a home with one registered version, whose audit made all checks: it takes seconds."""
    home = Home(tmp_path_factory.mktemp("registered") / "home")
    cuts = ((EVENTS, 40.0, 1.0, -1.0), (PLAN, 0.5, -1.0, 1.0))
    bundle = stumps(*cuts, categories={PLAN: ("basic", "team")})
    made = dict.fromkeys(CHECKS, "Looked at.")
    Registry(home).log(Training(bundle, parameters={}, metrics={}, data={}, audit_checks=made))
    return home


@pytest.fixture
def registry(home: Home, tmp_path: Path) -> Iterator[Registry]:
    """Give the registry, and undo what a test did to its files and tags."""
    registry = Registry(home)
    with registry.tracking.client() as client:
        tags = client.get_model_version("tenure-churn", "1").tags
    shutil.copytree(home.mlflow_artifacts, tmp_path / "kept")
    yield registry
    shutil.rmtree(home.mlflow_artifacts)
    shutil.copytree(tmp_path / "kept", home.mlflow_artifacts)
    for name, value in tags.items():
        tag(registry, name, value)


def golden_gate(registry: Registry) -> Gate:
    report = judge("churn", "1", registry, ROWS)
    assert not report.passed
    return gate_of(report, "golden_set")


def gate_of(report: GateReport, name: str) -> Gate:
    (gate,) = (gate for gate in report.gates if gate.name == name)
    return gate


def file_of(registry: Registry, name: str) -> Path:
    (file,) = registry.home.mlflow_artifacts.rglob(name)
    return file


def exchange(registry: Registry, name: str, old: str, new: str) -> None:
    """Change a file of the bundle, and have the manifest say so."""
    file, manifest = (file_of(registry, each) for each in (name, "manifest.json"))
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    sums = json.loads(manifest.read_text())
    sums[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(sums))


def tag(registry: Registry, name: str, value: str) -> None:
    with registry.tracking.client() as client:
        client.set_model_version_tag("tenure-churn", "1", name, value)


def test_a_model_as_it_was_registered_passes(registry: Registry) -> None:
    gate = golden_gate(registry)
    assert gate.passed, gate.sentence
    assert gate.figures == {"rows": 24, "apart": 0.0}


def test_what_is_kept_with_a_model_names_no_customer(registry: Registry) -> None:
    kept = json.loads(file_of(registry, "golden.json").read_text())
    assert not {"account_id", "customer_group", "name"} & set(kept["rows"])
    assert set(kept["rows"]) >= {EVENTS, PLAN}


def test_a_changed_booster_is_refused_though_the_copy_at_home_is_good(registry: Registry) -> None:
    registry.folder("churn", "1")
    booster = file_of(registry, "artifacts/model/bundle/booster.txt")
    booster.write_text(booster.read_text().replace("threshold=40", "threshold=41"))
    assert registry.fetch("churn", "1").version == "1"
    gate = golden_gate(registry)
    assert not gate.passed
    assert "manifest" in gate.sentence


def test_another_calibration_with_a_manifest_of_its_own_is_refused(registry: Registry) -> None:
    exchange(registry, "bundle.json", '"slope": 1.0', '"slope": 1.000001')
    gate = golden_gate(registry)
    assert not gate.passed
    assert "files were exchanged" in gate.sentence


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("bundle.json", '"slope": 1.0', '"slope": 1.000001'),
        ("booster.txt", "threshold=40", "threshold=41"),
        ("bundle.json", '"basic",\n      "team"', '"team",\n      "basic"'),
    ],
    ids=["calibration", "booster", "categories"],
)
def test_who_has_the_registry_write_down_another_model_fails_its_golden_set(
    registry: Registry, name: str, old: str, new: str
) -> None:
    exchange(registry, name, old, new)
    with registry.tracking.client() as client:
        version = client.get_model_version("tenure-churn", "1")
    aside = registry.tracking.download(version.run_id, "model/bundle", str(registry.home.root))
    tag(registry, "digest", load(aside).digest)
    gate = golden_gate(registry)
    assert not gate.passed
    assert "its golden set" in gate.sentence
    assert gate.figures["apart"] > 1e-9


def test_a_golden_set_that_is_gone_changed_or_was_never_kept_is_refused(
    registry: Registry,
) -> None:
    file = file_of(registry, "golden.json")
    text = file.read_text()
    file.write_text(text.replace("null", "7.0", 1))
    assert "changed since" in golden_gate(registry).sentence
    file.unlink()
    assert not golden_gate(registry).passed
    file.write_text(text)
    with registry.tracking.client() as client:
        client.delete_model_version_tag("tenure-churn", "1", "golden")
    assert "older than such sets" in golden_gate(registry).sentence


def answered(curves: list[list[float]], kept: list[list[float]]) -> Gate:
    """Give the gate's answer on a model that says this of the rows of a golden set."""
    golden = Golden(pd.DataFrame(index=range(len(kept))), np.array(kept))
    model = SimpleNamespace(probabilities=lambda _: np.array(curves))
    trial = Trial("churn", "1", Path("nowhere"), None, ROWS, [], registered=lambda: (model, golden))
    return gate_of(decide(trial), "golden_set")


@pytest.mark.parametrize("apart", [0.0, 1e-12, 2e-12])
def test_answers_may_lie_apart_by_what_is_allowed(apart: float) -> None:
    assert answered([[0.1, 0.25 + apart]], [[0.1, 0.25]]).passed == (apart < 1.5e-12)


@pytest.mark.parametrize("planted", [1.5, -0.1, 0.25, np.nan], ids=str)
def test_answers_that_are_no_rising_probabilities_are_refused(planted: float) -> None:
    curves = [[0.1, 0.2, 0.3, planted]]
    assert not answered(curves, curves).passed


def test_a_golden_set_of_no_rows_or_of_another_shape_is_refused() -> None:
    assert "Expected answers of shape" in answered([[0.1, 0.2]], [[0.1, 0.2, 0.3]]).sentence
    assert "Expected answers of shape" in answered([], []).sentence


def test_a_version_from_before_the_audits_checks_is_to_be_trained_anew(registry: Registry) -> None:
    report = judge("churn", "1", registry, ROWS)
    assert gate_of(report, "audit").sentence.startswith("None of 0 findings")
    # An earlier release kept the bare list of the findings.
    bare = [{"kind": "constant", "column": "plan", "blocking": False}]
    file_of(registry, "audit.json").write_text(json.dumps(bare), encoding="utf-8")
    report = judge("churn", "1", registry, ROWS, accept=CHECKS)
    assert gate_of(report, "audit").sentence == (
        "It could not be computed: churn 1 was registered without the checks single_columns, "
        "later_rows, label_windows, train_and_now of the leakage audit. Train it anew, which makes "
        "them: tenure train churn"
    )
    with pytest.raises(GateError, match=r"Train it anew, which makes them: tenure train churn"):
        registry.promote("churn", "1", report)
    assert registry.champion("churn") is None


def figure(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def test_what_to_do_next_with_a_model_hangs_on_what_its_later_dates_showed() -> None:
    better = {"log_loss": figure(-0.02, -0.03, -0.01)}
    assert after_training("churn", better) == ", the challenger: tenure promote churn"
    assert "tenure backtest contraction" in after_training("contraction", better)
    unsure = after_training("churn", {"log_loss": figure(-0.001, -0.003, 0.002)})
    assert "not surely better than the base rate" in unsure
    assert "95 % from -0.0030 to +0.0020" in unsure
    assert "tenure promote" not in unsure


def test_a_model_of_a_table_is_never_advised_to_be_promoted() -> None:
    usable, noise = ({"auc": figure(0.7, low, 0.8)} for low in (0.6, 0.54))
    assert "tenure train churn --source FOLDER" in after_table("churn", usable)
    assert "says too little to be used" in after_table("churn", noise)
    assert not any("promote" in after_table("churn", each) for each in (usable, noise))
