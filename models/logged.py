"""A training as a run, and its model as a version: what is written, and under which tags."""

import tempfile
from pathlib import Path
from typing import Any

from models.golden import GOLDEN_FILE, golden_set
from models.made_from import sha256_of
from models.provenance import provenance
from models.record import BUNDLE_FOLDER, Training, flat_metrics, parameters_of, write_record
from models.standing import alias_of, registered_name
from models.tracking import log_values, write_mlmodel
from models.trials import log_trials

ROOT = "model"
"""The folder of a run that holds what `models.record.write_record` writes."""

DIGEST, MADE_FROM, GOLDEN = "digest", "made_from", "golden"
"""A version's tags: SHA-256 of its bundle, of what it was made from, and of its golden set."""


def ensure_named(
    client: Any,  # noqa: ANN401 - MLflow's client; only models.tracking imports MLflow
    model: str,
) -> None:
    """Register a model's name, where it is new."""
    name = registered_name(model)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)


def log_training(
    client: Any,  # noqa: ANN401 - the same
    experiment: str,
    training: Training,
) -> str:
    """Keep a training as a run and register its bundle: as challenger, if it is of a source.

    Returns
    -------
    str
        The version that the registry gave. A run that could not be written to its end is FAILED.
    """
    run_id = client.create_run(experiment, run_name=training.bundle.question.name).info.run_id
    try:
        metrics = flat_metrics(training.metrics)
        log_values(client, run_id, metrics, parameters_of(training, provenance()))
        log_trials(client, experiment, run_id, training.trials)
        golden = golden_set(training.bundle).to_text()
        _log_files(client, run_id, training, golden)
        version = _register(client, run_id, training, golden)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)
    return version


def _log_files(
    client: Any,  # noqa: ANN401 - the same
    run_id: str,
    training: Training,
    golden: str,
) -> None:
    with tempfile.TemporaryDirectory(prefix="tenure-record-") as aside:
        folder = Path(aside)
        write_record(training, folder)
        (folder / GOLDEN_FILE).write_text(golden, encoding="utf-8", newline="\n")
        write_mlmodel(folder / "MLmodel", run_id, training.bundle, BUNDLE_FOLDER)
        client.log_artifacts(run_id, aside, ROOT)


def _register(
    client: Any,  # noqa: ANN401 - the same
    run_id: str,
    training: Training,
    golden: str,
) -> str:
    bundle = training.bundle
    name = registered_name(bundle.question.name)
    tags = {
        DIGEST: bundle.digest,
        GOLDEN: sha256_of(golden),
        "features_fingerprint": bundle.features_fingerprint,
    }
    if training.made_from:
        tags[MADE_FROM] = sha256_of(training.made_from.to_text())
    created = client.create_model_version(name, f"runs:/{run_id}/{ROOT}", run_id, tags=tags)
    client.set_registered_model_alias(name, alias_of(bundle), str(created.version))
    return str(created.version)
