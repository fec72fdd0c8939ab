"""Compute a published score again, from what was known at its date, and compare the bytes."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from features.build import feature_table
from features.catalog import available, features_fingerprint, with_inputs
from features.checked import CheckedSource
from features.cut import cut
from features.declare import Feature
from features.errors import ModelError, StoreError
from features.home import Home
from features.own.harvest import Own
from features.spine import account_states
from models.asked import asked
from models.bundle import Bundle, load
from serving import tables
from serving.publication import Publication, latest, numbered, publications
from serving.publish import bundle_folder, score_rows
from serving.score import score
from serving.store import Store

NAMED = 5
KEY = ("account_id", "model", "horizon_days")

LOOKS_AHEAD = (
    "a feature looks ahead, as the source as it stands gives the published scores. "
    "Find it with tenure features --check, and score again."
)
OTHER_FEATURES = (
    "the features are declared otherwise than when the model was trained. "
    "Replay with the release of Tenure that scored."
)
OTHER_PAST = (
    "the source tells another past than when it was scored, or the store was changed. "
    "Replay with the extract that was scored, and compare it with today's."
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Replayed:
    """How the published scores compare with those computed again.

    Attributes
    ----------
    publication
        What was computed again.
    rows
        How many rows, one for each account, model and horizon, were compared.
    digest, digest_again
        SHA-256 over the published rows, and over those computed again.
    differing
        By account: the columns in which a row differs; all of them where there is only one of it.
    cause
        The likely cause of a difference, with a cure; None where all are equal.
    """

    publication: Publication
    rows: int
    digest: str
    digest_again: str
    differing: Mapping[str, tuple[str, ...]]
    cause: str | None

    def text(self) -> str:
        """Say in a line what was compared."""
        of = f"publication {self.publication.number} of {self.publication.as_of:%Y-%m-%d}"
        if self.cause:
            few = len(self.differing)
            return f"{of}: of {self.rows:,} rows compared, those of {few:,} accounts differ"
        return f"{of}: {self.rows:,} rows are the same to the byte, SHA-256 {self.digest[:16]}"

    def to_json(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        return {
            "publication": self.publication.number,
            "as_of": self.publication.as_of.date().isoformat(),
            "models": {each.model: each.model_version for each in self.publication.models},
            "rows": self.rows,
            "is_equal": self.cause is None,
            "digest": self.digest,
            "digest_again": self.digest_again,
            "differing": {account: list(names) for account, names in self.differing.items()},
            "cause": self.cause,
        }

    def demand(self) -> None:
        """Raise ModelError unless every byte is the same."""
        if self.cause:
            named = ", ".join(list(self.differing)[:NAMED])
            more = len(self.differing) - NAMED
            columns = ", ".join(sorted({name for few in self.differing.values() for name in few}))
            raise ModelError(
                f"Expected publication {self.publication.number} byte for byte, got another "
                f"{columns} for {len(self.differing):,} accounts ({named}"
                f"{f' and {more:,} more' if more > 0 else ''}): most likely {self.cause}"
            )


def asked_for(store: Store, number: int | None, as_of: date | None) -> Publication:
    """Find a publication: of a number, the last one of a date, or the newest.

    Raises
    ------
    StoreError
        When there is no such publication.
    """
    if number is not None:
        found = numbered(store, number)
    elif as_of is not None:
        of_date = (each for each in publications(store) if each.as_of.date() == as_of)
        found = next(of_date, None)
    else:
        found = latest(store)
    if found is None:
        which = f"publication {number}" if number is not None else "a publication"
        of = f" of {as_of}" if as_of else ""
        raise StoreError(f"Expected {which}{of}, got none. Publish one with tenure score.")
    return found


def replay(
    source: CheckedSource,
    publication: Publication,
    store: Store,
    home: Home,
    *,
    own: Own | None = None,
    account_id: str | None = None,
) -> Replayed:
    """Delete what became known at the publication's date or later, score again, and compare.

    Parameters
    ----------
    source
        The checked source that was scored, or a newer extract of it.
    publication
        What to compute again, with the models that it names.
    store, home
        Where the published scores and those models are.
    own
        The company's own features, which the models may need.
    account_id
        Compares this account only; ranks still come from all of them.

    Raises
    ------
    ModelError
        When a model of the publication is gone.
    SourceError
        When the publication's date lies after the extract.
    StoreError
        When the publication has no such account.
    """
    own = own or Own()
    published = _of(account_id, _published(store, publication))
    if not published:
        raise StoreError(
            f"Expected the account {account_id!r} in publication {publication.number}, got no row "
            "of it. Take one that was scored."
        )
    bundles = {
        each.model: load(bundle_folder(home, each.model, each.model_version))
        for each in publication.models
    }
    with TemporaryDirectory(prefix="tenure-") as work:
        before = cut(source, publication.as_of, Path(work) / "cut")
        again = _of(account_id, _scored_again(before, publication, bundles, own))
        differing = _differing(published, again)
        cause = None
        if differing:
            whole = _of(account_id, _scored_again(source, publication, bundles, own))
            declared = available(source, own.features, touches=True)
            cause = _cause(publication, bundles, declared, looks_ahead=published == whole)
    return Replayed(
        publication=publication,
        rows=len(published),
        digest=_digest(published),
        digest_again=_digest(again),
        differing=differing,
        cause=cause,
    )


def _published(store: Store, publication: Publication) -> list[Row]:
    query = sa.select(tables.scores).where(tables.scores.c.publication == publication.number)
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(rows, key=_key)


def _scored_again(
    source: CheckedSource, publication: Publication, bundles: Mapping[str, Bundle], own: Own
) -> list[Row]:
    needed = {name for bundle in bundles.values() for name in bundle.features}
    declared = available(source, own.features, touches=True)
    chosen = [feature for feature in declared if feature.column in needed]
    states = account_states(source, [publication.as_of])
    features = with_inputs(chosen, among=own.features)
    table = feature_table(source, states, features=features)
    scores = score(bundles, table, states, publication.scored_at)
    return sorted(score_rows(publication.number, scores), key=_key)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def _of(account_id: str | None, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if account_id is None or row["account_id"] == account_id]


def _differing(published: Sequence[Row], again: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Name the accounts whose rows differ, and in which columns."""
    left, right = ({_key(row): row for row in rows} for rows in (published, again))
    found: dict[str, set[str]] = {}
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key, {}), right.get(key, {})
        names = {name for name in {*one, *other} if _bytes(one, name) != _bytes(other, name)}
        if names:
            found.setdefault(str(key[0]), set()).update(names)
    return {account: tuple(sorted(names)) for account, names in found.items()}


def _bytes(row: Row, name: str) -> str:
    """Write a cell as JSON: two floats read the same only if they are the same to the bit."""
    return json.dumps(row[name]) if name in row else ""


def _digest(rows: Iterable[Row]) -> str:
    return hashlib.sha256(json.dumps(list(rows), sort_keys=True).encode()).hexdigest()


def _cause(
    publication: Publication,
    bundles: Mapping[str, Bundle],
    declared: Sequence[Feature],
    *,
    looks_ahead: bool,
) -> str:
    if looks_ahead:
        return LOOKS_AHEAD
    for each in publication.models:
        features = asked(bundles[each.model].question, declared)
        if each.features_version != features_fingerprint(features):
            return OTHER_FEATURES
    return OTHER_PAST
