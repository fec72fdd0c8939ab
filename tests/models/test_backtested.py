"""A back-test in MLflow, read back by MLflow's own client."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from features.home import Home
from models.backtested import Backtested
from models.registry import Registry


def figures(auc: float) -> dict[str, Any]:
    return {
        "auc": {"value": auc, "low": auc - 0.1, "high": auc + 0.1},
        "log_loss": None,
        "calibration_slope": {"value": 0.9, "low": 0.7, "high": 1.2},
        "rows": 100,
    }


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    home = Home(tmp_path_factory.mktemp("backtested"))
    return Registry(home, f"sqlite:///{home.root / 'tracked.db'}")


def backtested(page: Path, **fields: Any) -> Backtested:
    page.write_text("<p>How sure</p>")
    origins = [{"origin": "2024-01-01", **figures(0.6)}, {"origin": "2024-04-01", **figures(0.8)}]
    values = {
        "model": "churn",
        "metrics": {**figures(0.7), "slices": {"tier": {"high": figures(0.9)}}},
        "origins": origins,
        "parameters": {"source": "d" * 64, "touch_cost": 150.0},
        "reports": (page,),
    }
    return Backtested(**(values | fields))


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # a server without an artifact root keeps files where it stands


@pytest.mark.usefixtures("at_home")
def test_a_back_test_is_a_run_with_its_figures_its_dates_and_its_page(
    registry: Registry, tmp_path: Path
) -> None:
    run_id = registry.log_backtest(backtested(tmp_path / "report.html"))
    client = MlflowClient(registry.tracking_uri)
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "backtest-churn")
    assert run.data.metrics["auc"] == 0.7
    assert run.data.metrics["auc.high"] == pytest.approx(0.8)
    assert "log_loss" not in run.data.metrics
    assert run.data.params["touch_cost"] == "150.0"
    by_date = client.get_metric_history(run_id, "origin/auc")
    assert [(each.step, each.value) for each in by_date] == [(0, 0.6), (1, 0.8)]
    assert by_date[0].timestamp == 1_704_067_200_000  # 1 January 2024
    kept = json.loads(Path(client.download_artifacts(run_id, "metrics.json")).read_text())
    assert kept["pooled"]["slices"]["tier"]["high"]["auc"]["value"] == 0.9
    assert Path(client.download_artifacts(run_id, "report/report.html")).exists()
    assert registry.models() == ()


@pytest.mark.usefixtures("at_home")
def test_a_back_test_that_cannot_be_written_to_its_end_is_a_failed_run(
    registry: Registry, tmp_path: Path
) -> None:
    gone = backtested(tmp_path / "report.html", model="expansion", reports=(tmp_path / "gone",))
    with pytest.raises(OSError, match="gone"):
        registry.log_backtest(gone)
    client = MlflowClient(registry.tracking_uri)
    experiment = client.get_experiment_by_name("tenure").experiment_id
    runs = {run.info.run_name: run.info.status for run in client.search_runs([experiment])}
    assert runs["backtest-expansion"] == "FAILED"
