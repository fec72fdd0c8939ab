"""The figures in hand-written pandas; frozen before Tenure's own fold was tuned."""

from pathlib import Path

import pandas as pd

from benchmarks.asked import LONGEST, WINDOWS, Accounts, AsOfs
from benchmarks.usage import EVENTS


def by_snapshot(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Read the log into memory, and aggregate each snapshot's windows."""
    wanted = ["account_id", "user_id", "occurred_at", "event"]
    events = pd.concat(
        [pd.read_parquet(file, columns=wanted) for file in sorted(log.glob("*.parquet"))]
    )
    ids = pd.Index(list(accounts), name="account_id")
    events = events.assign(day=events["occurred_at"].dt.normalize())
    return pd.concat([_pandas_row(events, ids, pd.Timestamp(as_of)) for as_of in as_ofs])


def _pandas_row(events: pd.DataFrame, ids: pd.Index, as_of: pd.Timestamp) -> pd.DataFrame:
    past = events[events["occurred_at"] < as_of]
    row = pd.DataFrame(index=ids)
    for days in WINDOWS:
        seen = past[past["occurred_at"] >= as_of - pd.Timedelta(days=days)].groupby("account_id")
        row[f"events_{days}d"] = seen.size()
        row[f"users_{days}d"] = seen["user_id"].nunique()
        if days == LONGEST:
            row["event_types_90d"] = seen["event"].nunique()
        if days == 28:  # noqa: PLR2004 - the window of the counts by type
            by_type = seen["event"].value_counts().unstack("event")  # noqa: PD010 - what most people write
            by_type = by_type.reindex(columns=list(EVENTS))
            row = row.join(by_type.rename(columns=lambda event: f"{event}_28d"))
    row = row.fillna(0).astype("int64")
    is_before = (past["occurred_at"] < as_of - pd.Timedelta(days=28)) & (
        past["occurred_at"] >= as_of - pd.Timedelta(days=56)
    )
    before = past[is_before].groupby("account_id").size().reindex(ids).fillna(0)
    row["trend"] = ((row["events_28d"] - before) / before).where(before > 0)
    row["days_since_last_event"] = (as_of - past.groupby("account_id")["day"].max()).dt.days
    return row.assign(as_of=as_of).reset_index()
