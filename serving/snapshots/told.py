"""From rows of a publication to the parts of an answer that tell of one account."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from serving.api import schema

Row = Mapping[str, Any]


def account_scores(
    account_id: str,
    rows: Sequence[Row],
    as_of: datetime,
    renewal: Row | None,
    next_product: Row | None,
) -> schema.AccountScores:
    """Tell all of an account's scores, with its age still to be said.

    Parameters
    ----------
    rows
        Its scores, in order of model and horizon; at least one.
    as_of
        Naive UTC.
    """
    return schema.AccountScores(
        account_id=account_id,
        status=rows[0]["status"],
        as_of=utc(as_of),
        age_hours=0.0,
        models=model_scores(rows),
        renewal=None
        if renewal is None
        else schema.Renewal(renewal_date=day(renewal["renewal_date"]), **of_renewal(renewal)),
        next_product=told_product(next_product),
    )


@dataclass(frozen=True)
class Chosen:
    """What a request asks for of each account: models, horizons, and how many reasons at most.

    Attributes
    ----------
    has_ranks
        A book has none: they tell how many accounts of others stand before one.
    """

    models: Collection[str]
    horizons: Collection[int]
    reasons: int
    has_ranks: bool


def only(chosen: Chosen, told: schema.AccountScores) -> schema.AccountScores:
    """Leave out what was not asked for."""
    told.models = [
        replace(model, horizons=horizons)
        for model in told.models
        if model.model in chosen.models
        and (horizons := [_only(chosen, one) for one in model.horizons if _is_asked(chosen, one)])
    ]
    return told


def _is_asked(chosen: Chosen, told: schema.HorizonScore) -> bool:
    return told.horizon_days in chosen.horizons


def _only(chosen: Chosen, told: schema.HorizonScore) -> schema.HorizonScore:
    told.reasons = told.reasons[: chosen.reasons]
    if not chosen.has_ranks:
        told.rank = None
    return told


def model_scores(rows: Iterable[Row], most_reasons: int | None = None) -> list[schema.ModelScores]:
    """Tell what models say, from rows in order of model and horizon."""
    named = groupby(rows, lambda row: (row["model"], row["model_version"], row["features_version"]))
    return [
        schema.ModelScores(*key, horizons=[_horizon(row, most_reasons) for row in of_model])
        for key, of_model in named
    ]


def _horizon(row: Row, most_reasons: int | None) -> schema.HorizonScore:
    return schema.HorizonScore(
        horizon_days=row["horizon_days"],
        probability=row["probability"],
        band=row["band"],
        rank=row["rank"],
        expected_added_mrr=row["expected_added_mrr"],
        reasons=told_reasons(row["reasons"], most_reasons),
    )


def told_reasons(reasons: Sequence[Row], most: int | None) -> list[schema.ReasonAnswer]:
    """Tell the first so many reasons; None: all that there are."""
    return [schema.ReasonAnswer(**reason) for reason in reasons[:most]]


def told_product(row: Row | None) -> schema.NextProduct | None:
    """Tell the next product, if one is named."""
    if row is None:
        return None
    return schema.NextProduct(row["product"], row["share"], row["text"])


def of_renewal(row: Row | None) -> dict[str, Any]:
    """Tell of a renewal what is told beside its date."""
    if row is None:
        return {"notice_deadline": None, "renewal_probability": None}
    deadline = row["notice_deadline"]
    return {
        "notice_deadline": None if deadline is None else day(deadline),
        "renewal_probability": row["renewal_probability"],
    }


def utc(time: datetime) -> datetime:
    """Say of a time from the store that it is UTC."""
    return time.replace(tzinfo=UTC)


def day(time: datetime) -> str:
    """Write the day of a time."""
    return time.date().isoformat()
