"""The accounts and snapshots at which features are measured, and sums that run over them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw
import pyarrow as pa

from features.engine import Session
from features.terms import snapshot_month
from features.windows import NEVER, Rows, Window, is_seen

SPAN = ("start", "end")
AT_SNAPSHOT = ("as_of_day", "as_of_month", "as_of_dom", "as_of_month_last_dom")


@dataclass(frozen=True)
class Grid:
    """Accounts times days, on one engine.

    Parameters
    ----------
    days
        The snapshots' days, rising.
    calendar
        For each day from the first snapshot to the last: `day`, and `bucket`, the day of the first
        snapshot that is not before it.
    points
        Every account at every snapshot: account_id, and of the snapshot as_of_day, as_of_month
        (`terms`), as_of_dom, as_of_month_last_dom (days of the month, from 0).
    accounts
        The accounts.
    """

    days: tuple[int, ...]
    calendar: Rows
    points: Rows
    accounts: tuple[str, ...] = ()

    def from_first(self, day: nw.Expr) -> nw.Expr:
        """Move days before the first snapshot to it."""
        return nw.max_horizontal(day, nw.lit(self.days[0], nw.Int64))

    def starting(self, rows: Rows, day: str, name: str = "bucket") -> Rows:
        """Add the first snapshot not before a day, and drop rows after the last one."""
        return rows.join(self.calendar.select(nw.col("day").alias(day), **{name: "bucket"}), on=day)

    def ending(self, rows: Rows, day: str, name: str) -> Rows:
        """Add the first snapshot not before a day, NEVER after the last one."""
        buckets = self.calendar.select(nw.col("day").alias(day), **{name: "bucket"})
        ended = rows.join(buckets, on=day, how="left")
        return ended.with_columns(nw.col(name).fill_null(NEVER))


def grid(accounts: Sequence[str], days: Iterable[int], session: Session) -> Grid:
    """Lay the grid of these accounts and days."""
    rising = tuple(sorted(set(days)))
    buckets = [
        (day, bucket)
        for before, bucket in zip((rising[0] - 1, *rising), rising, strict=False)
        for day in range(before + 1, bucket + 1)
    ]
    whole = pa.int64()
    calendar = session.frame(
        {"day": [day for day, _ in buckets], "bucket": [bucket for _, bucket in buckets]},
        pa.schema([("day", whole), ("bucket", whole)]),
    )
    months = [snapshot_month(day) for day in rising]
    snapshots = session.frame(
        {
            "as_of_day": rising,
            "as_of_month": [month.month for month in months],
            "as_of_dom": [month.dom for month in months],
            "as_of_month_last_dom": [month.last_dom for month in months],
        },
        pa.schema([(name, whole) for name in AT_SNAPSHOT]),
    )
    ids = session.frame({"account_id": accounts}, pa.schema([("account_id", pa.string())]))
    return Grid(rising, calendar, session.settle(ids.join(snapshots, how="cross")), tuple(accounts))


def with_span(facts: Rows, window: Window, on: Grid, *, is_state: bool) -> Rows:
    """Add start and end: the first snapshot whose window sees a fact, and the first that no more.

    A fact that no snapshot sees there is dropped.
    """
    until = "until_day" if is_state else None
    facts = facts.with_columns(
        start_day=on.from_first(window.enters("enters", "at_day")),
        end_day=on.from_first(window.leaves("leaves", "at_day", until)),
    )
    facts = facts.filter(nw.col("start_day") < nw.col("end_day"))
    spans = on.ending(on.starting(facts, "start_day", "start"), "end_day", "end")
    return spans.filter(nw.col("start") < nw.col("end"))


def run(steps: Rows, changes: Mapping[str, nw.Expr], on: Grid) -> Rows:
    """Give account_id, as_of_day and columns: the sums of their changes so far at each point.

    `steps` has account_id, `bucket` (the day of the snapshot that first sees the change) and what
    the expressions in `changes` read. A sum is made where it changes, and stands until it changes
    again: what is added up hangs on the changes, not on accounts times snapshots.
    """
    columns = tuple(changes)
    zeros = {column: nw.lit(0, nw.Int64) for column in columns}
    accounts = on.points.select("account_id").unique()
    nothing = accounts.select("account_id", bucket=nw.lit(on.days[0], nw.Int64), **zeros)
    summed = steps.with_columns(**changes).group_by("account_id", "bucket")
    changed = summed.agg(nw.col(*columns).sum().cast(nw.Int64))
    whole = changed.select("account_id", "bucket", nw.col(*columns).fill_null(0))
    both = nw.concat([nothing, whole], how="vertical").group_by("account_id", "bucket")
    total = both.agg(nw.col(*columns).sum().cast(nw.Int64))
    running = nw.col(*columns).cum_sum().over("account_id", order_by="bucket").cast(nw.Int64)
    until = nw.col("bucket").shift(-1).over("account_id", order_by="bucket").fill_null(NEVER)
    sums = total.select("account_id", "bucket", running, until=until)
    standing = on.points.select("account_id", "as_of_day").join(sums, on="account_id")
    return standing.filter(is_seen("bucket", "until")).select("account_id", "as_of_day", *columns)
