"""What the numbers of accounts' reasons were about a month before, from tables that are kept.

Nothing is built for it: each scoring and each training keeps its table of features, by the source
that it was made of, the declarations and the dates. So a number is told where such a table of about
a month before is there, made by the same declarations, and else it is not.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import isnan
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import sqlalchemy as sa

from features.built import Built, features_file, month_starts
from features.catalog import available
from features.home import Home
from features.own.harvest import Own
from serving.store import tables
from serving.store.database import Store

MONTH = timedelta(days=28)
ABOUT_A_MONTH = (timedelta(days=14), timedelta(days=45))
MOST_ROWS = 200_000
"""A longer table, of many dates, is not read: scoring shall not wait for it."""

Named = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class OwnPast:
    """Numbers of features at a date, by account and feature, those that are known."""

    at: date
    numbers: Mapping[str, dict[str, float]]


def named_by(scores: pd.DataFrame, horizon_days: int) -> dict[str, set[str]]:
    """Give by account the features that the reasons at a horizon name."""
    rows = scores[scores["horizon_days"] == horizon_days]
    found: dict[str, set[str]] = {}
    for account_id, reasons in zip(rows["account_id"], rows["reasons"], strict=True):
        found.setdefault(account_id, set()).update(each["feature"] for each in reasons)
    return found


def own_past(store: Store, home: Home, now: Built, named: Named, own: Own) -> OwnPast | None:
    """Give what the named features of each account were about a month before.

    Parameters
    ----------
    now
        What is scored, of one date.
    named
        By account: the features that are asked for.
    """
    as_of = now.states["as_of"].iloc[0].to_pydatetime()
    names = sorted({name for some in named.values() for name in some})
    at, file = next(_tables(store, home, now, as_of, own), (None, None))
    return OwnPast(at, _numbers(file, at, names, named)) if at and file else None


def _tables(
    store: Store, home: Home, now: Built, as_of: datetime, own: Own
) -> Iterator[tuple[date, Path]]:
    """Give kept tables that hold a date of about a month before, the best first."""
    of_training = available(now.source, own.features)  # scoring may also know of touches
    declared = dict.fromkeys([now.features, of_training])
    for at, fingerprint in _scored_before(store, as_of):
        for features in declared:
            file = features_file(home, fingerprint, features, (at,), own)
            if file.is_file():
                yield at, file
    starts = month_starts(now.source)
    least, most = ABOUT_A_MONTH
    inside = [day for day in starts if least <= as_of - _midnight(day) <= most]
    for features in declared if inside else ():
        file = features_file(home, now.source.fingerprint, features, starts, own)
        if file.is_file() and pq.read_metadata(file).num_rows <= MOST_ROWS:
            yield min(inside, key=lambda day: abs(as_of - MONTH - _midnight(day))), file


def _scored_before(store: Store, as_of: datetime) -> list[tuple[date, str]]:
    """Give dates and source fingerprints of publications, that nearest to a month before first."""
    published, origins = tables.publications, tables.published_origins
    least, most = ABOUT_A_MONTH
    query = (
        sa.select(published.c.as_of, origins.c.source_fingerprint)
        .join(origins, origins.c.publication == published.c.number)
        .where(published.c.as_of.between(as_of - most, as_of - least))
        .order_by(published.c.number.desc())
    )
    with store.reading() as connection:
        found = connection.execute(query).all()
    found = sorted(found, key=lambda row: abs(as_of - MONTH - row.as_of))
    return [(row.as_of.date(), row.source_fingerprint) for row in found]


def _numbers(file: Path, at: date, names: list[str], named: Named) -> dict[str, dict[str, float]]:
    present = {*pq.read_schema(file).names}
    read = [name for name in names if name in present]
    day = pd.Timestamp(at).as_unit("us")
    table = pd.read_parquet(
        file, columns=["account_id", "as_of", *read], filters=[("as_of", "==", day)]
    )
    numbers = table[read].select_dtypes("number").astype(float)
    columns = {name: numbers[name].to_list() for name in numbers}
    return {
        account_id: {
            name: columns[name][row]
            for name in sorted(named.get(account_id, ()))
            if name in columns and not isnan(columns[name][row])
        }
        for row, account_id in enumerate(table["account_id"])
    }


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - naive UTC, as all times
