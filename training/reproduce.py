"""Training a registered version again from its record, and comparing what comes of it."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from features.built import built
from features.catalog import available, features_fingerprint
from features.checked import CheckedSource, verify
from features.errors import FeatureError, ModelError, SourceError
from features.home import Home
from features.own.harvest import Own
from models.asked import asked
from models.bundle import Bundle, load, save
from models.made_from import History, MadeFrom, ReadyTable, Result
from models.provenance import Provenance, provenance
from models.registry import Registry
from training.bundling import fit_bundle
from training.fit import BoosterParams, recorded_params
from training.made import (
    asked_fingerprints,
    file_digest,
    result_of,
    score_digest,
    table_digests,
    table_result,
)
from training.prepare import prepared
from training.table import train_table
from training.table_file import read_table
from training.tested import scored_later

SHOWN = 12
NAMED = 5

_SAID_OTHERWISE = frozenset({"version", "trained_at"})
_WORDS = {"booster_text": "trees", "linear": "weights"}


@dataclass(frozen=True)
class Kept:
    """A registered version: its model and number, what it was made from, and the model itself."""

    model: str
    version: str
    made_from: MadeFrom
    bundle: Bundle

    @classmethod
    def of(cls, registry: Registry, model: str, version: str) -> "Kept":
        """Take a version from the registry's own files, not from the copies kept at home.

        Raises
        ------
        ModelError
            When there is no such version, or its record or its model was changed.
        """
        made_from = registry.made_from(model, version)
        return cls(model, version, made_from, registry.fetch_anew(model, version))

    @property
    def name(self) -> str:
        """Model and number."""
        return f"{self.model} {self.version}"


@dataclass(frozen=True)
class Reproduced:
    """How a training that was done again compares with the one on record.

    Attributes
    ----------
    kept
        The version on record.
    result
        What came of it this time.
    differing
        What is not the same to the last bit: trees, calibration, scores, …; empty where all is.
    remarks
        In which code and lock differ from those that trained, in sentences.
    """

    kept: Kept
    result: Result
    differing: tuple[str, ...]
    remarks: tuple[str, ...]

    def text(self) -> str:
        """Say in a line what was compared, and what was found of the code."""
        said = _listed(self.differing)
        found = f"other {said}" if said else "the same trees, and the same scores"
        compared = f"{self.kept.name} again: {found} of {self.result.rows:,} later rows"
        digest = self.kept.made_from.result.scores[:SHOWN]
        return "\n".join([f"{compared}, SHA-256 on record {digest}", *self.remarks])

    def to_json(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        on_record = self.kept.made_from.result
        return {
            "model": self.kept.model,
            "version": self.kept.version,
            "is_equal": not self.differing,
            "differing": list(self.differing),
            "remarks": list(self.remarks),
            "rows": self.result.rows,
            "scores": on_record.scores,
            "scores_again": self.result.scores,
            "numbers": on_record.numbers,
            "numbers_again": self.result.numbers,
        }

    def demand(self) -> None:
        """Raise ModelError unless trees and scores are the same to the last bit."""
        if not self.differing:
            return
        cure = (
            "The code or the lock is another: train again with the release that trained."
            if self.remarks
            else "Data, features, code and lock are the same: the settings on record are not those "
            "that trained, or this machine computes otherwise. Train anew, and compare the two."
        )
        raise ModelError(
            f"Expected the trees and scores of {self.kept.name} to the last bit, got other "
            f"{_listed(self.differing)}. {cure}"
        )


def reproduce(
    kept: Kept,
    source: CheckedSource,
    *,
    own: Own | None = None,
    progress: Callable[[str], None] | None = None,
) -> Reproduced:
    """Build the features of a version anew, train as its record says, and compare.

    Parameters
    ----------
    source
        Must be the data that the version was trained on.
    own
        The company's own features, which it may have learned from.

    Raises
    ------
    SourceError
        When the source is another, or its checked files were changed.
    FeatureError
        When the features are others.
    ModelError
        When the version was trained on a ready table, or with settings that this code has not.
    """
    say = progress or _silent
    history, own, question = _history(kept), own or Own(), kept.made_from.question
    params = recorded_params(kept.made_from.fit)
    _demand_data(kept.name, history, source)
    verify(source, source.files)
    _demand_features(kept, history, source, own)
    with tempfile.TemporaryDirectory(prefix="tenure-again-") as aside:
        say("building its features anew")
        home = Home(Path(aside))
        table = built(source, history.dates, home=home, own=own, touches=question.touches)
    say("training as its record says")
    ready = prepared(table, question)
    bundle = fit_bundle(ready.rows, ready.question, ready.features, ready.split, params)
    scored = scored_later(bundle, ready.rows, ready.split)
    return _compared(kept, bundle, result_of(bundle, score_digest(bundle, scored), len(scored)))


def reproduce_table(kept: Kept, path: Path | None) -> Reproduced:
    """Train on a ready table as a version's record says, and compare.

    Raises
    ------
    SourceError
        When it is not the file that the version was trained on.
    ModelError
        When the version was not trained on a table, or with settings that this code has not.
    """
    table, params = kept.made_from.data, recorded_params(kept.made_from.fit)
    if not isinstance(table, ReadyTable) or not isinstance(params, BoosterParams):
        raise ModelError(
            f"Expected a version that was trained on a ready table, got {kept.name}, which was "
            "trained on a source. Leave --table out."
        )
    found = file_digest(path) if path and path.is_file() else "no such file"
    if path is None or found != table.sha256:
        raise SourceError(
            f"Expected the table that {kept.name} was trained on, {table.name} with the SHA-256 "
            f"{table.sha256[:SHOWN]}…, got {found[:SHOWN]}{f' in {path}' if path else ''}. "
            "Name that file with --table."
        )
    question, aside = kept.made_from.question, table.sets_aside
    trained = train_table(read_table(path), question, table, params=params, sets_aside=aside)
    return _compared(kept, trained.bundle, table_result(trained))


def _history(kept: Kept) -> History:
    if isinstance(kept.made_from.data, History):
        return kept.made_from.data
    raise ModelError(
        f"Expected a version that was trained on a source, got {kept.name}, which was trained on "
        "a ready table. Name that with --table."
    )


def _demand_data(name: str, history: History, source: CheckedSource) -> None:
    if source.fingerprint == history.fingerprint:
        return
    changed = _changes(history.tables, table_digests(source))
    what = f"its tables differ: {changed}" if changed else "its tables are the same, read otherwise"
    raise SourceError(
        f"Expected the data that {name} was trained on, extracted at {history.extracted_at} with "
        f"the fingerprint {history.fingerprint[:SHOWN]}…, got {source.fingerprint[:SHOWN]}…: "
        f"{what}. Name that extract with --source, or train anew."
    )


def _demand_features(kept: Kept, history: History, source: CheckedSource, own: Own) -> None:
    question = kept.made_from.question
    features = available(source, own.features, touches=question.touches)
    found = features_fingerprint(asked(question, features))
    if found == history.features_fingerprint:
        return
    changed = _changes(history.features, asked_fingerprints(question, features))
    raise FeatureError(
        f"Expected the features that {kept.name} was trained on, with the fingerprint "
        f"{history.features_fingerprint[:SHOWN]}…, got {found[:SHOWN]}…: they differ: "
        f"{changed or 'in their order'}. Use the release and the feature files that trained, or "
        "train anew."
    )


def _changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Name what is other, gone or new; nothing where all is the same."""
    told = {
        "changed": [name for name in then if name in now and then[name] != now[name]],
        "gone": [name for name in then if name not in now],
        "new": [name for name in now if name not in then],
    }
    return "; ".join(f"{word} {_few(names)}" for word, names in told.items() if names)


