"""From a trained model to a registered one: its report, its record, and the gate to champion."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import GateError
from models.bundle import Bundle
from models.gate import GateReport
from models.made_from import TableRoles
from models.question import Question
from models.reasons import importance
from models.record import Training
from models.registry import Registry
from models.standing import is_of_a_table
from training.evaluate import Paired
from training.evidence import Way
from training.fit import recorded_params
from training.gates import Trial, decide
from training.made import made_from_table
from training.report import Evidence, write_report
from training.run import Trained
from training.table import TableTrained, is_usable

SERVED = ("churn", "expansion")
"""The models that lists and the service know, so that only these have a champion."""
FIGURES = ("auc", "average_precision", "brier", "log_loss")
EXPLAINED_ROWS = 1000
BASE_RATE = "base_rate"


@dataclass(frozen=True)
class Registered:
    """A training that is in the registry as challenger, and what to say of it.

    Attributes
    ----------
    version
        The registry's number.
    next_step
        What to do with it, for people.
    document
        What ``tenure train --json`` prints: model, version, metrics, audit, audit_checks, notes,
        data.
    """

    version: str
    next_step: str
    document: Mapping[str, Any]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know: what the audit blocks, what was left out, what comes next."""
        model = self.document["model"]
        blocking = [each for each in self.document["audit"] if each["blocking"]]
        return (
            *(f"Audit, {each['standing']}: {each['message']}" for each in blocking),
            *self.document["notes"],
            f"Registered as {model} {self.version}{self.next_step}",
        )


def register(trained: Trained, registry: Registry) -> Registered:
    """Write a training's report and keep both in the registry, as challenger."""
    with tempfile.TemporaryDirectory(prefix="tenure-report-") as aside:
        version = registry.log(
            Training(
                bundle=trained.bundle,
                parameters=trained.params,
                metrics=trained.metrics,
                data=trained.data,
                audit=trained.audit.findings_json(),
                audit_checks=trained.audit.checks,
                reports=write_report(_evidence_of(trained), Path(aside)),
                trials=trained.trials,
                made_from=trained.made_from,
            )
        )
    above = trained.metrics["above_baselines"][BASE_RATE]
    document = {
        "model": trained.bundle.question.name,
        "version": version,
        "metrics": dict(trained.metrics),
        "audit": list(trained.audit.findings_json()),
        "audit_checks": dict(trained.audit.checks),
        "notes": list(trained.notes),
        "data": dict(trained.data),
    }
    return Registered(version, after_training(trained.bundle.question.name, above), document)


def after_training(model: str, above: Paired | None) -> str:
    """Say what comes next: the gates, unless the later dates do not bear the model out.

    Parameters
    ----------
    above
        How far its figures lie above those of the base rate, {value, low, high} by metric.
    """
    if model not in SERVED:
        return f": no list shows it yet, so that it is to be back-tested: tenure backtest {model}"
    if above is None or above["log_loss"]["high"] < 0:
        return f", the challenger: tenure promote {model}"
    low, high = above["log_loss"]["low"], above["log_loss"]["high"]
    return (
        ", the challenger. On its later dates it is not surely better than the base rate said to "
        f"everybody (log loss {above['log_loss']['value']:+.4f}, 95 % from {low:+.4f} to "
        f"{high:+.4f}): bring a longer history, more accounts or more tables, and train again, "
        "rather than promote it."
    )


def register_table(
    trained: TableTrained,
    path: Path,
    registry: Registry,
    question: Question,
    asked: TableRoles,
) -> Registered:
    """Keep a model from a ready table in the registry, beside the challengers.

    Parameters
    ----------
    question, asked
        As `training.table.train_table` was called with them.
    """
    made_from = made_from_table(trained, path, question, asked)
    question = trained.bundle.question
    held_out = trained.held_out
    data = {"table": path.name, "label": trained.label, "rows": len(trained.rows)}
    evidence = Evidence(
        model=question.name,
        horizon_days=question.main_horizon_days,
        outcomes=held_out.outcome.astype(float),
        probabilities=held_out.probabilities.mean(axis=0),
        metrics=trained.metrics,
        audit=trained.audit.findings_json(),
        data=data,
    )
    with tempfile.TemporaryDirectory(prefix="tenure-report-") as aside:
        version = registry.log(
            Training(
                bundle=trained.bundle,
                parameters=asdict(trained.params),
                metrics=trained.metrics,
                data=data,
                audit=trained.audit.findings_json(),
                audit_checks=trained.audit.checks,
                reports=write_report(evidence, Path(aside)),
                trials=trained.trials,
                made_from=made_from,
            )
        )
    document = {**trained.as_json(), "version": version, "notes": [trained.verdict, *trained.notes]}
    return Registered(version, after_table(question.name, trained.metrics), document)


