"""The figures in hand-written Polars; frozen before Tenure's own fold was tuned."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import polars as pl

from benchmarks.asked import COUNTS, LONGEST, WINDOWS, Accounts, AsOfs
from benchmarks.usage import EVENTS


def by_snapshot(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Scan each snapshot's longest window, and aggregate with filters, on the streaming engine."""
    events = pl.scan_parquet(log / "*.parquet")
    ids = pl.LazyFrame({"account_id": list(accounts)})
    days = events.group_by("account_id", day=pl.col("occurred_at").dt.date()).agg()
    days = days.sort("day").collect(engine="streaming").lazy()
    frames = [_at_snapshot(events, days, ids, as_of) for as_of in as_ofs]
    return pl.concat([frame.collect(engine="streaming") for frame in frames]).to_pandas()


def _at_snapshot(
    events: pl.LazyFrame, days: pl.LazyFrame, ids: pl.LazyFrame, as_of: datetime
) -> pl.LazyFrame:
    at, age = pl.col("occurred_at"), pl.lit(as_of) - pl.col("occurred_at")

    def within(days: int) -> pl.Expr:
        return age <= pl.duration(days=days)

    one = events.filter((at < as_of) & within(LONGEST)).group_by("account_id")
    counted = one.agg(
        *(within(d).sum().alias(f"events_{d}d") for d in WINDOWS),
        *(
            pl.col("user_id").filter(within(d)).drop_nulls().n_unique().alias(f"users_{d}d")
            for d in WINDOWS
        ),
        pl.col("event").n_unique().alias("event_types_90d"),
        *((within(28) & (pl.col("event") == e)).sum().alias(f"{e}_28d") for e in EVENTS),
        (within(56) & ~within(28)).sum().alias("before_28d"),
    )
    last = days.filter(pl.col("day") < as_of.date()).group_by("account_id").agg(pl.col("day").max())
    both = ids.join(counted, on="account_id", how="left").join(last, on="account_id", how="left")
    now, before = pl.col("events_28d").cast(pl.Float64), pl.col("before_28d").cast(pl.Float64)
    return both.select(
        "account_id",
        pl.lit(as_of).alias("as_of"),
        *(pl.col(name).fill_null(0).cast(pl.Int64) for name in COUNTS),
        (pl.lit(as_of.date()) - pl.col("day")).dt.total_days().alias("days_since_last_event"),
        pl.when(before > 0).then((now - before) / before).alias("trend"),
    )