def _few(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _compared(kept: Kept, bundle: Bundle, result: Result) -> Reproduced:
    return Reproduced(
        kept=kept,
        result=result,
        differing=tuple(_differing(kept, bundle, result)),
        remarks=tuple(_remarks(kept.made_from.code, provenance())),
    )


def _differing(kept: Kept, bundle: Bundle, result: Result) -> Iterator[str]:
    # Written and read back, as the one on record was: JSON knows no tuples.
    with tempfile.TemporaryDirectory(prefix="tenure-again-") as aside:
        save(bundle, Path(aside))
        again = load(Path(aside))
    on_record = kept.made_from.result
    for each in fields(Bundle):
        then, now = getattr(kept.bundle, each.name), getattr(again, each.name)
        is_recorded = each.name != "booster_text" or on_record.numbers == result.numbers
        if each.name not in _SAID_OTHERWISE and not (then == now and is_recorded):
            yield _WORDS.get(each.name, each.name.replace("_", " "))
    if (on_record.scores, on_record.rows) != (result.scores, result.rows):
        yield "scores"


def _remarks(then: Provenance, now: Provenance) -> Iterator[str]:
    if then.commit != now.commit:
        yield f"The code is another: {then.commit[:SHOWN]} trained, this is {now.commit[:SHOWN]}."
    if then.is_dirty or now.is_dirty:
        when = " and ".join(
            word for word, is_so in (("then", then.is_dirty), ("now", now.is_dirty)) if is_so
        )
        yield f"Files differ from the commit ({when}), so that it does not name all of the code."
    if then.lock != now.lock:
        yield f"The lock is another: {then.lock[:SHOWN]} trained, this is {now.lock[:SHOWN]}."


def _listed(names: tuple[str, ...]) -> str:
    *first, last = names or ("",)
    return f"{', '.join(first)} and {last}" if first else last


def _silent(_: str) -> None:
    return None
