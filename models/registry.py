"""The model registry: what was trained, which version is champion, and what a version holds.

Models are fetched as plain files and read by `models.bundle.load`, which checks their manifest;
MLflow's own loaders run what a model's folder names and are never called.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import GateError
from features.home import Home, private
from models.backtested import Backtested, log_backtested
from models.bundle import Bundle, load
from models.gate import GateReport
from models.golden import Golden
from models.lock import alone, moved
from models.logged import ensure_named, log_training
from models.made_from import MadeFrom
from models.record import AuditRecord, RegisteredModel, Training
from models.standing import CHALLENGER, CHAMPION, PREFIX, crown, registered_name, step_back
from models.tracking import Tracking
from models.versions import Version


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

    def demand_up(self) -> None:
        """Raise ModelError unless it can be spoken to: what takes long asks before it begins."""
        self.tracking.demand_up()

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
        with self.tracking.client() as client:
            with alone(self.tracking.lock):
                experiment = self.tracking.experiment(client)
                ensure_named(client, training.bundle.question.name)
            return log_training(client, experiment, training)

    def log_backtest(self, found: Backtested) -> str:
        """Keep a back-test as a run of its own; give the run's id."""
        with self.tracking.client() as client:
            with alone(self.tracking.lock):
                experiment = self.tracking.experiment(client)
            return log_backtested(client, experiment, found)

    def fetch(self, model: str, version: str) -> Bundle:
        """Give a version's bundle, named by the registry's number.

        Raises
        ------
        ModelError
            When there is no such version, or its files are not the ones that were registered.
        """
        folder = self.folder(model, version)
        cure = f"Delete {folder}, or train the model again."
        return self._version(model, version).demanded(load(folder), cure)

    def fetch_anew(self, model: str, version: str) -> Bundle:
        """Give a version's bundle as `fetch` does, but from the registry, not as kept at home.

        Raises
        ------
        ModelError
            When there is no such version, or its files are not the ones that were registered.
        """
        registered = self._version(model, version)
        with tempfile.TemporaryDirectory(prefix="tenure-anew-") as aside:
            cure = "The registry's files were exchanged: train the model again."
            return registered.demanded(load(registered.bundle_into(aside)), cure)

    def golden(self, model: str, version: str) -> Golden:
        """Give the golden set that was kept with a version.

        Raises
        ------
        ModelError
            When there is no such version, it has no golden set, or that was changed.
        """
        return self._version(model, version).golden()

    def folder(self, model: str, version: str) -> Path:
        """Give the local folder of a version's bundle; fetched once, then kept below the home."""
        registered = self._version(model, version)
        target = self.home.bundles / model / f"{version}-{registered.run_id}"
        if not target.is_dir():
            private(private(self.home.bundles) / model)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as aside:
                moved(registered.bundle_into(aside), target)
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
        return self._version(model, version).audit()

    def made_from(self, model: str, version: str) -> MadeFrom:
        """Give what a version was made from.

        Raises
        ------
        ModelError
            When there is no such version, it has no such record, or that was changed.
        """
        return self._version(model, version).made_from()

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
        with self.tracking.client() as client:
            crown(client, model, version, present, gate_report.to_json())

    def rollback(self, model: str) -> str:
        """Give the previous champion its place back, and name its version.

        Raises
        ------
        ModelError
            When no earlier champion is remembered.
        """
        present = self.version_of(model, CHAMPION)
        with self.tracking.client() as client:
            return step_back(client, model, present)

    def models(self) -> tuple[RegisteredModel, ...]:
        """List every version of every model: by name, newest first."""
        with self.tracking.client() as client:
            return tuple(
                RegisteredModel.of(registered, version, client.get_run(version.run_id).data, PREFIX)
                for registered in client.search_registered_models(f"name LIKE '{PREFIX}%'")
                for version in sorted(
                    client.search_model_versions(f"name = '{registered.name}'"),
                    key=lambda version: -int(version.version),
                )
            )

    @property
    def tracking(self) -> Tracking:
        """The place that keeps them."""
        return Tracking(self.home, self.tracking_uri)

    def _registered(self, model: str) -> Any:  # noqa: ANN401 - MLflow's model or None
        with self.tracking.client() as client:
            found = client.search_registered_models(f"name = '{registered_name(model)}'")
        return found[0] if found else None

    def _version(self, model: str, version: str) -> Version:
        return Version.of(self.tracking, model, version)
