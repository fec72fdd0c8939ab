"""A back-test as a run of its own: values, and calls of MLflow's client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.record import flat_metrics, json_text

FIGURES = (
    "auc",
    "average_precision",
    "brier",
    "log_loss",
    "observed_over_expected",
    "calibration_error",
    "calibration_slope",
)
KIND = "tenure.kind"


@dataclass(frozen=True)
class Backtested:
    """A back-test, in values that need no training code to read.

    Attributes
    ----------
    model
        ``churn``, ``expansion`` or ``contraction``.
    metrics
        All figures, nested; those of `FIGURES` are on top.
    origins
        The same figures of each past date, with its date as ``origin``.
    parameters
        Where the rows come from, and what was assumed, by name. No customer data.
    reports
        Files for people.
    """

    model: str
    metrics: Mapping[str, Any]
    origins: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, object]
    reports: Sequence[Path]


def log_backtested(
    client: Any,  # noqa: ANN401 - MLflow's client; only models.tracking imports MLflow
    experiment: str,
    found: Backtested,
) -> str:
    """Write the headline figures, those of each date as a step, all figures as JSON, the reports.

    Returns
    -------
    str
        The run's id. A run that could not be written to its end is FAILED.
    """
    tags = {KIND: "backtest"}
    run = client.create_run(experiment, run_name=f"backtest-{found.model}", tags=tags)
    run_id = str(run.info.run_id)
    try:
        for name, value in found.parameters.items():
            client.log_param(run_id, name, value)
        for name, value in _headline(found.metrics).items():
            client.log_metric(run_id, name, value)
        for step, origin in enumerate(found.origins):
            at = datetime.fromisoformat(origin["origin"]).replace(tzinfo=UTC)
            for name, value in _headline(origin).items():
                moment = int(at.timestamp() * 1000)
                client.log_metric(run_id, f"origin/{name}", value, moment, step)
        whole = {"pooled": found.metrics, "origins": found.origins}
        client.log_text(run_id, json_text(whole), "metrics.json")
        for report in found.reports:
            client.log_artifact(run_id, str(report), "report")
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def _headline(figures: Mapping[str, Any]) -> dict[str, float]:
    return flat_metrics({name: figures[name] for name in FIGURES if figures.get(name) is not None})
