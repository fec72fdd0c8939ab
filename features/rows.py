"""A source table's rows, with the snapshots that know them: versions and merges are played here."""

from collections.abc import Iterable
from dataclasses import dataclass

import narwhals as nw
import pyarrow as pa

from features.checked import CheckedSource
from features.contracts import TABLES, Column, Type
from features.declare import FIXED, Facts, View
from features.engine import Session
from features.windows import (
    NEVER,
    Rows,
    day_number,
    day_of,
    first_day_after,
    known_by,
    microseconds,
)

PLANNED = frozenset({"due_at", "renews_at"})
"""Times that a row says ahead, known with the row itself."""

IDENTITIES = pa.schema(
    [
        ("account_id", pa.string()),
        ("becomes", pa.string()),
        ("becomes_on", pa.int64()),
        ("becomes_until", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Identity:
    """From which snapshot, until which, the rows of one account count as those of another."""

    account_id: str
    becomes: str
    becomes_on: int
    becomes_until: int


def identities(source: CheckedSource) -> tuple[Identity, ...]:
    """Give every account that was merged into another, and what its rows count as, over time."""
    if not source.has("account_merges"):
        return ()
    merges = source.read("account_merges").sort_values("known_at", kind="stable")
    into: dict[str, tuple[str, int]] = {}
    names = ("from_account_id", "into_account_id", "known_at")
    for vanished, account_id, known_at in zip(*(merges[name] for name in names), strict=True):
        into.setdefault(vanished, (account_id, day_number(known_at) + 1))
    return tuple(identity for account_id in into for identity in _play(account_id, into))


def _play(account_id: str, into: dict[str, tuple[str, int]]) -> Iterable[Identity]:
    current, since, seen = account_id, 0, {account_id}
    while current in into and into[current][0] not in seen:
        following, day = into[current]
        day = max(day, since)
        yield Identity(account_id, current, since, day)
        current, since = following, day
        seen.add(current)
    yield Identity(account_id, current, since, NEVER)


@dataclass(frozen=True)
class Reader:
    """Reads facts out of a checked source, on one engine.

    Parameters
    ----------
    source
        Checked tables.
    session
        The engine at work.
    merged
        What the rows of merged accounts count as.
    """

    source: CheckedSource
    session: Session
    merged: tuple[Identity, ...]

    def facts(self, facts: Facts, extra: Iterable[str] = ()) -> Rows:
        """Give account_id, enters, leaves, at_day, until_day (of a state) and the used columns.

        One row is one fact; rows without the fact's time are left out. `enters` and `leaves` are
        the days of the first snapshots that know the row, and that know it no more.
        """
        wanted = dict.fromkeys((*facts.columns, *extra))
        if isinstance(facts.table, View):
            below = self.rows(facts.source_table, facts.table.uses, facts.table.optional)
            rows = facts.table.make(below)
        else:
            own = {time for name in wanted if (time := self._own_time(facts, name))}
            rows = self.rows(facts.source_table, (*wanted, *sorted(own - wanted.keys())))
        rows = rows.filter(~nw.col(facts.at).is_null())
        until = {"until_day": day_of(facts.until).fill_null(NEVER)} if facts.until else {}
        return rows.select(
            "account_id",
            "enters",
            "leaves",
            at_day=day_of(facts.at),
            **until,
            **{name: self._as_known(facts, name) for name in wanted},
        )

    def rows(self, table: str, columns: Iterable[str], optional: Iterable[str] = ()) -> Rows:
        """Give account_id, enters, leaves and the columns, in whole numbers and texts."""
        present = self.source.columns[table]
        names = list(dict.fromkeys((*columns, *optional)))
        read = {name: _whole(TABLES[table][name], is_there=name in present) for name in names}
        key = TABLES[table].key if "recorded_at" in present else ()
        known = nw.col("known_at")
        frame = self.session.scan(self.source.path(table))
        if key:
            order = nw.coalesce("recorded_at", "known_at")
            frame = frame.with_columns(recorded_in_order=order).with_columns(
                known_from_then=known.cum_min(reverse=True).over(*key, order_by="recorded_in_order")
            )
            replaced = nw.col("known_from_then").shift(-1).over(*key, order_by="recorded_in_order")
            frame = frame.with_columns(replaced_at=replaced)
            read["replaced_at"] = microseconds("replaced_at")
        frame = frame.select("account_id", known_at=microseconds("known_at"), **read)
        leaves = first_day_after("replaced_at").fill_null(NEVER) if key else nw.lit(NEVER, nw.Int64)
        frame = frame.with_columns(enters=first_day_after("known_at"), leaves=leaves)
        frame = self._merge(frame.select("account_id", "enters", "leaves", *names))
        return frame.filter(nw.col("enters") < nw.col("leaves")) if key or self.merged else frame

    def _merge(self, frame: Rows) -> Rows:
        if not self.merged:
            return frame
        columns = {
            name: [getattr(identity, name) for identity in self.merged] for name in IDENTITIES.names
        }
        moved = frame.join(self.session.frame(columns, IDENTITIES), on="account_id", how="left")
        return moved.with_columns(
            account_id=nw.coalesce("becomes", "account_id"),
            enters=nw.max_horizontal("enters", "becomes_on"),
            leaves=nw.min_horizontal("leaves", "becomes_until"),
        ).drop("becomes", "becomes_on", "becomes_until")

    @staticmethod
    def _own_time(facts: Facts, name: str) -> str | None:
        """Name the time at which a column's value became known, if that is not the row's own."""
        columns = {column.name: column for column in TABLES[facts.source_table]}
        own = columns[name].known_at if name in columns else None
        row_time = TABLES[facts.source_table].first_time
        return None if own in (None, facts.at, row_time) or own in PLANNED else own

    def _as_known(self, facts: Facts, name: str) -> nw.Expr:
        own = self._own_time(facts, name)
        if own is None or isinstance(facts.table, View):
            return nw.col(name)
        return nw.when(known_by(own, facts.at)).then(nw.col(name))


def _whole(column: Column, *, is_there: bool) -> nw.Expr:
    """Read a column as whole numbers: times in microseconds, numbers in ten-thousandths."""
    if not is_there:
        default = None if column.default is None else round(column.default * FIXED)
        return nw.lit(default, nw.String if column.dtype is Type.TEXT else nw.Int64)
    match column.dtype:
        case Type.TIME:
            return microseconds(column.name)
        case Type.MONEY:
            return (nw.col(column.name) * FIXED).cast(nw.Int64)
        case Type.NUMBER:
            whole = (nw.col(column.name) * FIXED).round(0).cast(nw.Int64)
            return (
                whole if column.default is None else whole.fill_null(round(column.default * FIXED))
            )
        case Type.INTEGER | Type.BOOLEAN:
            return nw.col(column.name).cast(nw.Int64)
        case Type.TEXT:
            return nw.col(column.name)
