"""What was known of a company at a date, by the contract's sentences and by nothing else.

The features' own code is what the battery holds against this page, so this page uses none of it.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from features.battery.drawn import Row, Tables

FIRST_TIMES: Mapping[str, str] = MappingProxyType(
    {
        "accounts": "created_at",
        "account_merges": "merged_at",
        "subscriptions": "started_at",
        "usage_events": "occurred_at",
        "support_tickets": "opened_at",
        "invoices": "issued_at",
        "payments": "attempted_at",
        "surveys": "responded_at",
        "contacts": "joined_at",
        "projects": "started_at",
        "trainings": "completed_at",
        "engagement": "occurred_at",
        "incidents": "started_at",
        "outcomes": "agreed_at",
        "reviews": "held_at",
        "touches": "occurred_at",
    }
)
"""The first time of each table's rows."""

LATER_FACTS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "subscriptions": {"ended_at": ("end_reason",), "cancel_requested_at": ()},
        "support_tickets": {
            "first_responded_at": (),
            "resolved_at": (),
            "reopened_at": (),
            "escalated_at": (),
            "csat_at": ("csat",),
        },
        "invoices": {"paid_at": ()},
        "contacts": {"left_at": ()},
        "projects": {"completed_at": ()},
        "incidents": {"resolved_at": ()},
        "outcomes": {"achieved_at": ()},
    }
)
"""Times of facts that a row gets later, with the values that are known with each of them."""

SHORTEST_TERM_MONTHS = 1


def known_at(table: str, row: Row) -> datetime:
    """Give when a row became known: its first time, or when it was recorded, if that is later."""
    first: datetime = row[FIRST_TIMES[table]]
    return max(first, row.get("recorded_at") or first)


def as_known(tables: Tables, as_of: datetime) -> Tables:
    """Give the tables as an extract made at `as_of` would have shown them."""
    return {
        name: [_row_as_known(name, row, as_of) for row in rows if known_at(name, row) < as_of]
        for name, rows in tables.items()
    }


def _row_as_known(table: str, row: Row, as_of: datetime) -> Row:
    seen = dict(row)
    for time, values in LATER_FACTS.get(table, {}).items():
        if row.get(time) is None or row[time] >= as_of:
            seen |= dict.fromkeys((time, *values))
    if table == "subscriptions" and not is_signed(row, as_of):
        seen["renews_at"] = None
    return seen


def is_signed(row: Row, as_of: datetime) -> bool:
    """Tell whether the stored end of a term may have been there at `as_of`.

    The term that it ends had begun, or the version that says so was recorded before.
    """
    end, recorded = row.get("renews_at"), row.get("recorded_at")
    if end is None or recorded is not None:
        return True
    begins = months_before(end, row.get("term_months") or SHORTEST_TERM_MONTHS)
    return begins < as_of


def months_before(time: datetime, months: int) -> datetime:
    """Give the same day so many months before, or that month's last day, at midnight."""
    year, month = divmod(time.year * 12 + time.month - 1 - months, 12)
    day = min(time.day, monthrange(year, month + 1)[1])
    return datetime(year, month + 1, day) + timedelta(0)  # noqa: DTZ001 - naive UTC, as everywhere
