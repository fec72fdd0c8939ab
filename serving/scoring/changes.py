"""What changed in an account's probability since about a week before, and by what. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

NAMED = 2
SMALL = 0.005  # of a probability: half a percent is shown as no change
LEAST = 0.05  # log odds: what moved less is not named


@dataclass(frozen=True)
class Before:
    """The publication of about a week before.

    Attributes
    ----------
    as_of
        Its date, naive UTC.
    model_version
        Of its model of churn.
    said
        By account_id: probability at the list's horizon, and effects, the JSON of what each
        subject added to the log odds then, None where that was not kept.
    """

    as_of: datetime
    model_version: str
    said: pd.DataFrame


def told_changes(rows: pd.DataFrame, model_version: str, before: Before | None) -> pd.DataFrame:
    """Tell what changed since, never across model versions without saying so.

    Parameters
    ----------
    rows
        account_id, probability, and effects as JSON; nulls of what was not scored.

    Returns
    -------
    pandas.DataFrame
        account_id, change (of the probability; NaN where there is nothing to compare with, or
        another version of the model scored) and change_text, a sentence or None.
    """
    if before is None:
        return pd.DataFrame({"account_id": rows["account_id"], "change": None, "change_text": None})
    since = before.as_of.date().isoformat()
    known = dict(zip(before.said.index, before.said.to_dict("records"), strict=True))
    told: list[tuple[str, float | None, str | None]] = []
    now = zip(rows["account_id"], rows["probability"], rows["effects"], strict=True)
    for account_id, probability, effects in now:
        then = known.get(account_id)
        if pd.isna(probability):
            told.append((account_id, None, None))
        elif then is None or pd.isna(then["probability"]):
            told.append((account_id, None, f"Not scored on {since}."))
        elif model_version != before.model_version:
            told.append((account_id, None, _of_another_version(since)))
        else:
            change = probability - then["probability"]
            moved = _moved(effects, then["effects"])
            text = _sentence(then["probability"], probability, since, moved)
            told.append((account_id, change, text))
    return pd.DataFrame(told, columns=["account_id", "change", "change_text"]).astype(
        {"change": float}
    )


def _of_another_version(since: str) -> str:
    return f"Another version of the model scored on {since}: no difference is given."


def _moved(now: str, then: str | None) -> Mapping[str, float]:
    """Give by how much each subject's part in the log odds moved."""
    if not isinstance(then, str):
        return {}
    after, earlier = json.loads(now), json.loads(then)
    return {name: after.get(name, 0.0) - earlier.get(name, 0.0) for name in {**after, **earlier}}


def _sentence(then: float, now: float, since: str, moved: Mapping[str, float]) -> str:
    if abs(now - then) < SMALL:
        return f"As on {since}."
    way, sign = ("Up", 1) if now > then else ("Down", -1)
    with_it = {name: sign * by for name, by in moved.items() if sign * by >= LEAST}
    named = sorted(with_it, key=lambda name: (-with_it[name], name))[:NAMED]
    by = f", mostly by {' and '.join(named)}" if named else ""
    return f"{way} from {then:.0%} to {now:.0%} since {since}{by}."
