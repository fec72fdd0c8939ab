"""Rows of a source table as they were known at one date: what came later is not in them."""

from collections.abc import Sequence
from datetime import datetime

import narwhals as nw
import pandas as pd

from features.checked import CheckedSource
from features.contracts import TABLES, Type
from features.declare import FIXED
from features.engine import Engine, Session, session
from features.merges import identities
from features.rows import PLANNED, counted_as
from features.versions import versions
from features.windows import AS_OF_DAY, Rows, day_number, first_day_after, is_seen

PLACE, OF = "_place", "of"
_FIXED = (Type.MONEY, Type.NUMBER)


def known_rows(
    source: CheckedSource, table: str, names: Sequence[str], as_of: datetime, running: Session
) -> Rows:
    """Give a table's rows as they were known just before 00:00 UTC of a date.

    Of the versions of a row that known then; facts that came to be known later are null in it, and
    so is an overwritten column whose versions the source does not keep: nobody can tell what it
    was. The rows of an account that was merged into another by then are the other's.

    Parameters
    ----------
    names
        Columns of the contract; null where the source lacks one.
    as_of
        Naive UTC, 00:00 of a date.

    Returns
    -------
    Rows
        account_id and the columns: times in microseconds, money and numbers in ten-thousandths.

    Raises
    ------
    SourceError
        When the source has no such table.
    """
    times = _own_times(table, names)
    told = [
        name
        for name in source.columns[table]
        if not TABLES[table][name].overwritten or (table, name) in source.stable_columns
    ]
    read = tuple(dict.fromkeys([*names, *times.values()]))
    rows = versions(source.path(table), table, told, read, running)
    rows = counted_as(rows, identities(source), running)
    rows = rows.with_columns(as_of_day=nw.lit(day_number(as_of), nw.Int64))
    rows = rows.filter(is_seen("enters", "leaves"))
    shown = {
        name: nw.when(first_day_after(times[name]) <= AS_OF_DAY).then(nw.col(name))
        if name in times
        else nw.col(name)
        for name in names
    }
    return rows.select("account_id", **shown)


def newest_of_each(rows: Rows, at: str, limit: int) -> Rows:
    """Keep each account's newest rows by a time, and add how many it has in all as ``of``."""
    others = [name for name in rows.collect_schema().names() if name not in ("account_id", at)]
    counted = rows.with_columns(_one=nw.lit(1, nw.Int64), _down=nw.col(at) * -1)
    placed = counted.with_columns(
        nw.col("_one").cum_sum().over("account_id", order_by=["_down", *others]).alias(PLACE),
        nw.col("_one").sum().over("account_id").cast(nw.Int64).alias(OF),
    )
    return placed.filter(nw.col(PLACE) <= limit).drop("_one", "_down")


def newest_rows(
    source: CheckedSource,
    table: str,
    names: Sequence[str],
    as_of: datetime,
    limit: int,
    *,
    without: str | None = None,
    engine: Engine = Engine.DUCKDB,
) -> pd.DataFrame:
    """Give each account's newest rows of a table, as they were known at a date.

    Parameters
    ----------
    names
        Columns of the contract; the first is the time that orders them.
    limit
        At most so many of an account.
    without
        Another column: rows in which it was known are left out.

    Returns
    -------
    pandas.DataFrame
        In order of account_id, the newest first: account_id, the columns in the contract's own
        units, and ``of``. No row where the source lacks the table.

    Raises
    ------
    TenureError
        When the engine is not installed.
    """
    shown = ["account_id", *names, OF]
    if not source.has(table):
        return pd.DataFrame(columns=shown)
    read = [*names, without] if without else list(names)
    with session(engine) as running:
        rows = known_rows(source, table, read, as_of, running)
        kept = rows.filter(nw.col(without).is_null()).drop(without) if without else rows
        found = running.collect(newest_of_each(running.settle(kept), names[0], limit))
    found = found.sort_values(["account_id", PLACE], ignore_index=True)
    for name in names:
        found[name] = in_own_unit(found[name], TABLES[table][name].dtype)
    return found[shown]


def in_own_unit(cells: pd.Series, dtype: Type) -> pd.Series:
    """Turn whole numbers of features into times, money and numbers as people know them."""
    if dtype is Type.TIME:
        return pd.to_datetime(cells, unit="us").astype("datetime64[us]")
    return cells.astype("float64") / FIXED if dtype in _FIXED else cells


def _own_times(table: str, names: Sequence[str]) -> dict[str, str]:
    """Give by column the time at which its value became known, where that is not the row's."""
    known = {name: TABLES[table][name].known_at for name in names}
    first = TABLES[table].first_time
    return {
        name: time
        for name, time in known.items()
        if time is not None and time != first and name not in PLANNED
    }
