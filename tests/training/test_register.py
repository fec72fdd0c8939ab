"""What was registered by an earlier release, held against the gates of this one."""

import json
from collections.abc import Callable

import pandas as pd
import pytest

from features.errors import GateError
from features.home import Home
from models.audit_checks import CHECKS
from models.bundle import Bundle
from models.gate import GateReport
from models.record import Training
from models.registry import Registry
from training.register import judge

EVENTS = "usage__events__28d"
ROWS = pd.DataFrame(
    {
        "account_id": ["a"],
        "as_of": pd.to_datetime(["2024-07-01"]),
        "customer_group": ["a"],
        "event_days": [45.0],
        "observed_days": [400.0],
        EVENTS: [3.0],
    }
)


@pytest.fixture(scope="module")
def registry(stumps: Callable[..., Bundle], tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Give a registry with one version, whose audit made all of its checks."""
    registry = Registry(Home(tmp_path_factory.mktemp("old") / "home"))
    bundle = stumps((EVENTS, 40.0, 1.0, -1.0))
    made = dict.fromkeys(CHECKS, "Looked at.")
    registry.log(Training(bundle, parameters={}, metrics={}, data={}, audit_checks=made))
    return registry


def of_the_audit(report: GateReport) -> str:
    (gate,) = (gate for gate in report.gates if gate.name == "audit")
    return gate.sentence


def test_a_version_from_before_the_audits_checks_is_to_be_trained_anew(registry: Registry) -> None:
    assert of_the_audit(judge("churn", "1", registry, ROWS)).startswith("None of 0 findings")
    keep_as_before(registry, [{"kind": "constant", "column": "plan", "blocking": False}])
    report = judge("churn", "1", registry, ROWS, accept=CHECKS)
    assert of_the_audit(report) == (
        "It could not be computed: churn 1 was registered without the checks single_columns, "
        "later_rows, label_windows, train_and_now of the leakage audit. Train it anew, which makes "
        "them: tenure train churn"
    )
    with pytest.raises(GateError, match=r"Train it anew, which makes them: tenure train churn"):
        registry.promote("churn", "1", report)
    assert registry.champion("churn") is None


def keep_as_before(registry: Registry, findings: list[dict[str, object]]) -> None:
    """Write the record of the audit as it was: the bare list of its findings."""
    (file,) = registry.home.mlflow_artifacts.rglob("audit.json")
    file.write_text(json.dumps(findings), encoding="utf-8")
