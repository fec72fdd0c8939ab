"""How scores become visible: all of them at once, with the models that they come from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection

from features.checked import CheckedSource
from features.home import Home
from features.tombstones import Tombstones, at_work, read_tombstones
from models.bundle import Bundle
from models.scored import check_scores
from serving.audit_log.account_keys import make_keys
from serving.playbooks.fired import fired_rows
from serving.playbooks.trigger import none_holding
from serving.publishing.account_pages import no_pages, write_pages
from serving.publishing.bundles import keep_bundle
from serving.publishing.listing import no_products, write_listing
from serving.publishing.origin import Origin, code_here, digest_of, line_digest
from serving.publishing.publication import Publication, PublishedModel
from serving.scoring.next_products import nothing
from serving.snapshots.lay_out import lay_out
from serving.snapshots.served import put_in_service_unless_older
from serving.store import tables
from serving.store.database import Store

OF_ACCOUNTS = (
    *("scores", "listed", "signals", "renewals", "next_products", "features"),
    *("rows", "products", "triggers", "pages"),
)
"""The tables of what is published that have a row for an account, or several."""


@dataclass(frozen=True)
class Scored:
    """What one run of ``tenure score`` publishes.

    Attributes
    ----------
    scores:
        The contract's ``scores``, as `serving.scoring.score.score` gives them.
    listed:
        Accounts in order of expected loss, as `serving.scoring.worklist.rank` gives them.
    signals:
        As `serving.scoring.signals.recent_signals` gives them.
    renewals:
        As `serving.scoring.renewals.renewals` gives them.
    next_products:
        As `serving.scoring.next_products.next_products` gives them; none by default.
    bundles:
        The models of the scores, by name.
    source:
        The checked source that was scored; None where the publication is not to name one.
    about:
        Metrics and data of each model, by its name, as the registry keeps them.
    features:
        The feature rows that were scored; None keeps none in the snapshot.
    rows:
        What the work list shows, as `serving.scoring.listed.listed_rows` gives it; None: nothing.
    products:
        account_id and product of all that is paid for.
    triggers:
        Which triggers hold, as `serving.playbooks.trigger.holding` gives it; none by default.
    pages:
        What accounts' pages show, as `serving.publishing.account_pages.account_pages` gives it.
    list_horizon_days:
        Horizon that `listed` is ordered by.
    currency:
        ISO code of all money.
    """

    scores: pd.DataFrame
    listed: pd.DataFrame
    signals: pd.DataFrame
    renewals: pd.DataFrame
    bundles: Mapping[str, Bundle]
    list_horizon_days: int
    currency: str
    source: CheckedSource | None = None
    next_products: pd.DataFrame = field(default_factory=nothing)
    features: pd.DataFrame | None = None
    rows: pd.DataFrame | None = None
    products: pd.DataFrame = field(default_factory=no_products)
    triggers: pd.DataFrame = field(default_factory=none_holding)
    pages: pd.DataFrame = field(default_factory=no_pages)
    about: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def publish(store: Store, home: Home, scored: Scored, published_at: datetime) -> Publication:
    """Keep the models, write all rows in one transaction, then put their snapshot in service.

    Killed at any moment, it leaves in service what was there before, or all of the new.

    Parameters
    ----------
    home:
        Models are kept in its ``bundles/<model>/<version>``, where the service loads them from, and
        snapshots in ``served``.
    published_at:
        Naive UTC time.

    Raises
    ------
    ModelError
        If the scores break their contract, or another model has the version's name already.
    StoreError
        If the database fails; nothing is visible then.
    """
    with at_work(home):
        return _published_now(store, home, scored, published_at)


def _published_now(store: Store, home: Home, scored: Scored, published_at: datetime) -> Publication:
    check_scores(scored.scores)
    scored = without_erased(scored, read_tombstones(home))
    for name, bundle in scored.bundles.items():
        keep_bundle(home, name, bundle)
    models = tuple(_published(name, scored) for name in sorted(scored.bundles))
    about: dict[str, Any] = {
        "as_of": scored.scores["as_of"].iloc[0].to_pydatetime(),
        "scored_at": scored.scores["scored_at"].iloc[0].to_pydatetime(),
        "published_at": published_at,
        "list_horizon_days": scored.list_horizon_days,
        "currency": scored.currency,
        "accounts": len(scored.listed),
    }
    with store.writing() as connection:
        number = _insert(connection, about, models, scored)
        origin = _insert_origin(connection, number, scored)
    publication = Publication(number=number, models=models, origin=origin, **about)
    name = lay_out(store, home, publication, scored.bundles, scored.features)
    put_in_service_unless_older(home, name, publication.as_of)
    return publication


def without_erased(scored: Scored, erased: Tombstones) -> Scored:
    """Leave erased accounts out of what is published, though a source still had them."""
    related = {*scored.listed.get("customer_group", ()), *scored.pages["parent_account_id"]}
    gone = erased.among({*scored.listed["account_id"], *related} - {None})
    if not gone:
        return scored
    found = ((name, getattr(scored, name, None)) for name in OF_ACCOUNTS)
    frames = {name: frame for name, frame in found if frame is not None}
    left = {name: frame[~frame["account_id"].isin(gone)] for name, frame in frames.items()}
    if "customer_group" in left["listed"]:
        groups = left["listed"]["customer_group"]
        left["listed"] = left["listed"].assign(customer_group=groups.mask(groups.isin(gone)))
    parents = left["pages"]["parent_account_id"]
    left["pages"] = left["pages"].assign(parent_account_id=parents.mask(parents.isin(gone), None))
    return replace(scored, **left)


def _published(name: str, scored: Scored) -> PublishedModel:
    bundle = scored.bundles[name]
    return PublishedModel(
        model=name,
        model_version=bundle.version,
        features_version=bundle.features_fingerprint,
        horizons_days=bundle.question.horizons_days,
        about=scored.about.get(name, {}),
    )


def _insert(
    connection: Connection,
    about: Mapping[str, Any],
    models: Sequence[PublishedModel],
    scored: Scored,
) -> int:
    number: int = connection.execute(
        sa.insert(tables.publications).values(**about).returning(tables.publications.c.number)
    ).scalar_one()
    connection.execute(sa.insert(tables.published_models), _model_rows(number, models))
    connection.execute(sa.insert(tables.scores), score_rows(number, scored.scores))
    connection.execute(
        sa.insert(tables.published_accounts), _account_rows(number, scored.listed, scored.signals)
    )
    make_keys(connection, scored.listed["account_id"].tolist())
    renewals = _plain_rows(scored.renewals.drop(columns="as_of").assign(publication=number))
    if renewals:
        connection.execute(sa.insert(tables.published_renewals), renewals)
    products = _plain_rows(scored.next_products.assign(publication=number))
    if products:
        connection.execute(sa.insert(tables.published_next_products), products)
    if scored.rows is not None:
        write_listing(connection, number, _plain_rows(scored.rows), scored.products)
    write_pages(connection, number, scored.pages)
    triggers = fired_rows(connection, number, about["as_of"], scored.triggers)
    if triggers:
        connection.execute(sa.insert(tables.published_triggers), triggers)
    tables.note(connection, about["published_at"], "command line", "publish", str(number))
    return number


def _insert_origin(connection: Connection, number: int, scored: Scored) -> Origin | None:
    if scored.source is None:
        return None
    origin = Origin(
        source_fingerprint=scored.source.fingerprint,
        extracted_at=scored.source.extracted_at,
        code=code_here(),
        scores_digest=digest_of(score_rows(number, scored.scores)),
        line_digest=line_digest(connection, number),
    )
    row = {"publication": number, **asdict(origin)}
    connection.execute(sa.insert(tables.published_origins).values(**row))
    return origin


def _model_rows(number: int, models: Sequence[PublishedModel]) -> list[dict[str, Any]]:
    return [
        {
            "publication": number,
            "model": model.model,
            "model_version": model.model_version,
            "features_version": model.features_version,
            "horizons_days": json.dumps(model.horizons_days),
            "about": json.dumps(dict(model.about), default=str),
        }
        for model in models
    ]


def score_rows(number: int, scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Give a publication's rows of the store's table of scores."""
    rows = _plain_rows(scores.drop(columns=["as_of", "scored_at"]))
    for row in rows:
        row["reasons"] = json.dumps([dict(reason) for reason in row["reasons"]], allow_nan=False)
        row["publication"] = number
    return rows


def _account_rows(number: int, listed: pd.DataFrame, signals: pd.DataFrame) -> list[dict[str, Any]]:
    of_account = dict(zip(signals["account_id"], signals["signals"], strict=True))
    kept = [name for name in tables.published_accounts.c.keys() if name in listed]  # noqa: SIM118 - no dict
    rows = _plain_rows(listed[kept])
    for row in rows:
        row["signals"] = json.dumps(of_account.get(row["account_id"], []), allow_nan=False)
        row["publication"] = number
    return rows


def _plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows of Python values, with None for every kind of missing one."""
    plain = {name: _plain(frame[name]) for name in frame.columns}
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _plain(column: pd.Series) -> list[Any]:
    if column.name == "reasons":
        return list(column)
    if pd.api.types.is_datetime64_any_dtype(column):
        return [None if pd.isna(value) else value.to_pydatetime() for value in column]
    objects = column.astype(object)
    return objects.where(column.notna(), None).tolist()
