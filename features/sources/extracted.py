"""The time of the extract: a guess where the source does not say it, and doubts about it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from features.checked import Finding
from features.contracts import Type
from features.sources.accept import Accepted
from features.sources.sql import literal, number, parquet, quoted, run
from features.sources.stage import Staged

_QUIET_DAYS = 35  # a month and some days: a company that writes once a month is not stale
_LATE_STARTS = 0.01  # some subscriptions are signed ahead; more than these mean an early guess


def guess_extracted_at(
    connection: duckdb.DuckDBPyConnection,
    tables: Iterable[Staged],
    taken_over: Iterable[date],
    today: datetime,
) -> datetime:
    """Give the day after the latest thing that happened, 00:00 UTC.

    Times after `today` are left out: one slip in a year would move the whole extract there.

    Parameters
    ----------
    connection, tables
        The rows that were read.
    taken_over
        The latest days of rows that an earlier check accepted.
    today
        Naive UTC.
    """
    times = [each for staged in tables for each in _happened(staged, staged.files)]
    latest = [datetime.combine(day, time.min) for day in taken_over]
    day = _latest(connection, times, today, latest) or today
    return datetime(day.year, day.month, day.day) + timedelta(days=1)  # noqa: DTZ001 - naive UTC by contract


def doubts(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Accepted],
    extracted_at: datetime,
    *,
    is_guess: bool,
) -> tuple[Finding, ...]:
    """Warn of a time of the extract that the accepted rows speak against.

    Parameters
    ----------
    connection
        The reader's connection.
    tables
        The accepted tables, subscriptions among them.
    extracted_at
        Naive UTC.
    is_guess
        The source does not say it.
    """
    found = _quiet_end(connection, tables, extracted_at)
    return found + _late_starts(connection, tables, extracted_at) if is_guess else found


def _quiet_end(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Accepted], extracted_at: datetime
) -> tuple[Finding, ...]:
    # a start that the extract has seen happened, though others may be planned
    times = [("started_at", tables["subscriptions"].files)]
    latest = []
    for table in tables.values():
        if table.ledger is None:
            times += _happened(table.staged, table.files)
        elif table.ledger.latest_day:
            latest.append(datetime.combine(table.ledger.latest_day, time.min))
    # a date stands at the end of its day, which may be the day of the extract
    newest = _latest(connection, times, datetime.combine(extracted_at, time.max), latest)
    days = (extracted_at.date() - newest.date()).days if newest else 0
    if days <= _QUIET_DAYS:
        return ()
    message = (
        f"The newest row is of {newest:%Y-%m-%d}, {days:,} days before extracted_at: if the "
        "extract is older than it says, accounts would count as staying that nobody has seen. "
        "Correct extracted_at."
    )
    return (Finding("warning", "", "extracted_at", message),)


def _late_starts(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Accepted], extracted_at: datetime
) -> tuple[Finding, ...]:
    subscriptions = tables["subscriptions"]
    rows = number(
        connection,
        f"SELECT count(*) FROM {parquet(subscriptions.files)} "
        f"WHERE started_at > TIMESTAMP {literal(extracted_at)}",
    )
    share = rows / subscriptions.counts.accepted
    if share <= _LATE_STARTS:
        return ()
    message = (
        f"extracted_at is a poor guess, {extracted_at:%Y-%m-%d}, as subscriptions start after it. "
        "Set extracted_at in source.toml"
    )
    return (Finding("warning", "subscriptions", "started_at", message, rows, share),)


def _happened(staged: Staged, files: tuple[Path, ...]) -> Iterator[tuple[str, tuple[Path, ...]]]:
    for name in staged.columns:
        if staged.table[name].dtype is Type.TIME and staged.table[name].happened:
            yield name, files


def _latest(
    connection: duckdb.DuckDBPyConnection,
    times: Iterable[tuple[str, tuple[Path, ...]]],
    until: datetime,
    known: Iterable[datetime],
) -> datetime | None:
    parts = [
        f"SELECT max({quoted(name)}) AS t FROM {parquet(files)} "
        f"WHERE {quoted(name)} <= TIMESTAMP {literal(until)}"
        for name, files in times
    ]
    ((latest,),) = run(connection, f"SELECT max(t) FROM ({' UNION ALL '.join(parts)})")
    return max((moment for moment in (latest, *known) if moment), default=None)
