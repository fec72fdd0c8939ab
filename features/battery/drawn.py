"""Companies drawn at random: all sixteen tables, with all that can happen to their rows."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from features.contracts import TABLES
from features.windows import EPOCH

Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""By table, its rows: cells by column, times as naive UTC, money as Decimal, null as None."""

START = EPOCH.replace(year=2023)
DAYS = 800
FIRST_DAY, LAST_DAY = 20, 790
ACCOUNTS = ("a", "b", "c", "d", "late", "parent")
NO_HISTORY = "e"
"""The account that no row of any other table names."""
PRODUCTS = ("base", "plus", "extra")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", None, "Nowhere/Known")
COUNTRIES = ("DE", "US", "IN", None, "XX")
ROLES = ("champion", "sponsor", "admin", "user")
_STEADY_DAYS = (140, 140, 460)
_CLOSE = 0.35
_CLOSE_DAYS = (-40, -8, -2, -1, 0, 0, 0, 1, 2, 30)
_LAST = timedelta(days=1) - timedelta(microseconds=1)


@dataclass(frozen=True)
class Draw:
    """Which company, as of which date.

    Attributes
    ----------
    seed
        Says what happens in it.
    day
        Days from `START` to the date, above 0; many things happen close to it.
    is_versioned
        Its source tells when each row was recorded: late rows, and rows that were corrected.
    rows
        Rows of each table, before their corrections.
    """

    seed: int
    day: int
    is_versioned: bool = True
    rows: int = 14

    @property
    def as_of(self) -> datetime:
        """The date, at midnight."""
        return START + timedelta(days=self.day)


