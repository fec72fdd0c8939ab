"""Compute a published score again, from what was known at its date, and compare the bytes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.build import feature_table
from features.catalog import available, features_fingerprint, with_inputs
from features.checked import CheckedSource
from features.cut import cut
from features.errors import ModelError, StoreError
from features.home import Home
from features.own.harvest import Own
from features.spine import account_states
from models.asked import asked
from models.bundle import Bundle, load
from serving.erasure.rows import erased_of
from serving.publishing.bundles import bundle_folder
from serving.publishing.origin import code_here, digest_of, key_of, line_digest
from serving.publishing.publication import Publication, latest, numbered, publications
from serving.publishing.publish import score_rows
from serving.scoring.score import score
from serving.store import tables
from serving.store.database import Store

NAMED = 5

LOOKS_AHEAD = (
    "a feature looks ahead, as the source as it stands gives the published scores. "
    "Find it with tenure features --check, and score again."
)
OTHER_FEATURES = (
    "the features are declared or computed otherwise than when the model was trained. "
    "Replay with the release of Tenure that scored."
)
OTHER_STORE = (
    "the store was changed since: what stands there is not what was published. "
    "Restore it from a copy of that time, or score again."
)
OTHER_CODE = (
    "other code scored, {then} then and {now} now, as the source is the one that was scored and "
    "its features are the same. Replay with the release of Tenure that scored."
)
OTHER_PAST = (
    "the source tells another past than when it was scored (fingerprint {then} then, {now} now). "
    "Replay with the extract that was scored, and compare it with today's."
)
UNTOLD = (
    "most likely the source tells another past than when it was scored, or the store was changed: "
    "this publication does not name its source. "
    "Replay with the extract that was scored, and compare it with today's."
)
WITHOUT_ERASED = (
    "accounts of this publication were erased since, and what was counted over them cannot be "
    "computed any more; or the source tells another past. What differs is lost: score again."
)
SHOWN = 12

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
    line
        What differs in the publication's own line and in those of its models.
    source_fingerprint
        Of the source that it was computed again from.
    cause
        Why there is a difference, with a cure; None where all are equal.
    erased
        How many accounts of it were erased since: their rows are gone, and ranks are compared by
        their order.
    """

    publication: Publication
    rows: int
    digest: str
    digest_again: str
    differing: Mapping[str, tuple[str, ...]]
    line: tuple[str, ...]
    source_fingerprint: str
    cause: str | None
    erased: int = 0

    def text(self) -> str:
        """Say in a line what was compared."""
        of = f"publication {self.publication.number} of {self.publication.as_of:%Y-%m-%d}"
        if self.erased:
            of += f", without {self.erased:,} accounts that were erased since"
        if self.cause:
            few = len(self.differing)
            line = f", and of its own line {', '.join(self.line)}" if self.line else ""
            return f"{of}: of {self.rows:,} rows compared, those of {few:,} accounts differ{line}"
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
            "line": list(self.line),
            "source_fingerprint": self.publication.origin
            and self.publication.origin.source_fingerprint,
            "source_fingerprint_again": self.source_fingerprint,
            "cause": self.cause,
            "erased_accounts": self.erased,
        }

    def demand(self) -> None:
        """Raise ModelError unless every byte is the same."""
        if self.cause:
            raise ModelError(
                f"Expected publication {self.publication.number} byte for byte, got another "
                f"{' and another '.join(self._found())}: {self.cause}"
            )

    def _found(self) -> Iterable[str]:
        if self.differing:
            named = ", ".join(list(self.differing)[:NAMED])
            more = len(self.differing) - NAMED
            columns = ", ".join(sorted({name for few in self.differing.values() for name in few}))
            of = f"{named}{f' and {more:,} more' if more > 0 else ''}"
            yield f"{columns} for {len(self.differing):,} accounts ({of})"
        if self.line:
            yield f"{', '.join(self.line)} in its own line"


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
    erased = erased_of(store, publication.number)
    kept = _published(store, publication)
    whole = _closed_up(kept) if erased else kept
    published = _of(account_id, whole)
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
        states = account_states(before, [publication.as_of])
        again = _of(account_id, _scored_again(before, states, publication, bundles, own))
    differing = _differing(published, again)
    is_as_published = _is_as_published(store, publication, kept)
    line = tuple(_line(publication, bundles, len(states) + erased))
    line = line if is_as_published else (*line, "digest")
    cause = None
    if not is_as_published:
        cause = OTHER_STORE
    elif differing or line:
        cause = _cause(source, publication, bundles, own, whole, erased)
    return Replayed(
        publication=publication,
        rows=len(published),
        digest=digest_of(published),
        digest_again=digest_of(again),
        differing=differing,
        line=line,
        source_fingerprint=source.fingerprint,
        cause=cause,
        erased=erased,
    )


