"""From changes of plan, price and seats to subscription rows."""

from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from features.sources.sample.accounts import MONTHLY, Accounts
from features.sources.sample.history import History
from features.sources.sample.state import State
from features.sources.sample.truth import account_ids
from features.sources.sample.world import CAUSES, FIRST_DAY, NEVER

PLANS = ("enterprise", "business", "starter")
END_REASONS = MappingProxyType({"value": "product", "adoption": "product", "other": "other"})
REQUEST_HOUR = 0.45
Row = dict[str, object]
Prices = dict[str, tuple[float | None, float]]
COLUMNS = (
    "subscription_id",
    "account_id",
    "product",
    "plan",
    "seats",
    "mrr",
    "billing",
    "started_at",
    "ended_at",
    "renews_at",
    "term_months",
    "notice_days",
    "auto_renew",
    "cancel_requested_at",
    "end_reason",
)


@dataclass
class Ledger:
    """Rows of one account, in order; the running one of each product is still open."""

    account_id: str
    done: list[Row] = field(default_factory=list)
    running: dict[str, Row] = field(default_factory=dict)

    def set(self, day: float, prices: Prices, term_end: int) -> None:
        """Close what changes and open it anew at the same instant."""
        for product, (seats, mrr) in prices.items():
            now = self.running.get(product)
            if now and (now["seats"], now["mrr"], now["term_end"]) == (seats, mrr, term_end):
                continue
            if now:
                self.close(product, day)
            if mrr > 0:
                number = len(self.done) + len(self.running) + 1
                self.running[product] = {
                    "subscription_id": f"{self.account_id}-{number:03d}",
                    "account_id": self.account_id,
                    "product": product,
                    "seats": seats,
                    "mrr": mrr,
                    "started_at": day,
                    "term_end": term_end,
                }

    def close(self, product: str, day: float, reason: str | None = None) -> None:
        """End a product's running row."""
        self.done.append(self.running.pop(product) | {"ended_at": day, "end_reason": reason})

    def leave(self, day: float, reason: str) -> None:
        """End all that runs."""
        for product in tuple(self.running):
            self.close(product, day, reason)

    def request(self, day: float) -> None:
        """Note a cancellation on all that runs."""
        for product in self.running:
            self.running[product]["cancel_requested_at"] = day


def day_of(month: int, billing_day: int) -> int:
    """Give the day number of a billing day in a month, before the first day too."""
    date = np.datetime64(FIRST_DAY, "M") + np.timedelta64(month, "M")
    return int((date.astype("datetime64[D]") - np.datetime64(FIRST_DAY, "D")).astype(int)) + (
        billing_day - 1
    )


def subscription_rows(history: History) -> pd.DataFrame:
    """Build the subscriptions table of all accounts; times are naive UTC."""
    ids = account_ids(len(history.accounts))
    ledgers = [Ledger(str(account_id)) for account_id in ids]
    for i, ledger in enumerate(ledgers):
        if history.accounts.joins[i] < 0:
            _sign_before(ledger, history.accounts, history.states[0], i)
    for month in range(history.calendar.months):
        _live_month(ledgers, history, month)
    rows = [row for ledger in ledgers for row in (*ledger.done, *ledger.running.values())]
    return _table(rows, history)


def _prices(state: State, i: int, more: tuple[float, float, float] = (0, 0, 0)) -> Prices:
    """Price what an account pays for, with so many more seats and so much more add-on money."""
    seats, analytics, automation = more
    paid = state.seats[i] + seats
    return {
        "core": (int(paid), round(float(paid * state.seat_price[i]), 2)),
        "analytics": (None, round(float(state.analytics[i] + analytics), 2)),
        "automation": (None, round(float(state.automation[i] + automation), 2)),
    }


def _sign_before(ledger: Ledger, accounts: Accounts, state: State, i: int) -> None:
    """Sign the terms that began before the first day, at the price found on that day."""
    term, month = int(accounts.term_months[i]), int(accounts.joins[i])
    billing_day = int(accounts.billing_day[i])
    if term == MONTHLY:
        ledger.set(day_of(month, billing_day), _prices(state, i), 0)
        return
    while month < state.term_end[i]:
        ledger.set(day_of(month, billing_day), _prices(state, i), month + term)
        month += term


