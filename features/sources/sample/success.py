"""Engagement, courses, projects, outcomes, reviews and touches."""

from types import MappingProxyType

import numpy as np
import pandas as pd

from features.sources.sample.care import dated
from features.sources.sample.dynamics import BY_CHOICE, HELD_BACK, TREATED
from features.sources.sample.history import History
from features.sources.sample.state import GONE, WAVERING
from features.sources.sample.subscriptions import as_times, day_of
from features.sources.sample.truth import account_ids
from features.sources.sample.world import Floats, Ints

CHANNELS = (
    ("webinar", "attended"),
    ("email", "opened"),
    ("community", "posted"),
    ("email", "price_notice_opened"),
    ("web", "plans_viewed"),
    ("billing_portal", "downgrade_viewed"),
)
COURSES = ("basics", "reports", "automation", "administration")
ARM = MappingProxyType({TREATED: "treatment", HELD_BACK: "control"})
CSMS = 24
TECH = 2
NEW_MONTHS = 3
SHOCK_FROM = 0.1
REACHED_FROM, MET_FROM, PARTLY_FROM = -0.4, -0.1, -0.9


def engagement_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build engagement: champions read and come; growth looks at plans; prices are noticed."""
    ids, parts = account_ids(len(history.accounts)), []
    for month in range(history.calendar.months):
        rows = history.present(month)
        state = history.states[month].take(rows)
        champion = np.select([state.champion == GONE, state.champion == WAVERING], [0.2, 0.45], 1)
        billing = history.months[month].billing
        rise = np.maximum(billing.rise, billing.quote)[rows]
        expected = np.stack(
            [
                0.25 * champion * np.exp(0.25 * state.value) + 0.25 * state.is_growing,
                1.6 * champion * np.exp(0.15 * state.adoption),
                0.25 * champion * np.exp(0.3 * state.value),
                (rise > 0) * np.where(rise > SHOCK_FROM, 2.5, 0.8)
                + 1.2 * np.minimum(state.price, 1.2),
                0.05 + 2.2 * state.is_growing,
                0.02 + 2.4 * state.in_stress + 0.3 * np.minimum(state.price, 1.2),
            ]
        )
        kind, place = _draw(expected, rng)
        day = _days(history, month, len(place), rng)
        keep = _pays(history, month, rows[place], day)
        kind, place, day = kind[keep], place[keep], day[keep]
        names = np.array(CHANNELS)[kind]
        parts.append(
            pd.DataFrame(
                {
                    "account_id": ids[rows[place]],
                    "occurred_at": day,
                    "channel": names[:, 0],
                    "action": names[:, 1],
                }
            )
        )
    return _ordered(parts, history, "occurred_at")


def _draw(expected: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    count = rng.poisson(expected)
    kind, place = np.nonzero(count)
    times = count[kind, place]
    return np.repeat(kind, times), np.repeat(place, times)


def _days(history: History, month: int, count: int, rng: np.random.Generator) -> Floats:
    start = int(history.calendar.starts[month])
    return start + rng.uniform(0, history.calendar.days(month), count)


def _pays(history: History, month: int, account: Ints, day: Floats) -> np.ndarray:
    """Whether an account pays at a day of this month, shape (rows,)."""
    happened = history.months[month]
    joined = np.where(history.accounts.joins == month, happened.billing.day, 0)
    return (day < happened.leaving.left_on[account]) & (day >= joined[account])


def _ordered(parts: list[pd.DataFrame], history: History, *times: str) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True).sort_values([times[0], "account_id"])
    return dated(table.reset_index(drop=True), history, *times)


def training_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build completed courses: newcomers, growing accounts and keen ones take more."""
    ids, parts = account_ids(len(history.accounts)), []
    for month in range(history.calendar.months):
        rows = history.present(month)
        state = history.states[month].take(rows)
        is_new = month - history.accounts.joins[rows] < NEW_MONTHS
        expected = (
            0.03 + 0.35 * is_new + 0.25 * state.is_growing + 0.03 * np.exp(0.6 * state.adoption)
        )
        _, place = _draw(expected[None, :], rng)
        day = _days(history, month, len(place), rng)
        keep = _pays(history, month, rows[place], day)
        place, day = place[keep], day[keep]
        user = np.floor(rng.random(len(place)) * state.seats[place]).astype(int)
        names = [f"{ids[i]}-u{k:02d}" for i, k in zip(rows[place], user, strict=True)]
        parts.append(
            pd.DataFrame(
                {
                    "account_id": ids[rows[place]],
                    "user_id": names,
                    "course": rng.choice(COURSES, len(place)),
                    "completed_at": day,
                }
            )
        )
    return _ordered(parts, history, "completed_at")