def _closed_up(rows: Sequence[Row]) -> list[Row]:
    """Give ranks from 1 on again, by model and horizon: those of erased accounts are gone."""
    places: dict[tuple[Any, Any], list[int]] = {}
    for row in rows:
        if row["rank"] is not None:
            places.setdefault((row["model"], row["horizon_days"]), []).append(row["rank"])
    now = {key: {rank: 1 + at for at, rank in enumerate(sorted(of))} for key, of in places.items()}
    return [
        {**row, "rank": row["rank"] and now[row["model"], row["horizon_days"]][row["rank"]]}
        for row in rows
    ]


def _published(store: Store, publication: Publication) -> list[Row]:
    query = sa.select(tables.scores).where(tables.scores.c.publication == publication.number)
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(rows, key=key_of)


def _is_as_published(store: Store, publication: Publication, rows: Iterable[Row]) -> bool:
    """Tell whether the store still holds what was published, as far as it says what that was."""
    origin = publication.origin
    if origin is None:
        return True
    with store.reading() as connection:
        line = line_digest(connection, publication.number)
    return (digest_of(rows), line) == (origin.scores_digest, origin.line_digest)


def _line(publication: Publication, bundles: Mapping[str, Bundle], accounts: int) -> Iterable[str]:
    """Name what the publication's own line says otherwise than what was computed again."""
    if publication.accounts != accounts:
        yield f"number of accounts ({publication.accounts:,}, {accounts:,} again)"
    for each in publication.models:
        bundle = bundles[each.model]
        if each.features_version != bundle.features_fingerprint:
            yield f"features_version of {each.model}"
        if each.horizons_days != bundle.question.horizons_days:
            yield f"horizons_days of {each.model}"


def _scored_again(
    source: CheckedSource,
    states: pd.DataFrame,
    publication: Publication,
    bundles: Mapping[str, Bundle],
    own: Own,
) -> list[Row]:
    needed = {name for bundle in bundles.values() for name in bundle.features}
    declared = available(source, own.features, touches=True)
    chosen = [feature for feature in declared if feature.column in needed]
    features = with_inputs(chosen, among=own.features)
    table = feature_table(source, states, features=features)
    scores = score(bundles, table, states, publication.scored_at)
    return sorted(score_rows(publication.number, scores), key=key_of)


def _of(account_id: str | None, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if account_id is None or row["account_id"] == account_id]


def _differing(published: Sequence[Row], again: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Name the accounts whose rows differ, and in which columns."""
    left, right = ({key_of(row): row for row in rows} for rows in (published, again))
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


def _cause(
    source: CheckedSource,
    publication: Publication,
    bundles: Mapping[str, Bundle],
    own: Own,
    published: Sequence[Row],
    erased: int,
) -> str:
    """Say why scores differ though the store is as it was published, by comparing."""
    declared = available(source, own.features, touches=True)
    states = account_states(source, [publication.as_of])
    if _scored_again(source, states, publication, bundles, own) == published:
        return LOOKS_AHEAD
    for each in publication.models:
        features = asked(bundles[each.model].question, declared)
        if each.features_version != features_fingerprint(features):
            return OTHER_FEATURES
    if erased:
        return WITHOUT_ERASED
    origin = publication.origin
    if origin is None:
        return UNTOLD
    if origin.source_fingerprint == source.fingerprint:
        return OTHER_CODE.format(then=origin.code[:SHOWN], now=code_here()[:SHOWN])
    then, now = (each[:SHOWN] for each in (origin.source_fingerprint, source.fingerprint))
    return OTHER_PAST.format(then=then, now=now)
