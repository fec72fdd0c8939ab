"""What tuning tried, as runs below the run of a training: values, and calls of MLflow's client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Trial:
    """One setting that tuning tried.

    Attributes
    ----------
    number:
        From 0, the default.
    parameters:
        The settings that were searched.
    log_losses:
        In nats, over one fold of later dates, two folds, and so on.
    is_whole:
        Whether it was judged at every fold; else it was given up.
    seconds:
        What it took.
    """

    number: int
    parameters: Mapping[str, float]
    log_losses: tuple[float, ...]
    is_whole: bool
    seconds: float


def log_trials(
    client: Any,  # noqa: ANN401 - MLflow's client; only models.tracking imports MLflow
    experiment: str,
    run_id: str,
    trials: Sequence[Trial],
) -> None:
    """Write each trial as a run of its own below a run; one that was given up is KILLED."""
    for trial in trials:
        name, tags = f"trial {trial.number}", {PARENT: run_id}
        child = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        for setting, value in trial.parameters.items():
            client.log_param(child, setting, value)
        for step, loss in enumerate(trial.log_losses):
            client.log_metric(child, "log_loss", loss, step=step)
        client.log_metric(child, "seconds", trial.seconds)
        client.set_terminated(child, status="FINISHED" if trial.is_whole else "KILLED")
