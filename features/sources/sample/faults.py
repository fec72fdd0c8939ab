"""What is wrong with every real extract: copies, broken rows, rows of nobody."""

from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

COPIES = MappingProxyType(
    {"support_tickets": 0.003, "payments": 0.004, "engagement": 0.002, "surveys": 0.003}
)
COPIES_OF_USAGE = 0.002
BROKEN = 4
ROWS_A_BROKEN_ONE = 50  # so that a small company too stays below the limit of broken rows
ENDS = MappingProxyType(
    {
        "subscriptions": ("started_at", "ended_at"),
        "support_tickets": ("opened_at", "resolved_at"),
        "contacts": ("joined_at", "left_at"),
        "incidents": ("started_at", "resolved_at"),
    }
)
HAPPENED = MappingProxyType(
    {
        "surveys": "responded_at",
        "engagement": "occurred_at",
        "trainings": "completed_at",
        "reviews": "held_at",
        "payments": "attempted_at",
    }
)
KEYS = MappingProxyType(
    {
        "subscriptions": "subscription_id",
        "support_tickets": "ticket_id",
        "contacts": "contact_id",
        "incidents": "incident_id",
        "reviews": "review_id",
        "payments": "payment_id",
    }
)


def spoil(
    name: str, table: pd.DataFrame, extracted_at: datetime, rng: np.random.Generator
) -> pd.DataFrame:
    """Add exact copies and a few broken rows to a table; the true rows stay as they are."""
    count = min(BROKEN, len(table) // ROWS_A_BROKEN_ONE)
    some = table.sample(count, random_state=rng)
    broken = _broken(name, some, extracted_at) if count else []
    copies = table.sample(frac=COPIES.get(name, 0), random_state=rng)
    return pd.concat([table, copies, *broken], ignore_index=True)


def _broken(name: str, some: pd.DataFrame, extracted_at: datetime) -> list[pd.DataFrame]:
    """Break copies of some rows, each under a key of its own."""
    if name in KEYS:
        some = some.assign(**{KEYS[name]: [f"broken-{i}" for i in range(len(some))]})
    if name in ENDS:
        start, end = ENDS[name]
        return [some.assign(**{end: some[start] - pd.Timedelta(days=9)})]
    if name in HAPPENED:
        ahead = pd.Timestamp(extracted_at) + pd.Timedelta(days=400)
        return [some.assign(**{HAPPENED[name]: ahead}).astype(some.dtypes)]
    return []


def spoil_usage(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Add copies to a month of use, and rows of an account that nobody knows."""
    count = round(len(table) * COPIES_OF_USAGE)
    copies = (rng.random(count) * len(table)).astype(np.int64)
    strays = table.slice(0, BROKEN)
    unknown = pa.array(["acc-unknown"] * len(strays))
    strays = strays.set_column(0, "account_id", unknown)
    return pa.concat_tables([table, table.take(pa.array(copies)), strays])