def _live_month(ledgers: list[Ledger], history: History, month: int) -> None:
    """Post one month's joins, purchases, bills, requests and losses, in order of time."""
    accounts, happened = history.accounts, history.months[month]
    leaving, buying, billing = happened.leaving, happened.buying, happened.billing
    after = history.states[month + 1]
    terms = np.where(accounts.is_monthly, 0, after.term_end)
    for i in np.flatnonzero(accounts.joins == month).tolist():
        ledgers[i].set(float(billing.day[i]), _prices(after, i), int(terms[i]))
    changed = (buying.day < NEVER) | (billing.cut > 0) | (billing.rise > 0) | billing.is_renewal
    changed |= (leaving.requested_on < NEVER) | (leaving.left_on < NEVER)
    for i in np.flatnonzero(changed & history.states[month].active).tolist():
        ledger, left = ledgers[i], leaving.left_on[i]
        request = leaving.requested_on[i] + REQUEST_HOUR
        if request < billing.day[i]:
            ledger.request(request)
        if left == NEVER:
            _post_changes(ledger, history, month, i, int(terms[i]))
        else:
            ledger.leave(float(left), _reason(history, month, i))
        if billing.day[i] <= request < NEVER:
            ledger.request(request)


def _post_changes(ledger: Ledger, history: History, month: int, i: int, term: int) -> None:
    """Post a purchase and the bill's changes, whichever comes first."""
    before, after = history.states[month], history.states[month + 1]
    buying, billed_on = history.months[month].buying, float(history.months[month].billing.day[i])
    bought = (float(buying.seats[i]), float(buying.analytics[i]), float(buying.automation[i]))
    bought_on = float(buying.day[i])
    if bought_on == NEVER:
        ledger.set(billed_on, _prices(after, i), term)
    elif bought_on < billed_on:
        ledger.set(bought_on, _prices(before, i, bought), int(before.term_end[i]) if term else 0)
        ledger.set(billed_on, _prices(after, i), term)
    else:
        seats, analytics, automation = bought
        ledger.set(billed_on, _prices(after, i, (-seats, -analytics, -automation)), term)
        ledger.set(bought_on, _prices(after, i), term)


def _reason(history: History, month: int, i: int) -> str:
    leaving = history.months[month].leaving
    if leaving.is_lost_unpaid[i]:
        return "payment"
    return END_REASONS.get(CAUSES[leaving.cause[i]], "voluntary")


def _table(rows: list[Row], history: History) -> pd.DataFrame:
    accounts = history.accounts
    frame = pd.DataFrame(rows).reindex(columns=[*COLUMNS, "term_end"])
    who = frame["account_id"].str.slice(4).astype(int).to_numpy() - 1
    monthly = accounts.is_monthly[who]
    day = accounts.billing_day[who]
    signed = [day_of(m, d) for m, d in zip(frame["term_end"], day, strict=True)]
    next_bill = [day_of(history.calendar.months, d) for d in day]
    rolled = np.where(frame["ended_at"].isna(), next_bill, frame["ended_at"])
    frame["renews_at"] = np.where(monthly, rolled, signed)
    frame["plan"] = np.array(PLANS)[accounts.tier[who]]
    frame["billing"] = "fixed"
    frame["term_months"] = accounts.term_months[who]
    frame["notice_days"] = accounts.notice_days[who]
    frame["auto_renew"] = frame["cancel_requested_at"].isna()
    frame["seats"] = frame["seats"].astype("Int64")
    for column in ("started_at", "ended_at", "renews_at", "cancel_requested_at"):
        frame[column] = as_times(frame[column].to_numpy(dtype=float))
    frame = frame.sort_values(["account_id", "started_at", "product"], ignore_index=True)
    return frame[list(COLUMNS)]


def as_times(days: np.ndarray) -> np.ndarray:
    """Turn day numbers with fractions into times, to the second; NaN becomes no time."""
    seconds = np.where(np.isnan(days), 0, np.round(days * 86_400)).astype("timedelta64[s]")
    times = (np.datetime64(FIRST_DAY, "s") + seconds).astype("datetime64[us]")
    return np.where(np.isnan(days), np.datetime64("NaT", "us"), times)
