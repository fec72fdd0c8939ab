"""From rows of the store to the answers of the calls. Each function is one call."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from http import HTTPStatus
from typing import Any

from serving.api import schema
from serving.api.cursor import Cursor, read_cursor
from serving.api.feedback import (
    Feedback,
    Recorded,
    feedback_of,
    may_withdraw,
    record,
    recorded_as,
    recorded_before,
    withdraw,
)
from serving.api.fields import MOST_SNOOZED_DAYS
from serving.api.readiness import Found
from serving.api.refusal import RefusedError, invalid, no_account, not_found
from serving.parts import Caller, Parts
from serving.publishing.publication import Publication, numbered
from serving.scoring.growth import growth_sentence
from serving.scoring.plays import days_between, leading_family
from serving.snapshots.told import (
    model_scores,
    of_renewal,
    told_product,
    told_reasons,
    utc,
)
from serving.store import listing, lookup

HISTORY = 26
FEEDBACK_SHOWN = 20
LIST_REASONS = 5


def account(parts: Parts, caller: Caller, account_id: str) -> schema.AccountAnswer:
    """Answer ``GET /v1/accounts/{id}``."""
    publication = parts.scores_in_service().publication
    if "\0" in account_id:  # PostgreSQL fails on a zero character instead of finding nothing
        raise not_found()
    books = caller.principal.books
    found = lookup.account(parts.store, publication, account_id, books)
    if found is None:
        raise not_found()
    rows = _ranked(lookup.scores_of(parts.store, publication, [account_id]), books)
    past = _ranked(lookup.history(parts.store, account_id, HISTORY), books)
    renewals = lookup.renewals_of(parts.store, publication.number, [account_id])
    products = lookup.next_products_of(parts.store, publication.number, [account_id])
    told = [_told(one) for one in feedback_of(parts.store, account_id, FEEDBACK_SHOWN)]
    if not rows or parts.erasures.has(account_id):  # it was erased while it was read
        raise not_found()
    age = parts.age_hours(publication.as_of)
    return schema.AccountAnswer(
        account_id=account_id,
        name=found["name"],
        tier=found["tier"],
        csm=found["csm"],
        status=rows[0]["status"],
        as_of=utc(publication.as_of),
        age_hours=age,
        stale=parts.is_stale(age),
        contract=schema.Contract(
            arr=found["arr"],
            currency=publication.currency,
            renewal_date=_date(found["renews_at"]),
            **of_renewal(renewals.get(account_id)),
        ),
        growth=growth_sentence(_expansion(rows, publication), publication.currency),
        next_product=told_product(products.get(account_id)),
        models=model_scores(rows, LIST_REASONS),
        signals=[schema.Signal(**signal) for signal in found["signals"]],
        history=[_past(row) for row in past],
        feedback=told,
    )


def work_list(parts: Parts, caller: Caller, asked: schema.WorklistQuery) -> schema.WorklistAnswer:
    """Answer ``GET /v1/worklist``."""
    served = parts.scores_in_service()
    in_service = served.publication
    who, start = caller.principal.who, Cursor(in_service.number, 0)
    if asked.cursor:
        start = read_cursor(asked.cursor, parts.signer, who, parts.now())
    publication = numbered(parts.store, start.publication)
    if publication is None:
        raise invalid("cursor", "expected the next_cursor of an earlier answer")
    parts.demand_fresh(publication)
    books = caller.principal.books
    rows = lookup.work_list(parts.store, publication.number, start, asked, books)
    page = rows[: asked.limit]
    more = len(rows) > asked.limit
    if publication != in_service:  # an account of the book at that date may be another's by now
        listed = [row["account_id"] for row in page]
        seen = set(lookup.in_book(parts.store, in_service.number, books, listed))
        shown = [row for row in page if row["account_id"] in seen]
    else:
        shown = page
    end = Cursor(publication.number, page[-1]["position"]) if more else None
    age = parts.age_hours(publication.as_of)
    return schema.WorklistAnswer(
        as_of=utc(publication.as_of),
        age_hours=age,
        stale=parts.is_stale(age),
        currency=publication.currency,
        horizon_days=publication.list_horizon_days,
        model_versions={model.model: model.model_version for model in publication.models},
        accounts=_entries(parts, publication, shown, served.bundles["churn"].catalogue),
        next_cursor=None if end is None else end.to_text(parts.signer, who, parts.now()),
    )


def feedback(parts: Parts, caller: Caller, asked: schema.FeedbackRequest) -> schema.FeedbackAnswer:
    """Answer ``POST /v1/feedback``."""
    publication = parts.in_service().publication
    until = None if asked.until is None else datetime.combine(asked.until, time.min)
    told = Feedback(asked.account_id, asked.kind, asked.note, asked.idempotency_key, until)
    books = caller.principal.books
    found = lookup.account(parts.store, publication, asked.account_id, books)
    if found is None and books is not None:
        raise no_account()
    # A request that is sent again is answered alike, even if the account is gone by now.
    if (before := recorded_before(parts.store, told)) is not None:
        return _told(before)
    if found is None:
        raise no_account()
    _demand_whole(told, parts.now())
    who, is_erased = caller.principal.who, parts.erasures.has
    return _told(record(parts.store, told, who, parts.now(), is_erased))


def undo_feedback(parts: Parts, caller: Caller, asked: schema.UndoRequest) -> schema.FeedbackAnswer:
    """Answer ``POST /v1/feedback/undo``; a second time changes nothing."""
    told = recorded_as(parts.store, asked.feedback_id)
    publication, books = parts.in_service().publication, caller.principal.books
    account_id = told.account_id if told else ""  # by the same queries for what is not there
    found = lookup.account(parts.store, publication, account_id, books)
    if told is None or found is None:
        raise not_found()
    if not may_withdraw(caller.principal, told.who):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            "Who told it takes it back, or a lead or an admin. Tell anew how it is.",
        )
    withdraw(parts.store, told.feedback_id, caller.principal.who, parts.now())
    return _told(recorded_as(parts.store, told.feedback_id) or told)


def models(parts: Parts, caller: Caller) -> schema.ModelsAnswer:
    """Answer ``GET /v1/models``."""
    in_service = parts.in_service()
    publication = in_service.publication
    return schema.ModelsAnswer(
        as_of=utc(publication.as_of),
        age_hours=parts.age_hours(publication.as_of),
        scored_at=utc(publication.scored_at),
        models=[
            schema.ModelAnswer(
                model=model.model,
                model_version=model.model_version,
                features_version=model.features_version,
                horizons_days=list(model.horizons_days),
                trained_at=utc(bundle.trained_at),
                trained_on_from=bundle.as_of_range[0].isoformat(),
                trained_on_to=bundle.as_of_range[1].isoformat(),
                base_rates={str(days): rate for days, rate in bundle.base_rates.items()},
                features=list(bundle.features),
                # Figures over all accounts, which a book does not show.
                about={} if caller.principal.books is not None else dict(model.about),
            )
            for model in publication.models
            for bundle in [in_service.bundles[model.model]]
        ],
    )


def health(parts: Parts, found: Found) -> schema.HealthAnswer:
    """Answer ``GET /healthz``."""
    loaded, missing = found.loaded, list(found.missing)
    workers = parts.metrics.alive()
    if loaded.in_service is None:
        problem = loaded.problem or "There are no scores yet. Run `tenure score`."
        return schema.HealthAnswer("not_ready", None, None, {}, problem, missing, workers)
    publication = loaded.in_service.publication
    age = parts.age_hours(publication.as_of)
    stale = parts.is_stale(age)
    return schema.HealthAnswer(
        status="not_ready"
        if not found.is_ready
        else "degraded"
        if missing
        else "stale"
        if stale
        else "ok",
        as_of=utc(publication.as_of),
        age_hours=age,
        model_versions={model.model: model.model_version for model in publication.models},
        problem=loaded.problem,
        missing=missing,
        workers=workers,
    )


def _ranked(rows: list[lookup.Row], books: lookup.Books) -> list[lookup.Row]:
    """Leave ranks out of a book: they tell how many accounts of others stand before one."""
    return rows if books is None else [{**row, "rank": None} for row in rows]


def _entries(
    parts: Parts,
    publication: Publication,
    rows: Sequence[Mapping[str, Any]],
    catalogue: Sequence[Mapping[str, Any]],
) -> list[schema.WorklistEntry]:
    listed = [row["account_id"] for row in rows]
    columns = {entry["column"]: entry for entry in catalogue}
    found = lookup.scores_of(parts.store, publication, listed)
    renewals = lookup.renewals_of(parts.store, publication.number, listed)
    plays = lookup.plays_of(parts.store, publication.number, listed)
    snoozes = listing.snoozes_of(parts.store, parts.now(), listed)
    at_horizon = {
        (score["account_id"], score["model"]): score
        for score in found
        if score["horizon_days"] == publication.list_horizon_days
    }
    erased = parts.erasures.among(listed)  # looked at last: they may be erased while they are read
    return [
        _entry(
            row,
            reasons,
            at_horizon.get((row["account_id"], "expansion"), {}).get("probability"),
            renewals.get(row["account_id"]),
            plays.get(row["account_id"])
            or parts.playbook.play_for(
                "churn",
                leading_family(reasons, columns),
                row["tier"],
                days_between(publication.as_of, row["renews_at"]),
            ).text,
            snoozes.get(row["account_id"]),
        )
        for row in rows
        if row["account_id"] not in erased and (row["account_id"], "churn") in at_horizon
        for reasons in [at_horizon[row["account_id"], "churn"]["reasons"]]
    ]


def _entry(
    row: Mapping[str, Any],
    reasons: Sequence[Mapping[str, Any]],
    expansion: float | None,
    renewal: Mapping[str, Any] | None,
    play: str,
    snoozed_until: datetime | None,
) -> schema.WorklistEntry:
    return schema.WorklistEntry(
        position=row["position"],
        account_id=row["account_id"],
        name=row["name"],
        tier=row["tier"],
        csm=row["csm"],
        arr=row["arr"],
        renewal_date=_date(row["renews_at"]),
        **of_renewal(renewal),
        probability=row["probability"],
        band=row["band"],
        expected_loss=row["expected_loss"],
        expansion_probability=expansion,
        reasons=told_reasons(reasons, LIST_REASONS),
        suggested_play=play,
        snoozed_until=_date(snoozed_until),
    )


def _expansion(
    rows: Iterable[Mapping[str, Any]], publication: Publication
) -> Mapping[str, Any] | None:
    """Give the score of expansion at the work list's horizon."""
    wanted = ("expansion", publication.list_horizon_days)
    return next((row for row in rows if (row["model"], row["horizon_days"]) == wanted), None)


