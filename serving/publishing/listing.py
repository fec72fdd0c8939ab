"""What the work list shows, gathered beside the scores and written with their publication."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection

from features.build import feature_table
from features.catalog import available
from features.checked import CheckedSource
from features.weekly_use import weekly_use
from models.holdings import held, names_of
from serving.publishing.publication import NEWEST_FIRST
from serving.scoring.changes import Before
from serving.scoring.listed import Around
from serving.store import tables
from serving.store.database import Store
from serving.store.searched import searched
from serving.store.touches import touches_told

WEEK = timedelta(days=7)
ABOUT_A_WEEK = (timedelta(days=4), timedelta(days=10))
LAST_TOUCH = "touches__days_since_touch"


def around(store: Store, source: CheckedSource, states: pd.DataFrame) -> Around:
    """Gather what the list shows of accounts beside their scores.

    Parameters
    ----------
    states
        `features.spine.account_states` of one date.
    """
    as_of = states["as_of"].iloc[0].to_pydatetime()
    running = _running(states)
    return Around(
        use=weekly_use(source, running).drop(columns="as_of"),
        touched=_last_touches(store, source, running),
        before=week_before(store, as_of),
    )


def products(source: CheckedSource, states: pd.DataFrame) -> pd.DataFrame:
    """Give account_id and product of all that is paid for, by the states of one date."""
    had = held(source, _running(states), names_of(source))
    rows = had.explode("held").dropna(subset="held")
    return rows.rename(columns={"held": "product"})[["account_id", "product"]]


def no_products() -> pd.DataFrame:
    """Give no rows of `products`."""
    return pd.DataFrame(columns=["account_id", "product"])


def week_before(store: Store, as_of: datetime) -> Before | None:
    """Give what was published about a week before a date, None where nothing was.

    Of several publications that of the date nearest to a week before counts, and of one date the
    last.
    """
    published, models = tables.publications, tables.published_models
    least, most = ABOUT_A_WEEK
    query = (
        sa.select(published.c.number, published.c.as_of, models.c.model_version)
        .join(models, models.c.publication == published.c.number)
        .where(models.c.model == "churn")
        .where(published.c.as_of.between(as_of - most, as_of - least))
        .order_by(*NEWEST_FIRST)
    )
    with store.reading() as connection:
        found = connection.execute(query).all()
        if not found:
            return None
        nearest = min(found, key=lambda row: abs(as_of - WEEK - row.as_of))
        said = _said(connection, nearest.number)
    return Before(nearest.as_of, nearest.model_version, said)


def _said(connection: Connection, number: int) -> pd.DataFrame:
    accounts, details = tables.published_accounts, tables.listed_details
    same = sa.and_(
        details.c.publication == accounts.c.publication,
        details.c.account_id == accounts.c.account_id,
    )
    query = sa.select(accounts.c.account_id, accounts.c.probability, details.c.effects)
    query = query.join(details, same, isouter=True).where(accounts.c.publication == number)
    rows = connection.execute(query).all()
    frame = pd.DataFrame(rows, columns=["account_id", "probability", "effects"])
    return frame.astype({"probability": float}).set_index("account_id")


def _running(states: pd.DataFrame) -> pd.DataFrame:
    """Give account_id and as_of of accounts that pay, those that are leaving too."""
    is_running = states["status"].isin(["active", "leaving"])
    return states.loc[is_running, ["account_id", "as_of"]]


def _last_touches(
    store: Store, source: CheckedSource, running: pd.DataFrame
) -> dict[str, pd.Timestamp]:
    """Give each account's last touch, as the source and the feedback tell of it."""
    told = [each for each in available(source, touches=True) if each.column == LAST_TOUCH]
    touched: dict[str, pd.Timestamp] = {}
    if told:
        table = feature_table(source, running, features=told).dropna(subset=LAST_TOUCH)
        at = table["as_of"] - pd.to_timedelta(table[LAST_TOUCH], unit="D")
        touched = dict(zip(table["account_id"], at, strict=True))
    for account_id, recorded_at in _touches_told(store).items():
        touched[account_id] = max(touched.get(account_id, recorded_at), recorded_at)
    return touched


def _touches_told(store: Store) -> dict[str, pd.Timestamp]:
    with store.reading() as connection:
        return {one: pd.Timestamp(at) for one, at in connection.execute(touches_told())}


def write_listing(
    connection: Connection, number: int, rows: Sequence[Mapping[str, Any]], bought: pd.DataFrame
) -> None:
    """Write the rows of a publication's list, in the transaction of its scores.

    Parameters
    ----------
    rows
        As `serving.scoring.listed.listed_rows` gives them, of plain values.
    bought
        account_id and product.
    """
    if not rows:
        return
    full = [
        {**row, "publication": number, "searched": searched(row["name"], row["account_id"])}
        for row in rows
    ]
    for table in (tables.listed_accounts, tables.listed_details):
        names = table.columns.keys()
        connection.execute(sa.insert(table), [{name: row[name] for name in names} for row in full])
    pairs = bought[["account_id", "product"]].itertuples(index=False, name=None)
    paid = [{"publication": number, "account_id": one, "product": name} for one, name in pairs]
    if paid:
        connection.execute(sa.insert(tables.listed_products), paid)
