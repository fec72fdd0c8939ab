"""Feature tables that were built before: kept by what they depend on, and read again."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.build import feature_table
from features.catalog import available, features_fingerprint
from features.checked import CheckedSource
from features.declare import Feature
from features.engine import Engine
from features.errors import SourceError
from features.home import Home, private
from features.own.harvest import Own
from features.spine import account_states
from features.tombstones import Tombstones, at_work

STATES_FILE = "states.parquet"
_HALF = ".building-"
FEATURES_FILE = "features.parquet"
Demand = Callable[[CheckedSource, pd.DataFrame], None]
"""Raises where source and states will not do for what the features are to be built for."""


@dataclass(frozen=True)
class Built:
    """Accounts and their features at some dates.

    Attributes
    ----------
    source
        The checked source they come from.
    features
        The declarations that were built.
    states
        `features.spine.account_states`: one row per known account and date.
    table
        `features.build.feature_table`: one row per active account and date.
    """

    source: CheckedSource
    features: tuple[Feature, ...]
    states: pd.DataFrame
    table: pd.DataFrame


def built(
    source: CheckedSource,
    dates: Sequence[date],
    *,
    home: Home,
    engine: Engine = Engine.DUCKDB,
    own: Own | None = None,
    touches: bool = False,
    enough: Demand | None = None,
) -> Built:
    """Build states and features at `dates`, or read them where they were built before.

    Parameters
    ----------
    source
        Checked tables.
    dates
        The snapshots.
    home
        Keeps what was built.
    engine
        Who computes; the numbers do not depend on it.
    own
        The company's own features, built beside ours.
    touches
        Whether features over touches are built too.
    enough
        Sees source and states before features are built for the first time, and may raise.

    Raises
    ------
    SourceError
        When a date lies after the extract: what happened until then is not known.
    """
    refuse_the_future(source, dates)
    own = own or Own()
    features = available(source, own.features, touches=touches)
    with at_work(home):
        kept = home.snapshots / _key(source.fingerprint, features, dates, engine, own)
        if not kept.is_dir():
            states = account_states(source, dates, engine=engine)
            if enough:
                enough(source, states)
            table = feature_table(source, states, engine=engine, features=features)
            _keep(kept, {STATES_FILE: states, FEATURES_FILE: table})
        return Built(
            source=source,
            features=features,
            states=pd.read_parquet(kept / STATES_FILE),
            table=pd.read_parquet(kept / FEATURES_FILE),
        )


def features_file(
    home: Home, fingerprint: str, features: tuple[Feature, ...], dates: Sequence[date], own: Own
) -> Path:
    """Name the file of a feature table; it is there if it was built before, and not erased since.

    Parameters
    ----------
    fingerprint
        Of the checked source, which may be gone by now.
    features, dates, own
        As they were when it was built: a table of other declarations is another one.
    """
    key = _key(fingerprint, features, dates, Engine.DUCKDB, own)
    return home.snapshots / key / FEATURES_FILE


def forget(home: Home, erased: Tombstones) -> int:
    """Remove the tables that name an erased account, and give how many: they are built again.

    Whoever calls it holds `features.tombstones.erasing`.
    """
    for half in home.snapshots.glob(f"{_HALF}*"):
        shutil.rmtree(half)
    found = [kept for kept in home.snapshots.glob("[!.]*") if _names_any(kept, erased)]
    for kept in found:
        shutil.rmtree(kept)
    return len(found)


def _names_any(kept: Path, erased: Tombstones) -> bool:
    for file in kept.glob("*.parquet"):
        schema = pq.read_schema(file)
        texts = [each.name for each in schema if pa.types.is_large_string(each.type)]
        texts += [each.name for each in schema if pa.types.is_string(each.type)]
        table = pq.read_table(file, columns=texts)
        if any(erased.among(pc.unique(column).to_pylist()) for column in table.columns):
            return True
    return False


def month_starts(source: CheckedSource) -> tuple[date, ...]:
    """Give the first of each month from the first loss on record to the extract.

    Of the time before an account was first lost, an extract usually holds the survivors only: from
    it one would learn that nobody leaves. Where no account was lost, the first subscription counts.
    """
    rows = source.newest("subscriptions").reindex(columns=["account_id", "started_at", "ended_at"])
    rows = rows.astype({"ended_at": "datetime64[us]"})  # a source may have no such column
    last_ends = rows.groupby("account_id")["ended_at"].agg(lambda ends: ends.max(skipna=False))
    losses = last_ends[last_ends <= source.extracted_at]  # a scheduled end is no loss yet
    first = losses.min() if len(losses) else rows["started_at"].min()
    return dates_between(first.date(), source.extracted_at.date(), "month")


def dates_between(first: date, last: date, every: str) -> tuple[date, ...]:
    """Give the first of each month, or each seventh day, from `first` to `last`, both included."""
    series = pd.date_range(first, last, freq="MS" if every == "month" else "7D")
    return tuple(moment.date() for moment in series)


def refuse_the_future(source: CheckedSource, dates: Sequence[date]) -> None:
    """Raise SourceError when a date lies after the extract: what happened until then is unknown."""
    last = max(dates, default=None)
    if last is not None and last > source.last_date:
        raise SourceError(
            f"Expected dates up to the extract's, {source.last_date:%Y-%m-%d}, got {last}. "
            "Bring a newer extract, or name an earlier date."
        )


def _key(
    fingerprint: str,
    features: tuple[Feature, ...],
    dates: Sequence[date],
    engine: Engine,
    own: Own,
) -> str:
    depends_on = [
        fingerprint,
        features_fingerprint(features),
        [day.isoformat() for day in dates],
        engine.value,
        own.digest,  # a fingerprint does not see what their functions call
    ]
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:16]


def _keep(folder: Path, frames: dict[str, pd.DataFrame]) -> None:
    # Written aside and renamed, so that a killed build leaves nothing that looks whole.
    aside = Path(tempfile.mkdtemp(dir=private(folder.parent), prefix=_HALF))
    try:
        for name, frame in frames.items():
            frame.to_parquet(aside / name, index=False)
        if not folder.exists():
            os.rename(aside, folder)  # noqa: PTH104 - rename is the point: it is atomic
    finally:
        shutil.rmtree(aside, ignore_errors=True)