def draws(seed: int, count: int, *, is_versioned: bool) -> tuple[Draw, ...]:
    """Draw so many companies and dates; equal seeds give equal ones."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    return tuple(
        Draw(dice.randrange(2**30), dice.randrange(FIRST_DAY, LAST_DAY), is_versioned)
        for _ in range(count)
    )


@dataclass(frozen=True)
class _Dice:
    thrown: random.Random
    as_of: datetime

    def one_of(self, *values: Any) -> Any:  # noqa: ANN401 - a cell of any column
        return self.thrown.choice(values)

    def chance(self, of_one: float) -> bool:
        return self.thrown.random() < of_one

    def time(self, after: datetime = START, within: int = DAYS) -> datetime:
        """Draw a time, often close to the date: at midnight, in the day, or at the end of it."""
        day = after.replace(hour=0, minute=0, second=0, microsecond=0)
        moment = day + timedelta(days=self.thrown.randrange(within))
        if self.chance(_CLOSE):
            moment = self.as_of + timedelta(days=self.thrown.choice(_CLOSE_DAYS))
        moment += self.one_of(timedelta(0), _LAST, timedelta(seconds=self.thrown.randrange(86_400)))
        drawn: datetime = max(moment, after)
        return drawn

    def later(self, than: datetime, within: int, chance: float = 0.7) -> datetime | None:
        return self.time(than + timedelta(minutes=1), within) if self.chance(chance) else None


Maker = Callable[[_Dice, int, datetime], Row]
"""Makes a row of a number in its table, whose first time is given."""


def draw_company(draw: Draw, *, first_number: int = 0) -> Tables:
    """Draw a company: an account that is merged away, one that comes late, parents, and so on.

    Rows of a table are numbered from `first_number`, so that two companies share no key.
    """
    dice = _Dice(random.Random(f"{draw.seed} {draw.day}"), draw.as_of)  # noqa: S311 - no secret
    tables: Tables = {"accounts": _accounts(dice, draw), "account_merges": _merges(dice, draw)}
    for name, make in _MAKERS.items():
        tables[name] = [
            version
            for number in range(first_number, first_number + draw.rows)
            for version in _recorded(dice, draw, name, make, number, dice.time())
        ]
    tables["usage_events"] += _steady_use(dice, draw)
    tables["subscriptions"] += _followers(draw, tables["subscriptions"])
    return tables


def _recorded(
    dice: _Dice, draw: Draw, name: str, make: Maker, number: int, first: datetime
) -> list[Row]:
    """Give a row, or its versions: the corrected ones, recorded later, differ in any cell."""
    table = TABLES[name]
    row = {"account_id": dice.one_of(*ACCOUNTS), **make(dice, number, first)}
    if not draw.is_versioned:
        return [row]
    row["recorded_at"] = dice.one_of(first, dice.time(first, 40), first - timedelta(days=3))
    versions = [row]
    while table.key and dice.chance(0.4):
        before = versions[-1]
        begins = dice.one_of(first, first, dice.time())
        corrected = {"account_id": before["account_id"], **make(dice, number, begins)}
        corrected |= {column: before[column] for column in table.key}
        corrected["recorded_at"] = dice.time(before["recorded_at"], 200) + timedelta(microseconds=1)
        versions.append(corrected)
    return versions


def _accounts(dice: _Dice, draw: Draw) -> list[Row]:
    nobody = {"account_id": NO_HISTORY, "created_at": START, "recorded_at": START}
    rows = [nobody if draw.is_versioned else {"account_id": NO_HISTORY, "created_at": START}]
    for number, name in enumerate(ACCOUNTS):
        first = dice.time() if name == "late" else START
        rows += [
            {**version, "account_id": name}
            for version in _recorded(dice, draw, "accounts", _account, number, first)
        ]
    return rows


def _account(dice: _Dice, number: int, first: datetime) -> Row:
    own = ACCOUNTS[number]
    above = dice.one_of(*(name for name in ACCOUNTS if name != own))
    return {
        "account_id": own,
        "name": f"Account {own}",
        "parent_account_id": dice.one_of("parent", "parent", above, None),
        "tier": dice.one_of("high", "mid", "tech"),
        "segment": dice.one_of("small", "large", None),
        "industry": dice.one_of("retail", "health"),
        "region": dice.one_of("north", "south"),
        "country": dice.one_of(*COUNTRIES),
        "time_zone": dice.one_of(*ZONES),
        "employees": dice.one_of(None, 10, 500),
        "csm": dice.one_of("kim", "lee"),
        "created_at": first,
    }


def _merges(dice: _Dice, draw: Draw) -> list[Row]:
    pairs = [("c", "d"), *([("late", "a")] if dice.chance(0.3) else [])]
    rows = []
    for vanished, into in pairs:
        merged = dice.time()
        row = {"from_account_id": vanished, "into_account_id": into, "merged_at": merged}
        if draw.is_versioned:
            row["recorded_at"] = dice.one_of(merged, dice.time(merged, 40))
        rows.append(row)
    return [*rows, *_corrected_merges(draw, rows)] if draw.is_versioned else rows


def _corrected_merges(draw: Draw, rows: list[Row]) -> list[Row]:
    """Let merges turn out to be others, at other times, of a record into itself: none at all."""
    dice = _Dice(random.Random(f"merges {draw.seed} {draw.day}"), draw.as_of)  # noqa: S311 - no secret
    corrected = []
    for row in rows:
        vanished, version = row["from_account_id"], row
        while dice.chance(0.5):
            version = {
                "from_account_id": vanished,
                "into_account_id": dice.one_of("a", "b", "d", vanished),
                "merged_at": dice.one_of(row["merged_at"], dice.time()),
                "recorded_at": dice.time(version["recorded_at"], 200) + timedelta(microseconds=1),
            }
            corrected.append(version)
    return corrected


def _steady_use(dice: _Dice, draw: Draw) -> list[Row]:
    """Let one account use the product on most days, in some companies with a break at the end."""
    breaks = dice.one_of(0, 0, 9, 30)
    rows = []
    for back in range(breaks - 3, dice.one_of(*_STEADY_DAYS)):
        day = draw.as_of - timedelta(days=back)
        for hour in range(8, 8 + dice.one_of(0, 1, 1, 3) if day >= START else 8):
            row = {"account_id": "a", **_event(dice, 0, day + timedelta(hours=hour))}
            if draw.is_versioned:
                row["recorded_at"] = row["occurred_at"] + timedelta(days=dice.one_of(0, 0, 0, 6))
            rows.append(row)
    return rows


def _subscription(dice: _Dice, number: int, first: datetime) -> Row:
    ended = dice.later(first, 700, 0.5)
    return {
        "subscription_id": f"s{number}",
        "product": dice.one_of(*PRODUCTS),
        "plan": dice.one_of("team", "firm"),
        "seats": dice.one_of(None, 5, 12),
        "mrr": Decimal(dice.one_of("0", "99.99", "250.5")),
        "billing": dice.one_of("fixed", "usage"),
        "started_at": first,
        "ended_at": ended,
        "renews_at": dice.later(first, 900),
        "term_months": dice.one_of(None, 1, 12),
        "notice_days": dice.one_of(None, 30, 90),
        "auto_renew": dice.one_of(*(True, False, None)),
        "cancel_requested_at": dice.later(first, 700, 0.3),
        "end_reason": dice.one_of("voluntary", "payment") if ended else None,
    }


def _followers(draw: Draw, rows: list[Row]) -> list[Row]:
    """Let subscriptions that end be followed at once by others of the same product."""
    dice = _Dice(random.Random(f"followers {draw.seed} {draw.day}"), draw.as_of)  # noqa: S311 - no secret
    followers = []
    for number, before in enumerate(rows):
        if before["ended_at"] is None or dice.chance(0.5):
            continue
        kept = {name: before[name] for name in ("account_id", "product")}
        row = {**_subscription(dice, number, before["ended_at"]), **kept}
        row["subscription_id"] = f"{before['subscription_id']}-{number}"
        row["seats"] = dice.one_of(before["seats"], row["seats"])
        if draw.is_versioned:
            row["recorded_at"] = dice.one_of(row["started_at"], dice.time(row["started_at"], 40))
        followers.append(row)
    return followers


def _event(dice: _Dice, _: int, first: datetime) -> Row:
    return {
        "user_id": dice.one_of("u1", "u2", "u3", "u4", None),
        "occurred_at": first,
        "event": dice.one_of("open", "save", "share"),
        "product": dice.one_of(*PRODUCTS, None),
        "quantity": dice.one_of(1.0, 2.5, 7.0, None),
    }


def _ticket(dice: _Dice, number: int, first: datetime) -> Row:
    resolved = dice.later(first, 60)
    return {
        "ticket_id": f"t{number}",
        "opened_at": first,
        "first_responded_at": dice.later(first, 5),
        "resolved_at": resolved,
        "reopened_at": dice.later(resolved or first, 30, 0.3),
        "escalated_at": dice.later(first, 10, 0.4),
        "priority": dice.one_of("low", "normal", "high", "urgent"),
        "category": dice.one_of("bug", "How-to", "billing", "feature request", None),
        "channel": dice.one_of("mail", "phone"),
        "csat": dice.one_of(1.0, 3.0, 4.5),
        "csat_at": dice.later(first, 80),
    }


def _invoice(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "invoice_id": f"i{number}",
        "issued_at": first,
        "due_at": first + timedelta(days=14),
        "amount": Decimal(dice.one_of("-20.25", "100.01", "300")),
        "paid_at": dice.later(first, 60),
    }


def _payment(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "payment_id": f"p{number}",
        "invoice_id": f"i{number}",
        "attempted_at": first,
        "amount": Decimal(100),
        "succeeded": dice.chance(0.7),
    }


def _survey(dice: _Dice, _: int, first: datetime) -> Row:
    kind, highest = dice.one_of(("nps", 10), ("csat", 5), ("ces", 7))
    return {
        "responded_at": first,
        "kind": kind,
        "score": float(dice.thrown.randint(1, highest)),
        "respondent_role": dice.one_of(*ROLES, None),
    }


def _contact(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "contact_id": f"u{number}",
        "role": dice.one_of(*ROLES),
        "joined_at": first,
        "left_at": dice.later(first, 400, 0.6),
    }


def _project(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "project_id": f"j{number}",
        "kind": dice.one_of("onboarding", "migration", None),
        "started_at": first,
        "due_at": dice.later(first, 60),
        "completed_at": dice.later(first, 120, 0.6),
    }


def _training(dice: _Dice, _: int, first: datetime) -> Row:
    return {
        "user_id": dice.one_of("u1", "u2", "u3", "u4", None),
        "course": dice.one_of("basics", "reports", None),
        "completed_at": first,
    }


def _engagement(dice: _Dice, _: int, first: datetime) -> Row:
    return {
        "occurred_at": first,
        "channel": dice.one_of("community", "webinar", "email", "event", "fair"),
        "action": dice.one_of(
            "opened", "Plans viewed", "price_notice_opened", "downgrade-plan viewed", None
        ),
    }


def _incident(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "incident_id": f"n{number}",
        "product": dice.one_of(*PRODUCTS, None),
        "severity": dice.one_of("minor", "major", "critical", None),
        "started_at": first,
        "resolved_at": dice.later(first, 2, 0.8),
    }


def _outcome(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "outcome_id": f"o{number}",
        "agreed_at": first,
        "due_at": dice.later(first, 200, 0.8),
        "achieved_at": dice.later(first, 250, 0.6),
        "description": dice.one_of("fewer errors", None),
    }


def _review(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "review_id": f"r{number}",
        "held_at": first,
        "verdict": dice.one_of("met", "partly", "missed", None),
    }


def _touch(dice: _Dice, number: int, first: datetime) -> Row:
    return {
        "touch_id": f"h{number}",
        "occurred_at": first,
        "csm": dice.one_of("kim", "lee"),
        "kind": dice.one_of("call", "meeting", "email"),
        "play": dice.one_of("renewal", None),
        "experiment": dice.one_of("x1", None),
        "arm": dice.one_of("treatment", "control", None),
    }


_MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "subscriptions": _subscription,
        "usage_events": _event,
        "support_tickets": _ticket,
        "invoices": _invoice,
        "payments": _payment,
        "surveys": _survey,
        "contacts": _contact,
        "projects": _project,
        "trainings": _training,
        "engagement": _engagement,
        "incidents": _incident,
        "outcomes": _outcome,
        "reviews": _review,
        "touches": _touch,
    }
)
