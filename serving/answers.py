"""From rows of the store to the answers of the calls. Each function is one call."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from serving import lookup, schema
from serving.cursor import Cursor, read_cursor
from serving.feedback import Feedback, Recorded, feedback_of, record, recorded_before
from serving.growth import growth_sentence
from serving.parts import Caller, Parts
from serving.plays import suggested_play
from serving.publication import Publication, numbered
from serving.refusal import invalid, no_account, not_found

HISTORY = 26
FEEDBACK_SHOWN = 20
LIST_REASONS = 5


def scores(parts: Parts, caller: Caller, asked: schema.ScoresRequest) -> schema.ScoresAnswer:
    """Answer ``POST /v1/scores``."""
    publication = parts.in_service().publication
    _refuse_repeated("account_ids", asked.account_ids)
    models = _chosen_models(publication, asked.models)
    horizons = _chosen_horizons(publication, models, asked.horizons)
    book = caller.principal.book
    seen = lookup.in_book(parts.store, publication.number, book, asked.account_ids)
    rows = _ranked(lookup.scores_of(parts.store, publication, seen), book)
    by_account = {key: list(of) for key, of in groupby(rows, lambda row: str(row["account_id"]))}
    renewals = lookup.renewals_of(parts.store, publication.number, seen)
    products = lookup.next_products_of(parts.store, publication.number, seen)
    age = parts.age_hours(publication.as_of)
    return schema.ScoresAnswer(
        as_of=_utc(publication.as_of),
        age_hours=age,
        scored_at=_utc(publication.scored_at),
        currency=publication.currency,
        accounts=[
            schema.AccountScores(
                account_id=account_id,
                status=by_account[account_id][0]["status"],
                as_of=_utc(publication.as_of),
                age_hours=age,
                models=_model_scores(by_account[account_id], models, horizons, asked.reasons),
                renewal=_renewal(renewals.get(account_id)),
                next_product=_next_product(products.get(account_id)),
            )
            for account_id in asked.account_ids
            if account_id in by_account
        ],
        unknown_account_ids=[one for one in asked.account_ids if one not in by_account],
    )


def account(parts: Parts, caller: Caller, account_id: str) -> schema.AccountAnswer:
    """Answer ``GET /v1/accounts/{id}``."""
    publication = parts.in_service().publication
    if "\0" in account_id:  # PostgreSQL fails on a zero character instead of finding nothing
        raise not_found()
    book = caller.principal.book
    found = lookup.account(parts.store, publication, account_id, book)
    if found is None:
        raise not_found()
    rows = _ranked(lookup.scores_of(parts.store, publication, [account_id]), book)
    past = _ranked(lookup.history(parts.store, account_id, HISTORY), book)
    renewals = lookup.renewals_of(parts.store, publication.number, [account_id])
    products = lookup.next_products_of(parts.store, publication.number, [account_id])
    return schema.AccountAnswer(
        account_id=account_id,
        name=found["name"],
        tier=found["tier"],
        csm=found["csm"],
        status=rows[0]["status"],
        as_of=_utc(publication.as_of),
        age_hours=parts.age_hours(publication.as_of),
        contract=schema.Contract(
            arr=found["arr"],
            currency=publication.currency,
            renewal_date=_date(found["renews_at"]),
            **_of_renewal(renewals.get(account_id)),
        ),
        growth=growth_sentence(_expansion(rows, publication), publication.currency),
        next_product=_next_product(products.get(account_id)),
        models=_model_scores(rows, None, None, LIST_REASONS),
        signals=[schema.Signal(**signal) for signal in found["signals"]],
        history=[_past(row) for row in past],
        feedback=[_told(one) for one in feedback_of(parts.store, account_id, FEEDBACK_SHOWN)],
    )


def work_list(parts: Parts, caller: Caller, asked: schema.WorklistQuery) -> schema.WorklistAnswer:
    """Answer ``GET /v1/worklist``."""
    in_service = parts.in_service().publication
    start = read_cursor(asked.cursor) if asked.cursor else Cursor(in_service.number, 0)
    publication = numbered(parts.store, start.publication)
    if publication is None:
        raise invalid("cursor", "expected the next_cursor of an earlier answer")
    book = caller.principal.book
    rows = lookup.work_list(parts.store, publication.number, start, asked, book)
    page = rows[: asked.limit]
    more = len(rows) > asked.limit
    if publication != in_service:  # an account of the book at that date may be another's by now
        listed = [row["account_id"] for row in page]
        seen = set(lookup.in_book(parts.store, in_service.number, book, listed))
        shown = [row for row in page if row["account_id"] in seen]
    else:
        shown = page
    return schema.WorklistAnswer(
        as_of=_utc(publication.as_of),
        age_hours=parts.age_hours(publication.as_of),
        currency=publication.currency,
        horizon_days=publication.list_horizon_days,
        model_versions={model.model: model.model_version for model in publication.models},
        accounts=_entries(parts, publication, shown),
        next_cursor=Cursor(publication.number, page[-1]["position"]).to_text() if more else None,
    )


def feedback(parts: Parts, caller: Caller, asked: schema.FeedbackRequest) -> schema.FeedbackAnswer:
    """Answer ``POST /v1/feedback``."""
    publication = parts.in_service().publication
    told = Feedback(asked.account_id, asked.kind, asked.note, asked.idempotency_key)
    book = caller.principal.book
    found = lookup.account(parts.store, publication, asked.account_id, book)
    if found is None and book is not None:
        raise no_account()
    # A request that is sent again is answered alike, even if the account is gone by now.
    if (before := recorded_before(parts.store, told)) is not None:
        return _told(before)
    if found is None:
        raise no_account()
    return _told(record(parts.store, told, caller.principal.token_id, parts.now()))


def models(parts: Parts, caller: Caller) -> schema.ModelsAnswer:
    """Answer ``GET /v1/models``."""
    in_service = parts.in_service()
    publication = in_service.publication
    return schema.ModelsAnswer(
        as_of=_utc(publication.as_of),
        age_hours=parts.age_hours(publication.as_of),
        scored_at=_utc(publication.scored_at),
        models=[
            schema.ModelAnswer(
                model=model.model,
                model_version=model.model_version,
                features_version=model.features_version,
                horizons_days=list(model.horizons_days),
                trained_at=_utc(bundle.trained_at),
                trained_on_from=bundle.as_of_range[0].isoformat(),
                trained_on_to=bundle.as_of_range[1].isoformat(),
                base_rates={str(days): rate for days, rate in bundle.base_rates.items()},
                features=list(bundle.features),
                # Figures over all accounts, which a book does not show.
                about={} if caller.principal.book is not None else dict(model.about),
            )
            for model in publication.models
            for bundle in [in_service.bundles[model.model]]
        ],
    )


def health(parts: Parts) -> schema.HealthAnswer:
    """Answer ``GET /healthz``."""
    loaded = parts.watch.look()
    if loaded.in_service is None:
        problem = loaded.problem or "There are no scores yet. Run `tenure score`."
        return schema.HealthAnswer("not_ready", None, None, {}, problem)
    publication = loaded.in_service.publication
    age = parts.age_hours(publication.as_of)
    stale = age > parts.settings.stale_after_days * 24
    return schema.HealthAnswer(
        status="degraded" if loaded.problem else "stale" if stale else "ok",
        as_of=_utc(publication.as_of),
        age_hours=age,
        model_versions={model.model: model.model_version for model in publication.models},
        problem=loaded.problem,
    )


def _ranked(rows: list[lookup.Row], book: str | None) -> list[lookup.Row]:
    """Leave ranks out of a book: they tell how many accounts of others stand before one."""
    return rows if book is None else [{**row, "rank": None} for row in rows]


def _entries(
    parts: Parts, publication: Publication, rows: Sequence[Mapping[str, Any]]
) -> list[schema.WorklistEntry]:
    listed = [row["account_id"] for row in rows]
    found = lookup.scores_of(parts.store, publication, listed)
    renewals = lookup.renewals_of(parts.store, publication.number, listed)
    at_horizon = {
        (score["account_id"], score["model"]): score
        for score in found
        if score["horizon_days"] == publication.list_horizon_days
    }
    return [
        _entry(
            row,
            at_horizon[row["account_id"], "churn"]["reasons"],
            at_horizon.get((row["account_id"], "expansion"), {}).get("probability"),
            renewals.get(row["account_id"]),
        )
        for row in rows
    ]


def _entry(
    row: Mapping[str, Any],
    reasons: Sequence[Mapping[str, Any]],
    expansion: float | None,
    renewal: Mapping[str, Any] | None,
) -> schema.WorklistEntry:
    return schema.WorklistEntry(
        position=row["position"],
        account_id=row["account_id"],
        name=row["name"],
        tier=row["tier"],
        csm=row["csm"],
        arr=row["arr"],
        renewal_date=_date(row["renews_at"]),
        **_of_renewal(renewal),
        probability=row["probability"],
        band=row["band"],
        expected_loss=row["expected_loss"],
        expansion_probability=expansion,
        reasons=_reasons(reasons, LIST_REASONS),
        suggested_play=suggested_play(reasons),
    )


def _model_scores(
    rows: Iterable[Mapping[str, Any]],
    models: Sequence[str] | None,
    horizons: Sequence[int] | None,
    reasons: int,
) -> list[schema.ModelScores]:
    wanted = [
        row
        for row in rows
        if (models is None or row["model"] in models)
        and (horizons is None or row["horizon_days"] in horizons)
    ]
    named = groupby(
        wanted, lambda row: (row["model"], row["model_version"], row["features_version"])
    )
    return [
        schema.ModelScores(*key, horizons=[_horizon(row, reasons) for row in of_model])
        for key, of_model in named
    ]


def _horizon(row: Mapping[str, Any], reasons: int) -> schema.HorizonScore:
    return schema.HorizonScore(
        horizon_days=row["horizon_days"],
        probability=row["probability"],
        band=row["band"],
        rank=row["rank"],
        expected_added_mrr=row["expected_added_mrr"],
        reasons=_reasons(row["reasons"], reasons),
    )


def _renewal(row: Mapping[str, Any] | None) -> schema.Renewal | None:
    if row is None:
        return None
    return schema.Renewal(renewal_date=row["renewal_date"].date().isoformat(), **_of_renewal(row))


def _expansion(
    rows: Iterable[Mapping[str, Any]], publication: Publication
) -> Mapping[str, Any] | None:
    """Give the score of expansion at the work list's horizon."""
    wanted = ("expansion", publication.list_horizon_days)
    return next((row for row in rows if (row["model"], row["horizon_days"]) == wanted), None)


def _next_product(row: Mapping[str, Any] | None) -> schema.NextProduct | None:
    if row is None:
        return None
    return schema.NextProduct(row["product"], row["share"], row["text"])


def _of_renewal(row: Mapping[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {"notice_deadline": None, "renewal_probability": None}
    return {
        "notice_deadline": _date(row["notice_deadline"]),
        "renewal_probability": row["renewal_probability"],
    }


def _reasons(reasons: Sequence[Mapping[str, Any]], most: int) -> list[schema.ReasonAnswer]:
    return [schema.ReasonAnswer(**reason) for reason in reasons[:most]]


def _past(row: Mapping[str, Any]) -> schema.PastScore:
    return schema.PastScore(
        as_of=_utc(row["as_of"]),
        scored_at=_utc(row["scored_at"]),
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


def _told(recorded: Recorded) -> schema.FeedbackAnswer:
    return schema.FeedbackAnswer(
        feedback_id=recorded.feedback_id,
        account_id=recorded.account_id,
        kind=recorded.kind,
        note=recorded.note,
        recorded_at=_utc(recorded.recorded_at),
    )


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


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)


def _date(time: datetime | None) -> str | None:
    return None if time is None else time.date().isoformat()