def _past(row: Mapping[str, Any]) -> schema.PastScore:
    return schema.PastScore(
        as_of=utc(row["as_of"]),
        scored_at=utc(row["scored_at"]),
        **{
            name: row[name]
            for name in (
                "model",
                "model_version",
                "horizon_days",
                "status",
                "probability",
                "band",
                "rank",
            )
        },
    )


def _demand_whole(told: Feedback, now: datetime) -> None:
    """Refuse feedback that lacks what its kind needs, or has what it does not."""
    if told.kind == "not_a_risk" and not (told.note or "").strip():
        raise invalid("note", "expected why it is not a risk")
    today = datetime.combine(now.date(), time.min)
    last = today + timedelta(days=MOST_SNOOZED_DAYS)
    if told.kind == "snoozed" and not (told.until and today < told.until <= last):
        raise invalid("until", f"expected a day after today, within {MOST_SNOOZED_DAYS} days")
    if told.kind != "snoozed" and told.until is not None:
        raise invalid("until", "expected it with the kind snoozed only")


def _told(recorded: Recorded) -> schema.FeedbackAnswer:
    return schema.FeedbackAnswer(
        feedback_id=recorded.feedback_id,
        account_id=recorded.account_id,
        kind=recorded.kind,
        note=recorded.note,
        recorded_at=utc(recorded.recorded_at),
        recorded_by=recorded.recorded_by,
        until=recorded.until and recorded.until.date(),
        withdrawn_at=recorded.withdrawn_at and utc(recorded.withdrawn_at),
        withdrawn_by=recorded.withdrawn_by,
    )


def _date(time: datetime | None) -> str | None:
    return None if time is None else time.date().isoformat()
