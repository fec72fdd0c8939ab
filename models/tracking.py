"""Where models are tracked, and how that place is spoken to: MLflow's only door."""

import os
import time
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import ModelError
from features.home import Home, private
from models.bundle import Bundle
from models.lock import alone
from models.outage import damaged, demand_address, demand_database, demand_folder, gone, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

EXPERIMENT = "tenure"
_METRICS_A_BATCH, _PARAMETERS_A_BATCH = 1000, 100


@dataclass(frozen=True)
class Tracking:
    """An MLflow server or database.

    Attributes
    ----------
    home:
        Holds the default SQLite file and artifacts.
    uri:
        Names another place; None: MLFLOW_TRACKING_URI, else the home's SQLite file.
    """

    home: Home
    uri: str | None = None

    @contextmanager
    def client(self) -> "Iterator[MlflowClient]":
        """Speak to MLflow, and say in one sentence where it cannot be spoken to.

        MLflow is imported late: it takes seconds, and most verbs do without.

        Raises
        ------
        ModelError
            When it does not answer, or its database cannot be used.
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

    def demand_up(self) -> None:
        """Raise ModelError unless it answers: asked before a long piece of work, not after it."""
        with self.client() as client:
            client.search_registered_models(max_results=1)

    @property
    def lock(self) -> Path:
        """The file by which one process at a time sets things up."""
        return self.home.mlflow_database.with_suffix(".lock")

    def experiment(self, client: "MlflowClient") -> str:
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

    def download(self, run_id: str, path: str, aside: str) -> Path:
        """Fetch a run's file or folder into a folder of this machine.

        Raises
        ------
        ModelError
            When it is not where the registry says.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - imported late, see client

        with self.client() as client:
            kept = client.get_run(run_id).info.artifact_uri
            try:
                return Path(client.download_artifacts(run_id, path, aside))
            except (MlflowException, OSError) as error:
                raise gone(f"{kept}/{path}", at_home=self._is_default()) from error

    def _opened(self) -> "MlflowClient":
        """Open MLflow; only one process at a time sets up the default database."""
        from mlflow import MlflowClient  # noqa: PLC0415 - imported late, see client

        uri = self._address()
        if not self._is_default():
            return MlflowClient(tracking_uri=uri)
        with alone(self.lock):
            # Two processes that migrate one new file at once leave it broken for good.
            client = MlflowClient(tracking_uri=uri)
            client.search_registered_models(max_results=1)
            return client

    def _is_default(self) -> bool:
        return self.uri is None and not os.environ.get("MLFLOW_TRACKING_URI")

    def _unusable(self, error: Exception) -> ModelError:
        if self._is_default():
            return damaged(self.home.mlflow_database, error)
        return unreachable(self.uri or os.environ["MLFLOW_TRACKING_URI"], error)

    def _address(self) -> str | None:
        """Name the default database, or leave the choice to MLFLOW_TRACKING_URI."""
        if not self._is_default():
            return self.uri
        database = str(self.home.mlflow_database.resolve())
        demand_address(database, self.home.root)
        private(self.home.root)
        demand_database(self.home.mlflow_database, self.home.mlflow_artifacts)
        self.home.mlflow_database.touch(mode=0o600)
        return f"sqlite:///{database}"


def log_values(
    client: "MlflowClient", run_id: str, metrics: Mapping[str, float], parameters: Mapping[str, str]
) -> None:
    """Write a run's metrics and parameters, in as few calls as MLflow takes."""
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - imported late, see Tracking.client

    now = int(time.time() * 1000)
    figures = [Metric(*item, now, 0) for item in metrics.items()]
    settings = [Param(*item) for item in parameters.items()]
    for start in range(0, len(figures), _METRICS_A_BATCH):
        client.log_batch(run_id, metrics=figures[start : start + _METRICS_A_BATCH])
    for start in range(0, len(settings), _PARAMETERS_A_BATCH):
        client.log_batch(run_id, params=settings[start : start + _PARAMETERS_A_BATCH])


def write_mlmodel(file: Path, run_id: str, bundle: Bundle, folder: str) -> None:
    """Describe a model to MLflow: its signature, and a flavour that MLflow cannot run."""
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415 - see Tracking.client
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415 - imported late, see Tracking.client

    inputs = [
        ColSpec("string" if name in bundle.categories else "double", name, required=False)
        for name in bundle.features
    ]
    outputs = [ColSpec("double", f"{days}d") for days in bundle.question.horizons_days]
    Model(
        run_id=run_id,
        flavors={"tenure": {"bundle": folder, "digest": bundle.digest}},
        signature=ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs)),
    ).save(file)