def project_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build projects: onboarding for who joins, late where adoption starts low."""
    accounts = history.accounts
    rows = np.flatnonzero((accounts.joins >= 0) & (accounts.joins < history.calendar.months))
    start = np.array(
        [day_of(int(accounts.joins[i]), int(accounts.billing_day[i])) for i in rows.tolist()]
    )
    adoption = np.array([history.states[accounts.joins[i]].adoption[i] for i in rows.tolist()])
    length = np.array([90, 60, 30])[accounts.tier[rows]]
    taken = length * np.exp(rng.normal(-0.15, 0.3, len(rows)) - 0.35 * adoption)
    last = np.array([_last_day(history, i) for i in rows.tolist()])
    done = np.where(start + taken < last, start + taken, np.nan)
    table = pd.DataFrame(
        {
            "project_id": [f"pro-{k:05d}" for k in range(1, len(rows) + 1)],
            "account_id": account_ids(len(accounts))[rows],
            "kind": "onboarding",
            "started_at": start + 1.4,
            "due_at": start + 1.4 + length,
            "completed_at": np.where(np.isnan(done), np.nan, np.maximum(done, start + 2)),
        }
    )
    due = table["due_at"].copy()
    table = dated(table, history, "started_at", "completed_at")
    table["due_at"] = as_times(due.to_numpy())
    return table[table["started_at"].notna()].reset_index(drop=True)


def _last_day(history: History, i: int) -> float:
    lost = [int(m.leaving.left_on[i]) for m in history.months]
    return float(min(*lost, int(history.calendar.starts[history.calendar.months])))


def outcome_tables(history: History, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build agreed outcomes, every half-year, and quarterly reviews, for the upper two tiers."""
    ids, outcomes, reviews = account_ids(len(history.accounts)), [], []
    for month in range(history.calendar.months):
        rows = history.present(month)
        rows = rows[(history.accounts.tier[rows] != TECH) & history.states[month].active[rows]]
        agreeing, reviewing = rows[(rows + month) % 6 == 0], rows[(rows + month) % 3 == 1]
        outcomes.append(_agreed(history, month, agreeing, ids, rng))
        reviews.append(_reviewed(history, month, reviewing, ids, rng))
    agreed = pd.concat(outcomes, ignore_index=True)
    agreed.insert(0, "outcome_id", [f"out-{i:05d}" for i in range(1, len(agreed) + 1)])
    held = pd.concat(reviews, ignore_index=True)
    held.insert(0, "review_id", [f"rev-{i:05d}" for i in range(1, len(held) + 1)])
    due = agreed["due_at"].to_numpy()
    agreed = dated(agreed, history, "agreed_at", "achieved_at")
    agreed["due_at"] = as_times(due)
    return agreed, dated(held, history, "held_at")


def _agreed(
    history: History, month: int, rows: Ints, ids: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw outcomes; whether each is reached hangs on the value of the months that follow."""
    day = _days(history, month, len(rows), rng)
    later = min(month + 4, history.calendar.months)
    state = history.states[later].take(rows)
    reached = state.active & (state.value + rng.normal(0, 0.5, len(rows)) > REACHED_FROM)
    achieved = np.where(reached, day + rng.uniform(90, 150, len(rows)), np.nan)
    keep = _pays(history, month, rows, day)
    table = pd.DataFrame(
        {
            "account_id": ids[rows],
            "agreed_at": day,
            "due_at": day + 150,
            "achieved_at": achieved,
            "description": rng.choice(["hours saved", "users live", "errors down"], len(rows)),
        }
    )
    return table[keep]


def _reviewed(
    history: History, month: int, rows: Ints, ids: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    day = _days(history, month, len(rows), rng)
    seen = history.states[month].value[rows] + rng.normal(0, 0.35, len(rows))
    verdict = np.select([seen > MET_FROM, seen > PARTLY_FROM], ["met", "partly"], "missed")
    table = pd.DataFrame({"account_id": ids[rows], "held_at": day, "verdict": verdict})
    return table[_pays(history, month, rows, day)]


def touch_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build touches: those of the experiment name their arm, the others are the CSM's choice."""
    ids, parts = account_ids(len(history.accounts)), []
    for month in range(history.calendar.months):
        touch = history.months[month].touch
        rows = np.flatnonzero(touch)
        day = _days(history, month, len(rows), rng)
        by_coin = touch[rows] != BY_CHOICE
        arm = np.array(["", *ARM.values(), ""])[touch[rows]]
        kind = np.where(
            touch[rows] == HELD_BACK, "none", rng.choice(["call", "email", "visit"], len(rows))
        )
        table = pd.DataFrame(
            {
                "account_id": ids[rows],
                "occurred_at": day,
                "csm": [csm_of(i) for i in rows.tolist()],
                "kind": kind,
                "play": np.where(by_coin, "value_review", "check_in"),
                "experiment": pd.Series(["value-review-coin"] * len(rows))
                .where(by_coin)
                .to_numpy(),
                "arm": pd.Series(arm).where(by_coin).to_numpy(),
            }
        )
        parts.append(table[_pays(history, month, rows, day)])
    table = _ordered(parts, history, "occurred_at")
    table.insert(0, "touch_id", [f"tou-{i:06d}" for i in range(1, len(table) + 1)])
    return table


def csm_of(account: int) -> str:
    """Name the account's CSM, one for all of its life."""
    return f"csm-{account * 7 % CSMS + 1:02d}"
