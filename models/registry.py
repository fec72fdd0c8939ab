"""The model registry: MLflow's only door.

Models are fetched as plain files and read by `models.bundle.load`, which checks their manifest;
MLflow's own loaders run what a model's folder names and are never called.
"""

import json
import os
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import GateError, ModelError
from features.home import Home, private
from models.backtested import Backtested, log_backtested
from models.bundle import Bundle, load
from models.gate import GateReport
from models.lock import alone, moved
from models.made_from import MadeFrom, made_from_text, sha256_of
from models.outage import damaged, demand_address, demand_folder, gone, unreachable
from models.provenance import provenance
from models.record import (
    AUDIT_FILE,
    BUNDLE_FOLDER,
    MADE_FROM_FILE,
    AuditRecord,
    RegisteredModel,
    Training,
    flat_metrics,
    parameters_of,
    write_record,
)
from models.trials import log_trials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.entities.model_registry import RegisteredModel as NamedModel

EXPERIMENT = "tenure"
PREFIX = "tenure-"
CHALLENGER, CHAMPION = "challenger", "champion"
ROOT = "model"
_PREVIOUS, _MADE_FROM = "previous_champions", "made_from"
_METRICS_A_BATCH, _PARAMETERS_A_BATCH = 1000, 100


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
        """Keep a training as a run and register its bundle as challenger.

        Parameters
        ----------
        training:
            The model and what is known of its making; no customer rows are kept.

        Returns
        -------
        str
            The version that the registry gave.
        """
        with self._client() as client:
            with alone(self._lock):
                experiment = self._experiment(client)
                _name(client, training.bundle)
            named = training.bundle.question.name
            run_id = client.create_run(experiment, run_name=named).info.run_id
            try:
                _log_figures(client, run_id, training)
                log_trials(client, experiment, run_id, training.trials)
                _log_files(client, run_id, training)
                version = _register(client, run_id, training)
            except BaseException:
                client.set_terminated(run_id, status="FAILED")
                raise
            client.set_terminated(run_id)
        return version

    def log_backtest(self, found: Backtested) -> str:
        """Keep a back-test as a run of its own; give the run's id."""
        with self._client() as client:
            with alone(self._lock):
                experiment = self._experiment(client)
            return log_backtested(client, experiment, found)

    def fetch(self, model: str, version: str) -> Bundle:
        """Give a version's bundle, named by the registry's number.

        Raises
        ------
        ModelError
            When there is no such version, or its files are not the ones that were registered.
        """
        folder = self.folder(model, version)
        bundle = load(folder)
        registered = self._version(model, version).tags.get("digest")
        if bundle.digest != registered:
            raise ModelError(
                f"Expected {model} {version} with digest {registered}, got {bundle.digest} in "
                f"{folder}. Delete that folder, or train the model again."
            )
        return bundle.with_version(str(version))

    def folder(self, model: str, version: str) -> Path:
        """Give the local folder of a version's bundle; fetched once, then kept below the home."""
        registered = self._version(model, version)
        target = self.home.bundles / model / f"{version}-{registered.run_id}"
        if not target.is_dir():
            private(private(self.home.bundles) / model)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as aside:
                moved(self._download(registered.run_id, f"{ROOT}/{BUNDLE_FOLDER}", aside), target)
        return target

    def champion(self, model: str) -> Bundle | None:
        """Give the champion's bundle, None when none was promoted yet."""
        version = self.version_of(model, CHAMPION)
        return None if version is None else self.fetch(model, version)

    def challenger(self, model: str) -> Bundle | None:
        """Give the newest challenger's bundle, None when nothing was trained yet."""
        version = self.version_of(model, CHALLENGER)
        return None if version is None else self.fetch(model, version)

    def version_of(self, model: str, alias: str) -> str | None:
        """Give the version that carries an alias, None when none does."""
        registered = self._registered(model)
        version = None if registered is None else registered.aliases.get(alias)
        return None if version is None else str(version)

    def audit(self, model: str, version: str) -> AuditRecord:
        """Give the leakage audit that was kept with a version."""
        return AuditRecord.from_json(self._kept(self._version(model, version).run_id, AUDIT_FILE))

    def made_from(self, model: str, version: str) -> MadeFrom:
        """Give what a version was made from.

        Raises
        ------
        ModelError
            When there is no such version, it has no such record, or that was changed.
        """
        registered, which = self._version(model, version), f"{model} {version}"
        if _MADE_FROM not in registered.tags:
            raise ModelError(
                f"Expected a record of what {which} was made from, got a version older than such "
                f"records. Train it anew: tenure train {model}"
            )
        text = self._kept(registered.run_id, MADE_FROM_FILE)
        return made_from_text(text, registered.tags[_MADE_FROM], which)

    def promote(self, model: str, version: str, gate_report: GateReport) -> None:
        """Make a version the champion.

        Raises
        ------
        GateError
            When the report did not pass, is about another version, or compared with a champion
            that is not the present one.
        """
        version, present = str(version), self.version_of(model, CHAMPION)
        gate_report.demand()
        judged = (gate_report.model, gate_report.challenger, gate_report.champion)
        if judged != (model, version, present):
            raise GateError(
                f"Expected a gate report on {model} {version} against champion {present}, got one "
                f"on {judged[0]} {judged[1]} against {judged[2]}. Compute the gates again."
            )
        earlier = self._previous(model)
        with self._client() as client:
            if present is not None and present != version:
                # The way back is written first: a crash between the two leaves the old champion.
                _remember(client, model, [*earlier, present])
            gates = json.dumps(gate_report.to_json())
            client.set_model_version_tag(PREFIX + model, version, "gates", gates)
            client.set_registered_model_alias(PREFIX + model, CHAMPION, version)

    def rollback(self, model: str) -> str:
        """Give the previous champion its place back, and name its version.

        Raises
        ------
        ModelError
            When no earlier champion is remembered.
        """
        present = self.version_of(model, CHAMPION)
        earlier = self._previous(model)
        while earlier and earlier[-1] == present:
            earlier.pop()
        if not earlier:
            raise ModelError(
                f"Expected an earlier champion of {model} to go back to, got none. "
                "tenure models lists what there is."
            )
        with self._client() as client:
            client.set_registered_model_alias(PREFIX + model, CHAMPION, earlier[-1])
            _remember(client, model, earlier[:-1])
        return earlier[-1]

    def models(self) -> tuple[RegisteredModel, ...]:
        """List every version of every model: by name, newest first."""
        with self._client() as client:
            return tuple(
                RegisteredModel.of(registered, version, client.get_run(version.run_id).data, PREFIX)
                for registered in client.search_registered_models(f"name LIKE '{PREFIX}%'")
                for version in _newest_first(client, registered.name)
            )

    @contextmanager
    def _client(self) -> "Iterator[MlflowClient]":
        """Speak to MLflow, and say in one sentence where it cannot be spoken to.

        MLflow is imported late: it takes seconds, and most verbs do without.
        """
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # MLflow's own seven retries keep a person waiting for minutes before they read why.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        with warnings.catch_warnings():
            # MLflow maps its tables with a loader that SQLAlchemy 2.1 deprecates.
            warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 - imported late, see above
            from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - imported late, see above

            try:
                yield self._opened()
            except (MlflowException, SQLAlchemyError) as error:
                raise self._unusable(error) from error

    def _opened(self) -> "MlflowClient":
        """Open MLflow; only one process at a time sets up the default database."""
        from mlflow import MlflowClient  # noqa: PLC0415 - imported late, see _client

        uri = self._uri()
        if not self._is_default():
            return MlflowClient(tracking_uri=uri)
        with alone(self._lock):
            # Two processes that migrate one new file at once leave it broken for good.
            client = MlflowClient(tracking_uri=uri)
            client.search_registered_models(max_results=1)
            return client

    @property
    def _lock(self) -> Path:
        return self.home.mlflow_database.with_suffix(".lock")

    def _is_default(self) -> bool:
        return self.tracking_uri is None and not os.environ.get("MLFLOW_TRACKING_URI")

    def _unusable(self, error: Exception) -> ModelError:
        if self._is_default():
            return damaged(self.home.mlflow_database, error)
        return unreachable(self.tracking_uri or os.environ["MLFLOW_TRACKING_URI"], error)

    def _uri(self) -> str | None:
        """Name the default database, or leave the choice to MLFLOW_TRACKING_URI."""
        if not self._is_default():
            return self.tracking_uri
        database = str(self.home.mlflow_database.resolve())
        demand_address(database, self.home.root)
        private(self.home.root)
        self.home.mlflow_database.touch(mode=0o600)
        return f"sqlite:///{database}"

    def _experiment(self, client: "MlflowClient") -> str:
        """Find the experiment, or make it; beside the default database lie its artifacts."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        where = None
        if self._is_default():
            where = private(self.home.mlflow_artifacts).resolve().as_uri()
        found = client.get_experiment_by_name(name)
        if found is not None:
            if where is not None:
                demand_folder(found.artifact_location)
            return str(found.experiment_id)
        return str(client.create_experiment(name, artifact_location=where))

    def _registered(self, model: str) -> "NamedModel | None":
        with self._client() as client:
            found = client.search_registered_models(f"name = '{PREFIX}{_word(model)}'")
        return found[0] if found else None

    def _version(self, model: str, version: str) -> "ModelVersion":
        with self._client() as client:
            found = client.search_model_versions(f"name = '{PREFIX}{_word(model)}'")
        for candidate in found:
            if str(candidate.version) == str(version):
                return candidate
        known = ", ".join(str(each.version) for each in found) or "none"
        raise ModelError(
            f"Expected a version of {model} in the registry, got {version}; there are: {known}. "
            f"Run tenure train {model}, or name one of those."
        )

    def _previous(self, model: str) -> list[str]:
        registered = self._registered(model)
        return list(json.loads(registered.tags.get(_PREVIOUS, "[]"))) if registered else []

    def _kept(self, run_id: str, name: str) -> str:
        with tempfile.TemporaryDirectory(prefix="tenure-record-") as aside:
            return self._download(run_id, f"{ROOT}/{name}", aside).read_text(encoding="utf-8")

    def _download(self, run_id: str, path: str, aside: str) -> Path:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - imported late, see _client

        with self._client() as client:
            kept = client.get_run(run_id).info.artifact_uri
            try:
                return Path(client.download_artifacts(run_id, path, aside))
            except (MlflowException, OSError) as error:
                raise gone(f"{kept}/{path}", at_home=self._is_default()) from error


def _word(model: str) -> str:
    if not model.isidentifier():
        raise ModelError(f"Expected a model's name, as churn or expansion, got {model!r}.")
    return model


def _log_figures(client: "MlflowClient", run_id: str, training: Training) -> None:
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - imported late

    now = int(time.time() * 1000)
    metrics = [Metric(*item, now, 0) for item in flat_metrics(training.metrics).items()]
    parameters = [Param(*item) for item in parameters_of(training, provenance()).items()]
    for start in range(0, len(metrics), _METRICS_A_BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_BATCH])
    for start in range(0, len(parameters), _PARAMETERS_A_BATCH):
        client.log_batch(run_id, params=parameters[start : start + _PARAMETERS_A_BATCH])


def _log_files(client: "MlflowClient", run_id: str, training: Training) -> None:
    with tempfile.TemporaryDirectory(prefix="tenure-record-") as aside:
        folder = Path(aside)
        write_record(training, folder)
        _write_mlmodel(folder / "MLmodel", run_id, training.bundle)
        client.log_artifacts(run_id, aside, ROOT)


def _write_mlmodel(file: Path, run_id: str, bundle: Bundle) -> None:
    """Describe the model to MLflow: its signature, and a flavour that MLflow cannot run."""
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415 - imported late
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415 - imported late

    inputs = [
        ColSpec("string" if name in bundle.categories else "double", name, required=False)
        for name in bundle.features
    ]
    outputs = [ColSpec("double", f"{days}d") for days in bundle.question.horizons_days]
    Model(
        run_id=run_id,
        flavors={"tenure": {"bundle": BUNDLE_FOLDER, "digest": bundle.digest}},
        signature=ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs)),
    ).save(file)


def _name(client: "MlflowClient", bundle: Bundle) -> None:
    name = PREFIX + _word(bundle.question.name)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)


def _register(client: "MlflowClient", run_id: str, training: Training) -> str:
    bundle = training.bundle
    name = PREFIX + bundle.question.name
    tags = {"digest": bundle.digest, "features_fingerprint": bundle.features_fingerprint}
    if training.made_from:
        tags[_MADE_FROM] = sha256_of(training.made_from.to_text())
    created = client.create_model_version(name, f"runs:/{run_id}/{ROOT}", run_id, tags=tags)
    client.set_registered_model_alias(name, CHALLENGER, str(created.version))
    return str(created.version)


def _remember(client: "MlflowClient", model: str, versions: list[str]) -> None:
    client.set_registered_model_tag(PREFIX + model, _PREVIOUS, json.dumps(versions))


def _newest_first(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    versions = client.search_model_versions(f"name = '{name}'")
    return sorted(versions, key=lambda version: int(version.version), reverse=True)
