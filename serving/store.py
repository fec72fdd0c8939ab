"""Scores as they were published: the only code that writes or reads them in a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Engine


@dataclass(frozen=True)
class PublishedModel:
    """A model that a publication's scores come from."""

    model: str
    model_version: str
    features_version: str
    horizons_days: tuple[int, ...]


@dataclass(frozen=True)
class Publication:
    """Scores that became visible together.

    Attributes
    ----------
    number:
        Grows by one with each publication; readers see the highest.
    as_of, scored_at, published_at:
        Naive UTC times.
    list_horizon_days:
        Horizon of the churn probability that orders the work list.
    currency:
        ISO code of all money.
    accounts:
        Number of accounts in it, scored or not.
    """

    number: int
    as_of: datetime
    scored_at: datetime
    published_at: datetime
    list_horizon_days: int
    currency: str
    accounts: int
    models: tuple[PublishedModel, ...]


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes
    ----------
    engine:
        SQLAlchemy's pool of connections.
    """

    engine: Engine


def open_store(url: str) -> Store:
    """Open the store at a SQLAlchemy URL, and make its tables when they are not there.

    Raises
    ------
    StoreError
        If the database cannot be reached or the URL is not one.
    """
    raise NotImplementedError


def publish(  # noqa: PLR0913 - one publication is this many facts
    store: Store,
    scores: pd.DataFrame,
    listed: pd.DataFrame,
    signals: pd.DataFrame,
    *,
    list_horizon_days: int,
    currency: str,
    published_at: datetime,
) -> Publication:
    """Write scores and account facts, and make them visible at once.

    Parameters
    ----------
    scores:
        The contract's ``scores``.
    listed:
        `serving.worklist.rank` of them.
    signals:
        `serving.signals.recent_signals`: account_id, signals (list of dicts).
    """
    raise NotImplementedError


def latest(store: Store) -> Publication | None:
    """Give the newest complete publication, None before the first."""
    raise NotImplementedError


def past_scores(store: Store, since: datetime | None = None) -> pd.DataFrame:
    """Give published scores as the contract's table, oldest publication first."""
    raise NotImplementedError


def publications(store: Store) -> Sequence[Publication]:
    """List publications, newest first."""
    raise NotImplementedError
