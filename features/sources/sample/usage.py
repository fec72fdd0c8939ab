"""What people at the customers do in the product, day by day."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.sources.sample.history import History
from features.sources.sample.observed import Days, seen_days
from features.sources.sample.state import GONE, WAVERING, State, logistic
from features.sources.sample.truth import account_ids
from features.sources.sample.world import FIRST_DAY, Floats, Ints

MOST_USERS = 90
ADVANCED = (
    "report_viewed",
    "export_made",
    "dashboard_built",
    "rule_created",
    "forecast_run",
    "cohort_opened",
    "workflow_run",
    "webhook_sent",
)
EVENTS = ("session", *ADVANCED, "api_call")
PRODUCTS = ("core", "analytics", "automation")
ANALYTICS_EVENTS = (5, 6)
AUTOMATION_EVENTS = (7, 8)
LATE_SHARE = 0.02
ADVANCED_SHARE = 0.55
MACHINE_DAYS_SHARE = 0.9
LOADED_BEFORE_MIDNIGHT = 600_000_000
US_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class _Log:
    """Rows of one month before they become a table; arrays of shape (rows,)."""

    account: Ints
    user: Ints
    day: Ints
    event: Ints
    quantity: Ints


def usage_batches(history: History, rng: np.random.Generator) -> Iterator[pa.RecordBatch]:
    """Give the usage log, one batch for each month, in order of day."""
    users = _Users.draw(len(history.accounts), rng)
    names = _names(history)
    for month in range(history.calendar.months):
        rows = history.present(month)
        log = _month(history, month, rows, users, rng)
        yield _batch(log, history, names, rng)


@dataclass(frozen=True)
class _Users:
    """Traits of each account's users that never change; shape (accounts, MOST_USERS)."""

    rounding: Floats
    zeal: Floats
    tastes: Floats

    @classmethod
    def draw(cls, accounts: int, rng: np.random.Generator) -> "_Users":
        shape = (accounts, MOST_USERS)
        zeal = rng.lognormal(0, 0.25, shape)
        zeal[:, 0] = 2.0
        tastes = rng.normal(0, 0.10, (accounts, len(ADVANCED)))
        return cls(rng.random(accounts), zeal, tastes)


def _month(
    history: History, month: int, rows: Ints, users: _Users, rng: np.random.Generator
) -> _Log:
    """Draw one month of use of the accounts in rows."""
    days = seen_days(history, month, rows)
    state, later = history.states[month].take(rows), history.states[month + 1].take(rows)
    account, user = _enabled(state, rows, users, history, month)
    zeal = users.zeal[rows[account], user] * _user_mood(state, account, user)
    mood = _mood(history, month, rows, state, rng)
    rate = _daily_rate(state, later, days)[account] * (zeal * mood[account])[:, None]
    here = rng.random(rate.shape) < np.minimum(rate, 0.97) * days.open[account]
    who, day = np.nonzero(here)
    sessions = _Log(
        rows[account[who]],
        user[who],
        days.start + day,
        np.zeros(len(who), dtype=np.int64),
        1 + rng.poisson(1 + 2 * np.exp(0.5 * state.adoption[account[who]])),
    )
    machines, runs = _machines(history, rows, state, days, rng)
    used = _used_functions(state, rows, users, rng)
    place = np.concatenate([account[who], runs])
    base = _joined(sessions, machines, is_sorted=False)
    return _joined(base, _advanced(base, state, place, used, rng))


def _enabled(
    state: State, rows: Ints, users: _Users, history: History, month: int
) -> tuple[Ints, Ints]:
    """Which users of each account have a login that they use; pairs (place in rows, user)."""
    season = season_factor(history, month, rows)
    fill = logistic(
        0.35 + 0.8 * state.adoption + 1.3 * state.is_growing - 0.5 * state.in_stress
    ) * np.sqrt(season)
    fill = np.where(history.accounts.is_quiet[rows], 0.12, fill)
    count = np.floor(fill * np.minimum(state.seats, MOST_USERS) + users.rounding[rows])
    place, user = np.nonzero(np.arange(MOST_USERS) < np.maximum(count, 1)[:, None])
    return place, user


def season_factor(history: History, month: int, rows: Ints) -> Floats:
    """Share of its usual use that an account's season leaves, shape (rows,)."""
    accounts = history.accounts
    distance = history.calendar.month_of_year(month) - accounts.season_month[rows]
    closeness = np.maximum(np.cos(2 * np.pi * distance / 12), 0) ** 2
    return np.asarray(1 - accounts.season_depth[rows] * closeness)


def _user_mood(state: State, account: Ints, user: Ints) -> Floats:
    """Give what the champion's going does: to its own use at once, to the others' a little."""
    champion = state.champion[account]
    first = np.select([champion == GONE, champion == WAVERING], [0.02, 0.4], 1.0)
    others = np.select([champion == GONE, champion == WAVERING], [0.85, 0.9], 1.0)
    return np.where(user == 0, first, others)


def _mood(
    history: History, month: int, rows: Ints, state: State, rng: np.random.Generator
) -> Floats:
    """Give what moves a whole account's use in a month: season, outages, cuts, chance."""
    stress = np.where(state.in_stress, 0.7, 1.0)
    outage = 1 - 0.12 * np.minimum(state.outage, 2)
    quiet = np.where(history.accounts.is_quiet[rows], 0.25, 1.0)
    chance = rng.lognormal(0, 0.05, len(rows))
    return stress * outage * quiet * season_factor(history, month, rows) * chance


