"""The truth beside the tables: states, causes and what touches did.

Only training/oracle.py and the checks in benchmarks/ read it; no feature or model may.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from features.sources.sample.accounts import Accounts
from features.sources.sample.dynamics import BY_CHOICE, HELD_BACK, TREATED, touch_effect
from features.sources.sample.history import History
from features.sources.sample.leaving import chance_to_decide
from features.sources.sample.state import State
from features.sources.sample.world import CAUSES, NEVER, TIERS, Floats, Ints, World, moment

FOLDER = "truth"
ARMS = MappingProxyType({TREATED: "treatment", HELD_BACK: "control", BY_CHOICE: "discretion"})


def account_ids(count: int) -> np.ndarray:
    """Name the accounts acc-00001 and on, shape (accounts,)."""
    return np.array([f"acc-{i:05d}" for i in range(1, count + 1)])


def write_truth(history: History, world: World, folder: Path, seed: int) -> None:
    """Write states, causes, touches, traits and the world's parameters into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _states(history).to_parquet(folder / "states.parquet", index=False)
    _causes(history).to_parquet(folder / "causes.parquet", index=False)
    _touches(history, world).to_parquet(folder / "touches.parquet", index=False)
    _traits(history.accounts).to_parquet(folder / "traits.parquet", index=False)
    described = {
        "seed": seed,
        "months": history.calendar.months,
        "bad_year_months_left": history.bad_year.tolist(),
        "world": asdict(world),
    }
    (folder / "world.json").write_text(json.dumps(described, indent=1) + "\n")


def _traits(accounts: Accounts) -> pd.DataFrame:
    columns = {f.name: getattr(accounts, f.name) for f in fields(accounts)}
    return pd.DataFrame({"account_id": account_ids(len(accounts)), **columns})


def _states(history: History) -> pd.DataFrame:
    """One row per account and month at whose start it pays."""
    ids = account_ids(len(history.accounts))
    parts = []
    for month, state in enumerate(history.states):
        rows = np.flatnonzero(state.active)
        part = {f.name: getattr(state, f.name)[rows] for f in fields(State)}
        part |= {"account_id": ids[rows], "month": month, "mrr": state.mrr[rows]}
        part["as_of"] = pd.Timestamp(moment(history.calendar.starts[month]))
        churn, growth = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        if month < len(history.months):
            churn = history.months[month].leaving.chance[rows]
            growth = history.months[month].buying.chance[rows]
        parts.append(pd.DataFrame(part | {"churn_hazard": churn, "expansion_hazard": growth}))
    return pd.concat(parts, ignore_index=True)


def _causes(history: History) -> pd.DataFrame:
    """One row per loss and per purchase, with its cause."""
    ids = account_ids(len(history.accounts))
    parts = []
    for state, month in zip(history.states, history.months, strict=False):
        leaving, buying = month.leaving, month.buying
        lost = np.flatnonzero(leaving.left_on < NEVER)
        bought = np.flatnonzero(buying.day < NEVER)
        causes = np.array(CAUSES)[leaving.cause[lost]]
        grew = np.where(state.is_growing[bought], "growth", "value")
        parts.append(_events("churn", ids[lost], leaving.left_on[lost], causes))
        parts.append(_events("expansion", ids[bought], buying.day[bought], grew))
    return pd.concat(parts, ignore_index=True)


def _events(event: str, ids: np.ndarray, days: Floats | Ints, causes: np.ndarray) -> pd.DataFrame:
    times = np.array([moment(day) for day in days], dtype="datetime64[us]")
    return pd.DataFrame({"account_id": ids, "event": event, "occurred_at": times, "cause": causes})


def _touches(history: History, world: World) -> pd.DataFrame:
    """One row per touch or hold-back: what it did, or would have done, to the next month's odds."""
    ids, accounts = account_ids(len(history.accounts)), history.accounts
    parts = []
    for number, month in enumerate(history.months):
        rows = np.flatnonzero(month.touch)
        state = history.states[number].take(rows)
        some = accounts.take(rows)
        effect = touch_effect(state, some)
        odds = chance_to_decide(state, some, world)
        odds = odds / (1 - odds)
        eased = odds * np.exp(-world.risk.care * effect)
        parts.append(
            pd.DataFrame(
                {
                    "account_id": ids[rows],
                    "month": number,
                    "arm": [ARMS[int(t)] for t in month.touch[rows]],
                    "tier": np.array(TIERS)[some.tier],
                    "effect_log_odds": -world.risk.care * effect,
                    "effect_on_chance": eased / (1 + eased) - odds / (1 + odds),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
