"""Triggers that held at a publication: since when, and whether people are told again."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection

from serving.store import tables
from serving.store.database import Store

Key = tuple[str, str]
Row = dict[str, Any]


def fired_rows(
    connection: Connection, number: int, as_of: datetime, holding: pd.DataFrame
) -> list[Row]:
    """Give a publication's rows of the store's table of triggers.

    Parameters
    ----------
    as_of:
        The scored date. Only publications of earlier dates count: to score a date again tells the
        same again.
    holding:
        As `serving.playbooks.trigger.holding` gives it.

    Returns
    -------
    list of dict
        One for each account and trigger that holds. since is the date from which it has held in
        every publication, told_at when people were told last: as_of, where they are told now.
    """
    told, since = _told_before(connection, as_of), _held_before(connection, as_of)
    rows = []
    for each in holding.to_dict("records"):
        key = (each["account_id"], each["trigger_id"])
        last = told.get(key)
        every_days = each.pop("every_days")
        is_due = last is None or (as_of - last).days >= every_days
        times = {"since": since.get(key, as_of), "told_at": as_of if is_due else last}
        rows.append({str(name): value for name, value in each.items()} | times)
    return [{**row, "publication": number} for row in rows]


def fired_of(store: Store, publication: int) -> list[Row]:
    """Give what held at a publication, by account and trigger."""
    kept = tables.published_triggers
    query = sa.select(kept).where(kept.c.publication == publication)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(kept.c.account_id, kept.c.trigger_id))
        return [dict(row) for row in rows.mappings()]


def told_now(rows: Iterable[Mapping[str, Any]], as_of: datetime) -> list[Mapping[str, Any]]:
    """Give those of which people are told with the publication of a date."""
    return [row for row in rows if row["told_at"] == as_of]


def _told_before(connection: Connection, as_of: datetime) -> dict[Key, datetime]:
    kept = tables.published_triggers
    last = sa.func.max(kept.c.told_at)
    query = sa.select(kept.c.account_id, kept.c.trigger_id, last).where(kept.c.told_at < as_of)
    found = connection.execute(query.group_by(kept.c.account_id, kept.c.trigger_id))
    return {(account, trigger): time for account, trigger, time in found}


def _held_before(connection: Connection, as_of: datetime) -> dict[Key, datetime]:
    """Give since when triggers held at the last publication of the newest date before."""
    kept, published = tables.published_triggers, tables.publications
    before = (
        sa.select(published.c.number)
        .where(published.c.as_of < as_of)
        .order_by(published.c.as_of.desc(), published.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(kept.c.account_id, kept.c.trigger_id, kept.c.since)
    found = connection.execute(query.where(kept.c.publication == before))
    return {(account, trigger): since for account, trigger, since in found}
