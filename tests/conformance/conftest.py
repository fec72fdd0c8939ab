"""Companies drawn at random, written as a checked source would be."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.checked import CheckedSource
from features.contracts import TABLES, Type

Drawn = dict[str, list[dict[str, Any]]]
START = datetime(2023, 1, 1)  # noqa: DTZ001 - times in checked tables are naive UTC
DAYS = 800
ACCOUNTS = ("a", "b", "c", "d")
ARROW = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.NUMBER: pa.float64(),
    Type.MONEY: pa.decimal128(18, 4),
    Type.BOOLEAN: pa.bool_(),
    Type.TIME: pa.timestamp("us"),
}
STABLE = frozenset(
    {
        ("support_tickets", "priority"),
        ("support_tickets", "category"),
        ("subscriptions", "auto_renew"),
    }
)


def draw_company(seed: int, rows: int = 40) -> Drawn:
    """Draw accounts with all that can happen to them: e has no rows, c is merged into d."""
    dice = random.Random(seed)  # noqa: S311 - a drawn company, not a secret

    def at(after: datetime = START, within: int = DAYS) -> datetime:
        midnight = after + timedelta(days=dice.randrange(within))
        return midnight + dice.choice((timedelta(0), timedelta(seconds=dice.randrange(86_400))))

    def later(time: datetime, within: int, chance: float = 0.7) -> datetime | None:
        return at(time + timedelta(hours=1), within) if dice.random() < chance else None

    drawn: Drawn = {name: [] for name in ("account_merges", *_MAKERS)}
    drawn["accounts"] = [{"account_id": name, "created_at": START} for name in (*ACCOUNTS, "e")]
    drawn["account_merges"] = [
        {"from_account_id": "c", "into_account_id": "d", "merged_at": at(within=DAYS)}
    ]
    for name, make in _MAKERS.items():
        for number in range(rows):
            row = {"account_id": dice.choice(ACCOUNTS)}
            drawn[name].append(row | make(dice, number, at, later))
    return drawn


def _subscription(dice: random.Random, number: int, at: Any, later: Any) -> dict[str, Any]:
    started = at()
    return {
        "subscription_id": f"s{number}",
        "product": dice.choice(("base", "plus")),
        "seats": dice.choice((None, 5, 12)),
        "mrr": Decimal(dice.choice(("0", "99.99", "250.5"))),
        "billing": dice.choice(("fixed", "usage")),
        "started_at": started,
        "ended_at": later(started, 700),
        "renews_at": later(started, 900),
        "term_months": dice.choice((None, 1, 12)),
        "notice_days": dice.choice((None, 30)),
        "auto_renew": dice.choice((True, False, None)),
        "cancel_requested_at": later(started, 700, 0.3),
    }


def _event(dice: random.Random, _: int, at: Any, __: Any) -> dict[str, Any]:
    return {
        "user_id": dice.choice(("u1", "u2", "u3", None)),
        "occurred_at": at(),
        "event": dice.choice(("open", "save", "share")),
        "product": dice.choice(("base", "plus")),
        "quantity": dice.choice((1.0, 2.5, 7.0, None)),
    }


def _ticket(dice: random.Random, number: int, at: Any, later: Any) -> dict[str, Any]:
    opened = at()
    resolved = later(opened, 60)
    return {
        "ticket_id": f"t{number}",
        "opened_at": opened,
        "first_responded_at": later(opened, 5),
        "resolved_at": resolved,
        "reopened_at": later(resolved or opened, 30, 0.3),
        "escalated_at": later(opened, 10, 0.4),
        "priority": dice.choice(("low", "urgent")),
        "category": dice.choice(("bug", "how", None)),
        "csat": dice.choice((1.0, 3.0, 4.5)),
        "csat_at": later(opened, 80),
    }


def _invoice(dice: random.Random, number: int, at: Any, later: Any) -> dict[str, Any]:
    issued = at()
    return {
        "invoice_id": f"i{number}",
        "issued_at": issued,
        "due_at": issued + timedelta(days=14),
        "amount": Decimal(dice.choice(("-20.25", "100.01", "300"))),
        "paid_at": later(issued, 60),
    }


def _payment(dice: random.Random, number: int, at: Any, _: Any) -> dict[str, Any]:
    return {
        "payment_id": f"p{number}",
        "attempted_at": at(),
        "amount": Decimal(100),
        "succeeded": dice.random() < 0.7,
    }


_MAKERS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "subscriptions": _subscription,
    "usage_events": _event,
    "support_tickets": _ticket,
    "invoices": _invoice,
    "payments": _payment,
}


def write_checked(folder: Path, drawn: Drawn) -> CheckedSource:
    """Write tables as `features.sources.check` leaves them: typed, with `known_at`."""
    folder.mkdir()
    columns = {}
    for name, rows in drawn.items():
        table = TABLES[name]
        versioned = any("recorded_at" in row for row in rows)
        columns[name] = tuple(c.name for c in table if versioned or c.name != "recorded_at")
        known = [max(row[table.first_time], row.get("recorded_at") or START) for row in rows]
        cells = {
            c: pa.array([row.get(c) for row in rows], ARROW[table[c].dtype]) for c in columns[name]
        }
        known_at = pa.array(known, pa.timestamp("us"))
        pq.write_table(pa.table({**cells, "known_at": known_at}), folder / f"{name}.parquet")
    return CheckedSource(
        folder=folder,
        columns=columns,
        extracted_at=START + timedelta(days=DAYS + 1000),
        extracted_at_is_guess=False,
        currency=None,
        stable_columns=STABLE,
        fingerprint=folder.name,
        counts={},
        findings=(),
        quarantine=None,
    )


@pytest.fixture
def drawn() -> Callable[..., Drawn]:
    return draw_company


@pytest.fixture
def checked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Drawn], CheckedSource]:
    folder, numbers = tmp_path_factory.mktemp("drawn"), count()
    return lambda tables: write_checked(folder / str(next(numbers)), tables)


@pytest.fixture
def snapshots() -> Sequence[datetime]:
    return tuple(START + timedelta(days=day) for day in (30, 200, 201, 400, 640, 799))
