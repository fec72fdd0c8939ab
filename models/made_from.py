"""What a model was made from and what came of it: all that it takes to make the same again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from features.errors import ModelError
from models.provenance import Provenance
from models.question import Question, question_from_json


@dataclass(frozen=True)
class History:
    """A checked source, and the features that were built from it.

    Attributes
    ----------
    fingerprint, extracted_at
        Of the checked source; naive UTC.
    tables
        By table a SHA-256 over its checked content.
    dates
        The snapshots.
    features_fingerprint
        Of the declarations that the question asked for.
    features
        By column each one's own fingerprint.
    """

    fingerprint: str
    extracted_at: str
    tables: Mapping[str, str]
    dates: tuple[date, ...]
    features_fingerprint: str
    features: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TableRoles:
    """What is asked of a ready feature table.

    Attributes
    ----------
    label
        The column of 0 and 1, or yes and no; empty is unknown. By default the one called `label`,
        or like the model.
    time
        The date column; by default as_of, where there is one.
    group
        What must not stand on both sides of a fold, and is resampled; by default account_id.
    accept
        Columns that the leakage audit would leave out and that are to be used all the same, and
        checks whose findings somebody takes on by name.
    """

    label: str | None = None
    time: str | None = None
    group: str | None = None
    accept: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadyTable(TableRoles):
    """A ready feature table: its file's name and SHA-256, and what was asked of it.

    Attributes
    ----------
    sets_aside
        Whether a part of its rows was drawn and set aside to test on, for want of dates.
    """

    name: str
    sha256: str
    sets_aside: bool = False


@dataclass(frozen=True)
class Result:
    """What came of a training.

    Attributes
    ----------
    numbers
        SHA-256 of the booster's text, or of the linear model's.
    scores
        SHA-256 over the probabilities of the rows that the model was tested on, to the last bit,
        with each row's name.
    rows
        How many rows those are.
    """

    numbers: str
    scores: str
    rows: int


@dataclass(frozen=True)
class MadeFrom:
    """A training on record.

    Attributes
    ----------
    question
        As it was asked: with the horizons that the history did not bear out.
    fit
        The settings of the fit, by name, the seed among them: as usual, as tuned or as chosen.
    data
        What it was trained on.
    code
        The code and the lock that trained.
    result
        What came of it.
    """

    question: Question
    fit: Mapping[str, Any]
    data: History | ReadyTable
    code: Provenance
    result: Result

    def to_text(self) -> str:
        """Give the record as JSON text, the same for equal records."""
        kind = "history" if isinstance(self.data, History) else "ready_table"
        return json.dumps(asdict(self) | {"kind": kind}, indent=2, default=_plain) + "\n"


def sha256_of(text: str) -> str:
    """Give the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def demand_registered(text: str, registered: str | None, what: str) -> None:
    """Refuse a text that is not the one whose SHA-256 the registry keeps.

    Raises
    ------
    ModelError
        When it is another.
    """
    found = sha256_of(text)
    if found != registered:
        raise ModelError(
            f"Expected the {what} with the SHA-256 {registered}, got {found}: it was changed "
            "since. Restore it from a copy, or train the model again."
        )


def made_from_text(text: str, registered: str | None, version: str) -> MadeFrom:
    """Read a record back.

    Parameters
    ----------
    registered
        SHA-256 of the text that the registry keeps with the version.
    version
        Model and number, for the error.

    Raises
    ------
    ModelError
        When the text is not the one that was registered.
    """
    demand_registered(text, registered, f"record of {version}")
    kept = json.loads(text)
    read = _history if kept["kind"] == "history" else _ready_table
    return MadeFrom(
        question=question_from_json(kept["question"]),
        fit=kept["fit"],
        data=read(kept["data"]),
        code=Provenance(**kept["code"]),
        result=Result(**kept["result"]),
    )


def _history(kept: Mapping[str, Any]) -> History:
    dates = tuple(date.fromisoformat(day) for day in kept["dates"])
    return History(**{**kept, "dates": dates})


def _ready_table(kept: Mapping[str, Any]) -> ReadyTable:
    return ReadyTable(**{**kept, "accept": tuple(kept["accept"])})


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    msg = f"Expected a value that JSON knows, got {type(value).__name__}."
    raise TypeError(msg)
