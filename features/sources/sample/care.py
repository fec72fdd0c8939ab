"""Incidents, tickets and surveys: what customers meet, ask and say."""

import numpy as np
import pandas as pd

from features.sources.sample.history import History
from features.sources.sample.state import GONE, State
from features.sources.sample.subscriptions import as_times
from features.sources.sample.truth import account_ids
from features.sources.sample.world import Floats, Ints

CATEGORIES = ("how_to", "defect", "billing", "request")
PRIORITIES = ("low", "normal", "high", "urgent")
CRITICAL_FROM, MAJOR_FROM = 1.2, 0.95
RATED_SHARE = 0.35
CHAMPION_ANSWERS_SHARE = 0.4
SURVEY_ANSWERED = (0.60, 0.50, 0.42)


def incident_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build incidents: shared ones carry one id for all that met them."""
    ids, parts = account_ids(len(history.accounts)), []
    for month in range(history.calendar.months):
        happened = history.months[month]
        rows = np.flatnonzero(happened.outage > 0)
        depth, shared = happened.outage[rows], happened.outage_is_shared[rows]
        is_critical, is_major = depth > CRITICAL_FROM, depth > MAJOR_FROM
        start = incident_days(history, month, rows)
        hours = np.where(is_critical, 9, np.where(is_major, 4, 2)) * rng.lognormal(
            0, 0.4, len(rows)
        )
        region = history.accounts.region[rows]
        names = [
            f"inc-{month:03d}-r{r}" if s else f"inc-{month:03d}-{ids[i]}"
            for i, s, r in zip(rows, shared, region, strict=True)
        ]
        severity = np.select([is_critical, is_major], ["critical", "major"], "minor")
        parts.append(
            pd.DataFrame(
                {
                    "incident_id": names,
                    "account_id": ids[rows],
                    "product": "core",
                    "severity": severity,
                    "started_at": start,
                    "resolved_at": start + hours / 24,
                    "paid_until": happened.leaving.left_on[rows],
                }
            )
        )
    table = pd.concat(parts, ignore_index=True).query("started_at < paid_until")
    return dated(table.drop(columns="paid_until"), history, "started_at", "resolved_at")


def incident_days(history: History, month: int, rows: Ints) -> Floats:
    """Day number of each account's incident in a month; one day for all of a region."""
    draw = np.random.default_rng([month, 77]).random(len(history.accounts) + 4)
    shared = history.months[month].outage_is_shared[rows]
    share = np.where(shared, draw[history.accounts.region[rows]], draw[4 + rows])
    start = int(history.calendar.starts[month])
    return np.asarray(start + share * (history.calendar.days(month) - 3) + 0.4)


def ticket_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build support tickets of all months."""
    parts = [_tickets(history, month, rng) for month in range(history.calendar.months)]
    table = pd.concat(parts, ignore_index=True).sort_values(["opened_at", "account_id"])
    table.insert(0, "ticket_id", [f"tic-{i:06d}" for i in range(1, len(table) + 1)])
    times = ("opened_at", "first_responded_at", "resolved_at", "reopened_at", "escalated_at")
    table = dated(table, history, *times, "csat_at")
    table["csat"] = table["csat"].where(table["csat_at"].notna())
    return table.reset_index(drop=True)


def _tickets(history: History, month: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw one month's tickets: how many of each category, and how they went."""
    rows = history.present(month)
    state, outage = history.states[month].take(rows), history.months[month].outage[rows]
    expected = np.stack(
        [
            0.12 + 0.012 * state.seats * np.exp(0.2 * state.adoption),
            0.06 + 1.5 * outage + 0.5 * np.minimum(state.outage, 2),
            0.03 + 1.5 * np.minimum(state.price, 1.2) + 0.5 * state.in_stress,
            0.05 + 0.12 * np.maximum(-state.value, 0),
        ]
    )
    count = rng.poisson(expected)
    category, place = np.nonzero(count)
    times = count[category, place]
    category, place = np.repeat(category, times), np.repeat(place, times)
    opened = _opening_days(history, month, rows, category, place, rng)
    account = rows[place]
    first = np.where(
        history.accounts.joins[account] == month, history.months[month].billing.day[account], 0
    )
    left = history.months[month].leaving.left_on[account]
    keep = (opened < left) & (opened >= first)
    return _handled(
        history,
        account[keep],
        category[keep],
        opened[keep],
        state.take(place[keep]),
        outage[place[keep]],
        rng,
    )


def _opening_days(
    history: History, month: int, rows: Ints, category: Ints, place: Ints, rng: np.random.Generator
) -> Floats:
    start, days = history.calendar.starts[month], history.calendar.days(month)
    anywhen = start + rng.uniform(0, days, len(place))
    after_incident = incident_days(history, month, rows)[place] + rng.exponential(1.5, len(place))
    is_incident = (category == 1) & (history.months[month].outage[rows][place] > 0)
    after_incident = np.minimum(after_incident, start + days - 0.01)
    return np.asarray(np.where(is_incident, after_incident, anywhen))


