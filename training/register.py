"""From a trained model to a registered one: its report, its record, and the gate to champion."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from models.bundle import Bundle
from models.gate import GateReport
from models.made_from import TableRoles
from models.question import Question
from models.reasons import importance
from models.record import Training
from models.registry import Registry
from training.evidence import Way
from training.fit import recorded_params
from training.gates import Trial, decide
from training.made import made_from_table
from training.report import Evidence, write_report
from training.run import Trained
from training.table import TableTrained

FIGURES = ("auc", "average_precision", "brier", "log_loss")
EXPLAINED_ROWS = 1000


@dataclass(frozen=True)
class Registered:
    """A training that is in the registry as challenger, and what to say of it.

    Attributes
    ----------
    version
        The registry's number.
    document
        What ``tenure train --json`` prints: model, version, metrics, audit, audit_checks, notes,
        data.
    """

    version: str
    document: Mapping[str, Any]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know: what the audit blocks, what was left out, what comes next."""
        model = self.document["model"]
        blocking = [each for each in self.document["audit"] if each["blocking"]]
        return (
            *(f"Audit, {each['standing']}: {each['message']}" for each in blocking),
            *self.document["notes"],
            f"Registered as {model} {self.version}, the challenger: tenure promote {model}",
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
    document = {
        "model": trained.bundle.question.name,
        "version": version,
        "metrics": dict(trained.metrics),
        "audit": list(trained.audit.findings_json()),
        "audit_checks": dict(trained.audit.checks),
        "notes": list(trained.notes),
        "data": dict(trained.data),
    }
    return Registered(version, document)


def register_table(
    trained: TableTrained,
    path: Path,
    registry: Registry,
    question: Question,
    asked: TableRoles,
) -> Registered:
    """Keep a model from a ready table in the registry, as challenger.

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
    return Registered(version, document)


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
    kept, champion = registry.audit(model, version), registry.champion(model)
    return decide(
        Trial(
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