def _daily_rate(state: State, later: State, days: Days) -> Floats:
    """Chance that a user of ordinary zeal comes on a day, shape (rows, days)."""
    share = (np.arange(days.count) + 0.5) / days.count
    still = later.active[:, None]
    drift = np.where(still, later.adoption[:, None] - state.adoption[:, None], 0)
    adoption = state.adoption[:, None] + share * drift
    return 0.21 * np.exp(0.55 * adoption) * days.rhythm


def _used_functions(
    state: State, rows: Ints, users: _Users, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Who uses which advanced function in the month: more kinds where it brings more value."""
    need = np.linspace(-2.4, 1.2, len(ADVANCED))
    noise = rng.normal(0, 0.06, (len(rows), len(ADVANCED)))
    return np.asarray(state.value[:, None] + users.tastes[rows] + noise > need)


def _advanced(
    log: _Log,
    state: State,
    place: Ints,
    used: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> _Log:
    """Draw uses of advanced functions, at most one for each row of the log."""
    chosen = rng.integers(0, len(ADVANCED), len(place))
    kept = used[place, chosen] & (rng.random(len(place)) < ADVANCED_SHARE)
    return _Log(
        log.account[kept],
        log.user[kept],
        log.day[kept],
        1 + chosen[kept],
        1 + rng.poisson(4 * np.exp(0.8 * state.value[place[kept]])),
    )


def _machines(
    history: History,
    rows: Ints,
    state: State,
    days: Days,
    rng: np.random.Generator,
) -> tuple[_Log, Ints]:
    """Draw a day's calls of the machines of quiet accounts, and their places in rows."""
    quiet = history.accounts.is_quiet[rows]
    works = quiet[:, None] & days.open & (rng.random(days.open.shape) < MACHINE_DAYS_SHARE)
    place, day = np.nonzero(works)
    calls = rng.poisson(40 * np.exp(0.5 * state.adoption[place]))
    event = np.full(len(place), EVENTS.index("api_call"))
    nobody = np.full(len(place), -1)
    return _Log(rows[place], nobody, days.start + day, event, calls), place


def _joined(first: _Log, second: _Log, *, is_sorted: bool = True) -> _Log:
    logs = (first, second)
    day = np.concatenate([log.day for log in logs])
    order = np.argsort(day, kind="stable") if is_sorted else np.arange(len(day))
    return _Log(
        *(
            np.concatenate([getattr(log, name) for log in logs])[order]
            for name in ("account", "user", "day", "event", "quantity")
        )
    )


def _names(history: History) -> tuple[pa.Array, pa.Array]:
    ids = account_ids(len(history.accounts))
    users = [f"{name}-u{k:02d}" for name in ids for k in range(MOST_USERS)]
    return pa.array(ids), pa.array(users)


def _batch(
    log: _Log, history: History, names: tuple[pa.Array, pa.Array], rng: np.random.Generator
) -> pa.RecordBatch:
    """Give rows their hour, their product, and the night in which the warehouse got them."""
    accounts, users = names
    second = rng.integers(6 * 3600, 20 * 3600, len(log.day))
    moment = log.day * US_PER_DAY + second * 1_000_000
    recorded = _recorded(log.day, rng)
    arrived = recorded < history.calendar.starts[history.calendar.months] * US_PER_DAY
    person = log.account * MOST_USERS + np.maximum(log.user, 0)
    columns = {
        "account_id": accounts.take(pa.array(log.account)),
        "user_id": users.take(pa.array(person, mask=log.user < 0)),
        "occurred_at": _stamps(moment),
        "event": pa.array(EVENTS).take(pa.array(log.event)),
        "product": pa.array(PRODUCTS).take(pa.array(_product(log, history))),
        "quantity": pa.array(log.quantity, pa.int64()),
        "recorded_at": _stamps(recorded),
    }
    return pa.RecordBatch.from_pydict(columns).filter(pa.array(arrived))


def _recorded(day: Ints, rng: np.random.Generator) -> Ints:
    """Most rows arrive in the next night; a few come days late."""
    late = np.where(rng.random(len(day)) < LATE_SHARE, rng.integers(1, 10, len(day)), 0)
    return (day + 1 + late) * US_PER_DAY - LOADED_BEFORE_MIDNIGHT


def _stamps(micros: Ints) -> pa.Array:
    origin = np.datetime64(FIRST_DAY, "us")
    return pa.array(origin + micros.astype("timedelta64[us]"), pa.timestamp("us"))


def _product(log: _Log, history: History) -> Ints:
    """Add-ons carry their own functions where they are owned; else the core does."""
    month = np.searchsorted(history.calendar.starts, log.day, side="right") - 1
    state = history.states[int(month.max(initial=0)) + 1]
    analytics = np.isin(log.event, ANALYTICS_EVENTS) & (state.analytics[log.account] > 0)
    automation = np.isin(log.event, AUTOMATION_EVENTS) & (state.automation[log.account] > 0)
    return np.where(analytics, 1, np.where(automation, 2, 0))
