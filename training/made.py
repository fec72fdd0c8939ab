"""What a training was made from and what came of it, for the registry to keep."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.built import Built
from features.catalog import fingerprints
from features.checked import CheckedSource
from features.declare import Feature
from models.asked import asked
from models.bundle import Bundle
from models.made_from import History, MadeFrom, ReadyTable, Result, TableRoles, sha256_of
from models.provenance import provenance
from models.question import Question
from training.fit import Params
from training.table import TableTrained


def made_from_history(
    built: Built, question: Question, params: Params, bundle: Bundle, scored: pd.DataFrame
) -> MadeFrom:
    """Put on record how a model was made from a source.

    Parameters
    ----------
    question
        As it was asked.
    scored
        The rows that the model was tested on, with their probabilities.
    """
    history = History(
        fingerprint=built.source.fingerprint,
        extracted_at=built.source.extracted_at.isoformat(),
        tables=table_digests(built.source),
        dates=tuple(stamp.date() for stamp in sorted(built.states["as_of"].unique())),
        features_fingerprint=bundle.features_fingerprint,
        features=asked_fingerprints(question, built.features),
    )
    result = result_of(bundle, score_digest(bundle, scored), len(scored))
    return MadeFrom(question, asdict(params), history, provenance(), result)


def made_from_table(
    trained: TableTrained, path: Path, question: Question, roles: TableRoles
) -> MadeFrom:
    """Put on record how a model was made from a ready table."""
    table = ReadyTable(
        name=path.name,
        sha256=file_digest(path),
        label=roles.label,
        time=roles.time,
        group=roles.group,
        accept=roles.accept,
        sets_aside=trained.sets_aside,
    )
    return MadeFrom(question, asdict(trained.params), table, provenance(), table_result(trained))


def asked_fingerprints(question: Question, features: Sequence[Feature]) -> dict[str, str]:
    """Give the fingerprint of each feature that a question asks for, by column."""
    return fingerprints(asked(question, features))


def table_digests(source: CheckedSource) -> dict[str, str]:
    """Give by table a SHA-256 over the digests of its checked files."""
    by_table: dict[str, list[str]] = {}
    for name, stored in sorted(source.files.items()):
        by_table.setdefault(name.partition("/")[0].removesuffix(".parquet"), []).append(
            stored.sha256
        )
    return {table: sha256_of(" ".join(found)) for table, found in sorted(by_table.items())}


def file_digest(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def result_of(bundle: Bundle, scores: str, rows: int) -> Result:
    """Say what came of a training."""
    return Result(numbers=sha256_of(bundle.model_file[1]), scores=scores, rows=rows)


def table_result(trained: TableTrained) -> Result:
    """Say what came of a training on a ready table; its scores are those of the held-out rows."""
    scores = _digest(trained.rows.astype(str), trained.held_out.probabilities.T)
    return result_of(trained.bundle, scores, len(trained.rows))


def score_digest(bundle: Bundle, scored: pd.DataFrame) -> str:
    """Give the SHA-256 over rows' names and probabilities at all horizons, to the last bit."""
    columns = [f"probability__{days}d" for days in bundle.question.horizons_days]
    names = scored["account_id"].astype(str) + " " + scored["as_of"].astype(str)
    return _digest(names.to_numpy(dtype=object), scored[columns].to_numpy(dtype=float))


def _digest(names: NDArray[Any], probabilities: NDArray[np.float64]) -> str:
    found = hashlib.sha256("\n".join(names).encode())
    found.update(np.ascontiguousarray(probabilities, dtype="<f8").tobytes())
    return found.hexdigest()
