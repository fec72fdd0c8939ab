"""Published scores of accounts, from the snapshot in service alone."""

from collections.abc import Sequence
from typing import cast

import msgspec

from serving.api import schema
from serving.api.refusal import invalid
from serving.api.response import Written
from serving.parts import Caller, Parts
from serving.publishing.publication import Publication
from serving.scoring.score import REASONS
from serving.snapshots.snapshot import Record
from serving.snapshots.told import Chosen, only, utc

DECODER = msgspec.json.Decoder(schema.AccountScores)
FEW = 20


def scores(parts: Parts, caller: Caller, asked: schema.ScoresRequest) -> Written:
    """Answer ``POST /v1/scores``, from the snapshot alone."""
    in_service = parts.scores_in_service()
    publication, books = in_service.publication, caller.principal.books
    _refuse_repeated("account_ids", asked.account_ids)
    find = in_service.snapshot.find
    erased = parts.erasures.among(asked.account_ids)  # the set in service may be older
    found = [
        record
        for record in map(find, asked.account_ids)
        if record is not None
        and (books is None or record.csm in books)
        and record.account_id not in erased
    ]
    age = parts.age_hours(publication.as_of)
    chosen = _chosen(publication, asked, has_ranks=books is None)
    answer = schema.ScoresAnswer(
        as_of=utc(publication.as_of),
        age_hours=age,
        stale=parts.is_stale(age),
        scored_at=utc(publication.scored_at),
        currency=publication.currency,
        # What was encoded when it was published is not decoded to be encoded again.
        accounts=cast("list[schema.AccountScores]", _encoded(found, age, chosen)),
        unknown_account_ids=_others(asked.account_ids, found),
    )
    return Written(msgspec.json.encode(answer), [record.pseudonym for record in found])


def are_few(parts: Parts, asked: schema.ScoresRequest) -> bool:
    """Tell whether the answer is there at once: a few looks into the snapshot, nothing to wait for.

    Before the first look at what is in service, before the first row of the audit log, and where
    each of its rows is synced, there is.
    """
    return (
        len(asked.account_ids) <= FEW
        and parts.watch.found is not None
        and parts.trail.is_open
        and parts.settings.audit != "sync"
    )


def _chosen(
    publication: Publication, asked: schema.ScoresRequest, *, has_ranks: bool
) -> Chosen | None:
    """Give what is asked for of each account; None: all that was laid out."""
    is_all = asked.models is None and asked.horizons is None
    if is_all and asked.reasons >= REASONS and has_ranks:
        return None
    models = _chosen_models(publication, asked.models)
    horizons = _chosen_horizons(publication, models, asked.horizons)
    return Chosen(models, horizons, asked.reasons, has_ranks)


def _others(account_ids: Sequence[str], found: Sequence[Record]) -> list[str]:
    known = {record.account_id for record in found}
    return [one for one in account_ids if one not in known]


def _encoded(found: Sequence[Record], age: float, chosen: Chosen | None) -> list[msgspec.Raw]:
    hours = msgspec.json.encode(age)
    texts = [b"".join((record.head, hours, record.tail)) for record in found]
    if chosen is not None:
        texts = [msgspec.json.encode(only(chosen, told)) for told in map(DECODER.decode, texts)]
    return [*map(msgspec.Raw, texts)]


def _chosen_models(publication: Publication, asked: Sequence[str] | None) -> list[str]:
    known = [model.model for model in publication.models]
    if asked is None:
        return known
    _refuse_repeated("models", asked)
    if not set(asked) <= set(known):
        raise invalid("models", f"expected models in service: {', '.join(known)}")
    return list(asked)


def _chosen_horizons(
    publication: Publication, models: Sequence[str], asked: Sequence[int] | None
) -> list[int]:
    known = {
        days
        for model in publication.models
        if model.model in models
        for days in model.horizons_days
    }
    if asked is None:
        return sorted(known)
    _refuse_repeated("horizons", asked)
    if not set(asked) <= known:
        named = ", ".join(str(days) for days in sorted(known))
        raise invalid("horizons", f"expected horizons in days that are scored: {named}")
    return list(asked)


def _refuse_repeated(field: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise invalid(field, "expected each value once")
