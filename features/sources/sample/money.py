"""Invoices, credits and attempts to pay."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.sources.sample.history import History
from features.sources.sample.subscriptions import as_times
from features.sources.sample.truth import account_ids
from features.sources.sample.world import NEVER, Floats, Ints

TERMS_OF_PAYMENT_DAYS = 30
BILLED_MONTHLY_SHARE = 0.8
SLIP_CHANCE = 0.01
LATE_BY_CHANCE = 0.05
LATE_IN_STRESS = 0.85
CREDIT_AFTER_OUTAGE = 0.25


@dataclass(frozen=True)
class _Bills:
    """Bills of one month; arrays of shape (bills,), times as day numbers."""

    account: Ints
    issued: Floats
    due: Floats
    amount: Floats
    paid: Floats
    fails: np.ndarray


def money_tables(history: History, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build invoices and payments; amounts in the company's currency."""
    n = len(history.accounts)
    every = np.where(history.accounts.is_monthly | (rng.random(n) < BILLED_MONTHLY_SHARE), 1, 3)
    bills = [_bills(history, month, every, rng) for month in range(history.calendar.months)]
    notes = [_credits(history, month, rng) for month in range(history.calendar.months)]
    end = float(history.calendar.starts[history.calendar.months])
    invoices = pd.concat([_invoices(b, end, history) for b in (*bills, *notes)])
    invoices = invoices[invoices["issued"] < end].sort_values(["issued", "account"])
    invoices["invoice_id"] = [f"inv-{i:06d}" for i in range(1, len(invoices) + 1)]
    payments = _payments(invoices, end, rng)
    return _dated(invoices, "invoice_id", "issued_at", "due_at", "paid_at"), _dated(
        payments, "payment_id", "attempted_at"
    )


def _bills(history: History, month: int, every: Ints, rng: np.random.Generator) -> _Bills:
    """Draw the bills of one month and when each is paid; NaN where it never is."""
    accounts, happened = history.accounts, history.months[month]
    is_paying = history.states[month].active & (happened.leaving.left_on > happened.billing.day)
    due_now = (month - accounts.joins) % every == 0
    rows = np.flatnonzero((is_paying | (accounts.joins == month)) & due_now)
    state, after = history.states[month].take(rows), history.states[month + 1].take(rows)
    leaving_now = happened.leaving.left_on[rows] < NEVER
    mrr = np.where(leaving_now, state.mrr, after.mrr)
    issued = happened.billing.day[rows] + 0.1
    by_card = accounts.is_monthly[rows]
    due = issued + np.where(by_card, 3, TERMS_OF_PAYMENT_DAYS)
    chance_late = np.where(state.in_stress, LATE_IN_STRESS, LATE_BY_CHANCE)
    is_late = ~by_card & (rng.random(len(rows)) < chance_late)
    delay = np.where(
        state.in_stress, 8 + rng.exponential(18, len(rows)), rng.exponential(9, len(rows))
    )
    on_time = due - rng.uniform(0, 15, len(rows)) * ~by_card - 3 * by_card
    fails = happened.billing.fails[rows]
    retried = issued + rng.integers(5, 26, len(rows))
    paid = np.where(fails, retried, np.where(is_late, due + delay, on_time))
    lost_next = _is_lost_unpaid(history, month + 1)[rows]
    paid = np.where(fails & lost_next, np.nan, np.maximum(paid, issued))
    return _Bills(rows, issued, due, np.round(mrr * every[rows], 2), paid, fails)


def _is_lost_unpaid(history: History, month: int) -> np.ndarray:
    if month >= history.calendar.months:
        return np.zeros(len(history.accounts), dtype=bool)
    return history.months[month].leaving.is_lost_unpaid


def _credits(history: History, month: int, rng: np.random.Generator) -> _Bills:
    """Draw credit notes that follow an outage."""
    hit = history.months[month].outage > 0
    rows = np.flatnonzero(hit & (rng.random(len(hit)) < CREDIT_AFTER_OUTAGE))
    issued = history.calendar.starts[month + 1] + rng.uniform(0, 10, len(rows))
    amount = -np.round(history.states[month].mrr[rows] * rng.uniform(0.05, 0.25, len(rows)), 2)
    return _Bills(rows, issued, issued, amount, issued, np.zeros(len(rows), dtype=bool))


def _invoices(bills: _Bills, end: float, history: History) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account": bills.account,
            "account_id": account_ids(len(history.accounts))[bills.account],
            "issued": bills.issued,
            "issued_at": bills.issued,
            "due_at": bills.due,
            "amount": bills.amount,
            "paid_at": np.where(bills.paid < end, bills.paid, np.nan),
            "paid_later": bills.paid,
            "fails": bills.fails,
        }
    )


def _payments(invoices: pd.DataFrame, end: float, rng: np.random.Generator) -> pd.DataFrame:
    """One attempt when paid; for cards that fail, one on the day of the bill and two more."""
    billed = invoices[invoices["amount"] > 0]
    paid = billed[billed["paid_at"].notna()].assign(
        attempted_at=lambda b: b["paid_at"], succeeded=True
    )
    failed = billed[billed["fails"]]
    tries = [
        failed.assign(attempted_at=failed["issued"] + wait, succeeded=False) for wait in (0, 2, 4)
    ]
    slips = billed[(rng.random(len(billed)) < SLIP_CHANCE) & ~billed["fails"]]
    slips = slips.assign(attempted_at=slips["paid_later"] - 0.05, succeeded=False)
    slips = slips[slips["attempted_at"] > slips["issued"]]
    payments = pd.concat([paid, *tries, slips])
    payments = payments[payments["attempted_at"] < end]
    payments = payments.sort_values(["attempted_at", "invoice_id", "succeeded"])
    payments["payment_id"] = [f"pay-{i:06d}" for i in range(1, len(payments) + 1)]
    columns = ["payment_id", "account_id", "invoice_id", "attempted_at", "amount", "succeeded"]
    return payments[columns]


def _dated(frame: pd.DataFrame, key: str, *times: str) -> pd.DataFrame:
    for name in times:
        frame[name] = as_times(frame[name].to_numpy(dtype=float))
    internal = [c for c in ("account", "issued", "paid_later", "fails") if c in frame]
    first = [key, "account_id"]
    rest = [c for c in frame.columns if c not in {*first, *internal}]
    return frame[[*first, *rest]].reset_index(drop=True)