def _handled(
    history: History,
    account: Ints,
    category: Ints,
    opened: Floats,
    state: State,
    outage: Floats,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw priority, answer, solution and rating of tickets, one row each."""
    n, is_defect = len(account), category == CATEGORIES.index("defect")
    severity = rng.normal(0.9, 0.7, n) + is_defect * (0.8 + 0.6 * outage)
    level = np.clip(np.floor(severity), 0, 3).astype(int)
    hours = rng.lognormal(2.8, 0.9, n) * np.where(is_defect, 1.8, 1.0)
    answered = opened + rng.lognormal(0.9, 0.8, n) / 24
    resolved = answered + hours / 24
    escalates = rng.random(n) < 0.02 + 0.12 * is_defect * np.minimum(outage + state.outage, 2)
    reopens = rng.random(n) < 0.05 + 0.05 * is_defect
    mood = 4.2 + 0.4 * state.value - 0.9 * is_defect - 0.9 * np.minimum(state.price, 1.2)
    csat = np.clip(np.round(mood + rng.normal(0, 0.8, n)), 1, 5)
    rated = np.where(rng.random(n) < RATED_SHARE, resolved + rng.uniform(0, 3, n), np.nan)
    return pd.DataFrame(
        {
            "account_id": account_ids(len(history.accounts))[account],
            "opened_at": opened,
            "first_responded_at": answered,
            "resolved_at": resolved,
            "reopened_at": np.where(reopens, resolved + rng.uniform(0, 5, n), np.nan),
            "escalated_at": np.where(escalates, opened + rng.uniform(0, 2, n), np.nan),
            "priority": np.array(PRIORITIES)[level],
            "category": np.array(CATEGORIES)[category],
            "channel": rng.choice(["email", "chat", "portal"], n),
            "csat": csat,
            "csat_at": rated,
        }
    )


def survey_table(history: History, rng: np.random.Generator) -> pd.DataFrame:
    """Build answers: each account is asked every quarter, many do not answer."""
    parts = []
    for month in range(history.calendar.months):
        rows = history.present(month)
        asked = (rows + month) % 3 == 0
        answers = rng.random(len(rows)) < np.array(SURVEY_ANSWERED)[history.accounts.tier[rows]]
        rows = rows[asked & answers & history.states[month].active[rows]]
        parts.append(_answers(history, month, rows, rng))
    table = pd.concat(parts, ignore_index=True).sort_values(["responded_at", "account_id"])
    recorded = table["responded_at"] + rng.choice([0.1, 0.5, 4.0], len(table), p=[0.7, 0.25, 0.05])
    table = table.assign(recorded_at=recorded)
    end = float(history.calendar.starts[history.calendar.months])
    table = table[table["recorded_at"] < end]
    return dated(table, history, "responded_at", "recorded_at").reset_index(drop=True)


def _answers(history: History, month: int, rows: Ints, rng: np.random.Generator) -> pd.DataFrame:
    """Draw one month's answers; how content someone is shows in each kind of survey."""
    n, state = len(rows), history.states[month].take(rows)
    content = state.value - 0.9 * np.minimum(state.outage, 2) - 1.6 * np.minimum(state.price, 1.2)
    kind = rng.choice(["nps", "nps", "csat", "ces"], n)
    noise = rng.normal(0, 1, n)
    score = np.select(
        [kind == "nps", kind == "csat"],
        [
            np.clip(7.6 + 1.4 * content + 1.2 * noise, 0, 10),
            np.clip(4 + 0.6 * content + 0.6 * noise, 1, 5),
        ],
        np.clip(5.2 + 0.8 * content + noise, 1, 7),
    )
    day = history.calendar.starts[month] + rng.uniform(0, history.calendar.days(month) - 1, n)
    has_champion = (state.champion != GONE) & (rng.random(n) < CHAMPION_ANSWERS_SHARE)
    table = pd.DataFrame(
        {
            "account_id": account_ids(len(history.accounts))[rows],
            "responded_at": day,
            "kind": kind,
            "score": np.round(score),
            "respondent_role": np.where(has_champion, "champion", "user"),
        }
    )
    pays = day < history.months[month].leaving.left_on[rows]
    kept: pd.DataFrame = table[pays]
    return kept


def dated(table: pd.DataFrame, history: History, *times: str) -> pd.DataFrame:
    """Turn day numbers into times; what lies after the extract is not known yet."""
    end = float(history.calendar.starts[history.calendar.months])
    for name in times:
        days = table[name].to_numpy(dtype=float)
        table[name] = as_times(np.where(days < end, days, np.nan))
    return table
