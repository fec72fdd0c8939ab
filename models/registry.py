"""The model registry: MLflow's only door.

Models are fetched as plain files and read by `models.bundle.load`, which checks their manifest;
MLflow's own loaders run what a model's folder names and are never called.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.home import Home
from models.gate import GateReport

if TYPE_CHECKING:
    from models.bundle import Bundle


@dataclass(frozen=True)
class Training:
    """What is kept of one training, in values that need no training code to read.

    Attributes
    ----------
    bundle:
        The model.
    parameters:
        Settings of the fit, by name.
    metrics:
        The metrics JSON, nested; leaves are numbers or {value, low, high}.
    audit:
        The leakage audit's findings.
    data:
        The source's fingerprint, its extracted_at, rows, accounts and dates.
    reports:
        Files for people: PNG, HTML, JSON.
    """

    bundle: "Bundle"
    parameters: Mapping[str, object]
    metrics: Mapping[str, Any]
    data: Mapping[str, object]
    audit: tuple[Mapping[str, Any], ...] = ()
    reports: tuple[Path, ...] = ()


@dataclass(frozen=True)
class RegisteredModel:
    """One version in the registry."""

    model: str
    version: str
    aliases: tuple[str, ...]
    bundle_version: str
    created_at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    commit: str = "unknown"


@dataclass(frozen=True)
class Registry:
    """Where models are kept.

    Attributes
    ----------
    home:
        Holds the default SQLite file and artifacts, and the bundles fetched so far.
    tracking_uri:
        An MLflow server or database; None: MLFLOW_TRACKING_URI, else the home's SQLite file.
    """

    home: Home
    tracking_uri: str | None = None

    def log(self, training: Training) -> str:
        """Keep a training as a run, register its bundle as challenger, give the version."""
        raise NotImplementedError

    def fetch(self, model: str, version: str) -> "Bundle":
        """Give a version's bundle; `version` is the registry's number or the bundle's own."""
        raise NotImplementedError

    def champion(self, model: str) -> "Bundle | None":
        """Give the champion of ``churn`` or ``expansion``, None when there is none yet."""
        raise NotImplementedError

    def challenger(self, model: str) -> "Bundle | None":
        """Give the newest challenger of a model, None when nothing was trained yet."""
        raise NotImplementedError

    def audit(self, model: str, version: str) -> tuple[Mapping[str, Any], ...]:
        """Give the audit's findings that were logged with a version."""
        raise NotImplementedError

    def promote(self, model: str, version: str, gate_report: GateReport) -> None:
        """Make a version the champion; raises GateError unless its own gate report passed."""
        raise NotImplementedError

    def rollback(self, model: str) -> str:
        """Give the previous champion its place back, and name its version."""
        raise NotImplementedError

    def models(self) -> tuple[RegisteredModel, ...]:
        """List every version of every model, newest first."""
        raise NotImplementedError
