"""What is kept of a training, and what comes back of it: values and files, no MLflow here."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.bundle import Bundle, save
from models.made_from import MadeFrom
from models.provenance import Provenance
from models.trials import Trial

AUDIT_FILE = "audit.json"
MADE_FROM_FILE = "made_from.json"
BUNDLE_FOLDER = "bundle"
LONGEST_PARAMETER = 6000


@dataclass(frozen=True)
class AuditRecord:
    """What was kept of a version's leakage audit.

    Attributes
    ----------
    findings:
        As JSON values.
    checks:
        By check: in a sentence, what was looked at. Empty where a version was kept before audits
        gave account of it.
    """

    findings: tuple[Mapping[str, Any], ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> "AuditRecord":
        """Read what `write_record` wrote, or the bare list of findings of earlier versions."""
        kept = json.loads(text)
        if isinstance(kept, list):
            return cls(tuple(kept))
        return cls(tuple(kept["findings"]), MappingProxyType(dict(kept["checks"])))


@dataclass(frozen=True)
class Training:
    """One training, in values that need no training code to read.

    Attributes
    ----------
    bundle:
        The model.
    parameters:
        Settings of the fit, by name.
    metrics:
        The metrics JSON, nested; leaves are numbers or {value, low, high}.
    data:
        The source's fingerprint, its extracted_at, rows, accounts and dates. No customer data.
    audit, audit_checks:
        The leakage audit's findings, as JSON values, and by check what it looked at.
    reports:
        Files for people: PNG, HTML, JSON.
    trials:
        What tuning tried, each a run below the training's.
    made_from:
        All that it takes to make the same again.
    """

    bundle: Bundle
    parameters: Mapping[str, object]
    metrics: Mapping[str, Any]
    data: Mapping[str, object]
    audit: tuple[Mapping[str, Any], ...] = ()
    reports: tuple[Path, ...] = ()
    audit_checks: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    made_from: MadeFrom | None = None


@dataclass(frozen=True)
class RegisteredModel:
    """One version in the registry.

    Attributes
    ----------
    model, version:
        ``churn`` or ``expansion``, and the registry's number.
    aliases:
        ``challenger``, ``champion``, both or neither.
    created_at:
        Naive UTC.
    metrics:
        By name, as `flat_metrics` lays them out.
    parameters:
        Settings, question, data, code and lock, as `parameters_of` names them.
    """

    model: str
    version: str
    aliases: tuple[str, ...]
    created_at: datetime
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]

    @classmethod
    def of(
        cls,
        named: Any,  # noqa: ANN401 - MLflow's model; only models.tracking imports MLflow
        version: Any,  # noqa: ANN401 - the same: its version
        run: Any,  # noqa: ANN401 - the same: the data of the version's run
        prefix: str,
    ) -> "RegisteredModel":
        """Take over what MLflow knows of a version; `prefix` is left off its model's name."""
        created = datetime.fromtimestamp(version.creation_timestamp / 1000, tz=UTC)
        aliases = [alias for alias, at in named.aliases.items() if str(at) == str(version.version)]
        return cls(
            model=named.name.removeprefix(prefix),
            version=str(version.version),
            aliases=tuple(sorted(aliases)),
            created_at=created.replace(tzinfo=None),
            metrics=dict(run.metrics),
            parameters=dict(run.params),
        )

    @property
    def data(self) -> Mapping[str, str]:
        """What it was trained on: the source's fingerprint, extract, rows and dates."""
        return {
            name.removeprefix("data."): value
            for name, value in self.parameters.items()
            if name.startswith("data.")
        }

    def to_json(self) -> dict[str, Any]:
        """Give the version as JSON values."""
        return {
            "model": self.model,
            "version": self.version,
            "aliases": list(self.aliases),
            "created_at": self.created_at.isoformat(),
            "metrics": dict(self.metrics),
            "parameters": dict(self.parameters),
        }


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Lay nested metrics out by name, ``by_horizon/90/auc`` with ``….low`` and ``….high``.

    Parameters
    ----------
    metrics:
        Nested mappings and lists; what is neither a number nor holds one is left to the JSON.

    Returns
    -------
    dict of str to float
        Finite or not: a figure that could not be computed is kept as NaN, not dropped.
    """
    return dict(_leaves(metrics, ()))


def parameters_of(training: Training, code: Provenance) -> dict[str, str]:
    """Name what the model came from: settings, question, data, code and lock, as text."""
    question = training.bundle.question
    first, border = training.bundle.as_of_range
    values: dict[str, object] = {
        **{f"fit.{name}": value for name, value in training.parameters.items()},
        **{f"data.{name}": value for name, value in training.data.items()},
        "question.outcome": question.outcome,
        "question.horizons_days": ", ".join(str(days) for days in question.horizons_days),
        "question.grace_days": question.grace_days,
        "question.change_threshold": question.change_threshold,
        "trained.first_as_of": first,
        "trained.border": border,
        "features.fingerprint": training.bundle.features_fingerprint,
        "features.count": len(training.bundle.features),
        "code.commit": code.commit,
        "code.is_dirty": code.is_dirty,
        "code.lock": code.lock,
    }
    return {name: str(value)[:LONGEST_PARAMETER] for name, value in values.items()}


def write_record(training: Training, folder: Path) -> None:
    """Write the bundle, the catalogue, the figures and the reports below a folder."""
    save(training.bundle, folder / BUNDLE_FOLDER)
    _write_json(folder / "catalogue.json", [dict(entry) for entry in training.bundle.catalogue])
    _write_json(folder / "metrics.json", training.metrics)
    _write_json(folder / "data.json", training.data)
    audit = {"checks": training.audit_checks, "findings": training.audit}
    _write_json(folder / AUDIT_FILE, audit)
    if training.made_from:
        text = training.made_from.to_text()
        (folder / MADE_FROM_FILE).write_text(text, encoding="utf-8", newline="\n")
    (folder / "report").mkdir()
    for report in training.reports:
        shutil.copyfile(report, folder / "report" / report.name)


def json_text(value: object) -> str:
    """Give a value as JSON that every reader takes: what is not finite is null."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _write_json(path: Path, value: object) -> None:
    path.write_text(json_text(value), encoding="utf-8")


def plain(value: object) -> object:
    """Give a value as JSON knows it: what is not finite is null, what has no JSON form is text."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _leaves(part, (*path, str(number)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield _metric_name(path), float(value)


def _metric_name(path: tuple[str, ...]) -> str:
    *start, last = path
    if last == "value" and start:
        name = "/".join(start)
    elif last in ("low", "high") and start:
        name = f"{'/'.join(start)}.{last}"
    else:
        name = "/".join(path)
    # MLflow takes letters, digits, underscore, dash, dot, space and slash.
    return "".join(sign if sign.isalnum() or sign in "_-. /" else "_" for sign in name)
