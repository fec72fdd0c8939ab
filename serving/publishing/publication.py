"""What became visible together: a publication and the models that its scores come from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from models.scored import COLUMNS
from serving.publishing.origin import Origin, origin_of
from serving.store import tables
from serving.store.database import Store


@dataclass(frozen=True)
class PublishedModel:
    """A model that a publication's scores come from.

    Attributes
    ----------
    about:
        What there is to say of it: metrics and data, as the registry keeps them.
    """

    model: str
    model_version: str
    features_version: str
    horizons_days: tuple[int, ...]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Publication:
    """Scores that became visible together.

    Attributes
    ----------
    number:
        Grows with each publication; readers see the highest of the newest date.
    as_of, scored_at, published_at:
        Naive UTC times.
    list_horizon_days:
        Horizon of the churn probability that orders the work list.
    currency:
        ISO code of all money.
    accounts:
        Number of accounts in it, scored or not.
    origin:
        What it was made from; None where an older release published, which did not say.
    """

    number: int
    as_of: datetime
    scored_at: datetime
    published_at: datetime
    list_horizon_days: int
    currency: str
    accounts: int
    models: tuple[PublishedModel, ...]
    origin: Origin | None = None

    @property
    def is_sample(self) -> bool:
        """Whether the scores are of the quickstart's sample company, whose data ends."""
        return any(model.about.get(SAMPLE) for model in self.models)


SAMPLE = "is_sample"
"""What is said of the models of scores of the quickstart's company."""
NEWEST_FIRST = (tables.publications.c.as_of.desc(), tables.publications.c.number.desc())
"""By the date scored, so that scoring a past date again does not take the list back to it."""


def latest(store: Store) -> Publication | None:
    """Give the newest publication of the newest date, None before the first."""
    with store.reading() as connection:
        newest = sa.select(tables.publications).order_by(*NEWEST_FIRST)
        row = connection.execute(newest.limit(1)).mappings().first()
        return None if row is None else _publication(connection, row)


def numbered(store: Store, number: int) -> Publication | None:
    """Give a publication by its number, None when there is none."""
    published = tables.publications
    with store.reading() as connection:
        query = sa.select(published).where(published.c.number == number)
        row = connection.execute(query).mappings().first()
        return None if row is None else _publication(connection, row)


def latest_number(store: Store) -> int | None:
    """Give the number of the latest publication: cheap enough for every request."""
    with store.reading() as connection:
        newest = sa.select(tables.publications.c.number).order_by(*NEWEST_FIRST)
        return connection.execute(newest.limit(1)).scalar()


def publications(store: Store) -> tuple[Publication, ...]:
    """List publications, newest first."""
    with store.reading() as connection:
        listing = sa.select(tables.publications).order_by(tables.publications.c.number.desc())
        rows = connection.execute(listing).mappings().all()
        return tuple(_publication(connection, row) for row in rows)


def _publication(connection: Connection, row: RowMapping) -> Publication:
    models = tables.published_models
    found = connection.execute(
        sa.select(models).where(models.c.publication == row["number"]).order_by(models.c.model)
    ).mappings()
    return Publication(
        **dict(row),
        models=tuple(
            PublishedModel(
                model=model["model"],
                model_version=model["model_version"],
                features_version=model["features_version"],
                horizons_days=tuple(json.loads(model["horizons_days"])),
                about=json.loads(model["about"]),
            )
            for model in found
        ),
        origin=origin_of(connection, row["number"]),
    )


def past_scores(store: Store, since: datetime | None = None) -> pd.DataFrame:
    """Give published scores as the contract's table, oldest publication first.

    Parameters
    ----------
    since:
        Only scores with ``as_of`` at or after it.

    Returns
    -------
    pandas.DataFrame
        One row per account, as_of, model and horizon: what was published last for a date.
    """
    scores, published = tables.scores, tables.publications
    of_date = sa.select(sa.func.max(published.c.number)).group_by(published.c.as_of)
    query = (
        sa.select(scores, published.c.as_of, published.c.scored_at)
        .join(published, published.c.number == scores.c.publication)
        .where(published.c.number.in_(of_date))
        .order_by(published.c.as_of, scores.c.account_id, scores.c.model, scores.c.horizon_days)
    )
    if since is not None:
        query = query.where(published.c.as_of >= since)
    with store.reading() as connection:
        rows = connection.execute(query).mappings().all()
    frame = pd.DataFrame([dict(row) for row in rows], columns=[*COLUMNS])
    frame["reasons"] = [json.loads(text) for text in frame["reasons"]]
    return frame.astype(
        {
            "as_of": "datetime64[us]",
            "scored_at": "datetime64[us]",
            "probability": "float64",
            "expected_added_mrr": "float64",
            "rank": "Int64",
        }
    )