def after_table(model: str, metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Say what comes next: a model of a table is measured, and serves nobody."""
    if not is_usable(metrics):
        return (
            ", a model of a table, which says too little to be used: bring other columns, more "
            "rows or a longer time, and train again."
        )
    return (
        ", a model of a table, which no gate can judge and no service can fill: its figures are "
        f"what it is for. For one that serves: tenure train {model} --source FOLDER"
    )


def demand_of_a_source(bundle: Bundle) -> None:
    """Refuse to promote a model of a ready table.

    Raises
    ------
    GateError
        In one sentence, before any gate is computed.
    """
    if is_of_a_table(bundle):
        model = bundle.question.name
        raise GateError(
            f"Expected a version that was trained on a source, got {model} {bundle.version}, which "
            "was trained on a ready table: no account of a source has its columns, so that it can "
            f"neither be judged nor serve. Run tenure train {model} --source FOLDER, and promote "
            "that."
        )


def judge(
    model: str,
    version: str,
    registry: Registry,
    rows: pd.DataFrame,
    accept: Sequence[str] = (),
) -> GateReport:
    """Hold a registered version against the champion.

    Parameters
    ----------
    rows
        `training.prepare.labelled_rows`, described by `training.slices.described`; those that
        either model learned from are left aside.
    accept
        Findings of the version's leakage audit that somebody takes on by name now.
    """
    return decide(trial_of(model, version, registry.champion(model), registry, rows, accept))


def trial_of(
    model: str,
    version: str,
    champion: Bundle | None,
    registry: Registry,
    rows: pd.DataFrame,
    accept: Sequence[str] = (),
) -> Trial:
    """Give what the gates look at, of a registered version and a rival: the champion, or another.

    Parameters
    ----------
    rows, accept
        As in `judge`.
    """
    kept = registry.audit(model, version)
    return Trial(
        model=model,
        version=version,
        challenger=registry.folder(model, version),
        champion=champion,
        rows=rows,
        audit=kept.findings,
        audit_checks=kept.checks,
        accept=accept,
        registered=lambda: (
            registry.fetch_anew(model, version),
            registry.golden(model, version),
        ),
        ways=lambda: (
            way_of(registry, registry.fetch(model, version)),
            None if champion is None else way_of(registry, champion),
        ),
    )


def way_of(registry: Registry, bundle: Bundle) -> Way:
    """Give the way in which a registered model was fitted, by its record.

    Raises
    ------
    ModelError
        When it has no record, or one of settings that this code does not know.
    """
    record = registry.made_from(bundle.question.name, bundle.version)
    return Way.of(bundle, recorded_params(record.fit))


def headline(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Pick the four figures that every report starts with, each {value, low, high}."""
    return {name: metrics[name] for name in FIGURES}


def _evidence_of(trained: Trained) -> Evidence:
    question, rows = trained.bundle.question, trained.test_rows
    days = question.main_horizon_days
    explained = rows.sample(min(len(rows), EXPLAINED_ROWS), random_state=0)
    return Evidence(
        model=question.name,
        horizon_days=days,
        outcomes=rows[f"outcome__{days}d"].to_numpy(dtype=float),
        probabilities=rows[f"probability__{days}d"].to_numpy(dtype=float),
        metrics=headline(trained.metrics),
        rivals=trained.metrics["baselines"],
        importance=importance(trained.bundle, explained, days),
        audit=trained.audit.findings_json(),
        data=trained.data,
    )
