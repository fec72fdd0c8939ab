"""What the work list shows of each account, computed once for a publication. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from features.weekly_use import WEEKS
from models.bundle import Bundle
from models.reasons import effects_by_subject
from serving.playbooks.playbook import Playbook
from serving.scoring.changes import Before, told_changes
from serving.scoring.plays import days_between, leading_family, leading_reason
from serving.scoring.rules import Rules
from serving.scoring.signals import sharp_changes

TENURE = "lifecycle__tenure_days"
WHY_NOT = ("no_data", "ended", "leaving", "too_young", "touched_lately", "below_capacity")
"""Why an account is not on the list, in the order in which the first that holds is told."""
SMALLEST_EFFECT = 0.005  # log odds: what is less says nothing, and would take room a thousand times
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Around:
    """What the list shows of accounts that their scores do not say.

    Attributes
    ----------
    use
        account_id, and the events of each of the last weeks, the oldest first.
    touched
        The team's last touch, naive UTC, by account_id.
    before
        What was published about a week before; None: nothing.
    """

    use: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"account_id": []}))
    touched: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    before: Before | None = None


@dataclass(frozen=True)
class Company:
    """Accounts at one date, as a release has scored them: each a table with account_id."""

    scores: pd.DataFrame
    listed: pd.DataFrame
    renewals: pd.DataFrame
    table: pd.DataFrame


def listed_rows(
    company: Company,
    bundles: Mapping[str, Bundle],
    catalogue: Sequence[Mapping[str, Any]],
    horizon_days: int,
    around: Around,
    rules: Rules,
    playbook: Playbook,
) -> pd.DataFrame:
    """Give one row per known account with all that the list filters, orders and shows.

    Parameters
    ----------
    company
        Of one date; ``listed`` as `serving.scoring.worklist.rank` gives it.
    catalogue
        Entries of the features in ``table``.
    horizon_days
        The list's.

    Returns
    -------
    pandas.DataFrame
        In order of account_id, the columns of the store's ``listed_accounts`` and
        ``listed_details`` but the publication.
    """
    rows = _with_growth(company, horizon_days)
    rows = rows.merge(company.renewals.drop(columns="as_of"), on="account_id", how="left")
    as_of = company.scores["as_of"].iloc[0]
    rows["touched_at"] = pd.to_datetime(rows["account_id"].map(dict(around.touched)))
    rows["tenure_days"] = _tenure(rows, company.table)
    rows["why_not"] = why_not(rows, as_of, rules)
    rows = _with_reasons(rows, company.scores, bundles["churn"], horizon_days)
    rows["play"] = _plays(rows, playbook, as_of)
    signals = sharp_changes(company.table, catalogue)
    rows = rows.merge(signals, on="account_id", how="left")
    rows["weekly_use"] = rows["account_id"].map(_use_as_text(around.use))
    rows["effects"] = rows["account_id"].map(_effects(company.table, bundles, horizon_days))
    version = bundles["churn"].version
    rows = rows.merge(told_changes(rows, version, around.before), on="account_id", how="left")
    return rows.drop(columns=["position", "customer_group", "renews_at", "tenure_days"])


def why_not(rows: pd.DataFrame, as_of: pd.Timestamp, rules: Rules) -> pd.Series:
    """Say why each account is not on the list, None where it is on it.

    An account takes one of 25 (high) or 150 (mid) parts of its CSM's capacity, so that a CSM of
    both tiers gets to a mix. One without a CSM, or of a tier that names no capacity, is not cut.

    Parameters
    ----------
    rows
        status, tier, csm, expected_loss, touched_at, tenure_days.
    """
    found = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    cooldown = pd.Timedelta(days=rules.cooldown_days)
    tests = {
        "no_data": rows["status"].eq("no_data"),
        "ended": rows["status"].eq("inactive"),
        "leaving": rows["status"].eq("leaving"),
        "too_young": rows["tenure_days"] < rules.young_days,
        "touched_lately": rows["touched_at"] > as_of - cooldown,
    }
    for cause, holds in tests.items():
        found[found.isna() & holds] = cause
    found[found.isna() & _beyond_capacity(rows[found.isna()], rules).reindex(rows.index)] = (
        "below_capacity"
    )
    return found.where(found.notna(), None)


def _beyond_capacity(rows: pd.DataFrame, rules: Rules) -> pd.Series:
    """Mark the accounts that their CSM does not get to, by expected loss."""
    load = 1 / rows["tier"].map(dict(rules.accounts_a_csm)).astype(float)
    cut = rows.assign(load=load)[np.isfinite(load) & rows["csm"].notna()]
    ordered = cut.sort_values(["expected_loss", "account_id"], ascending=[False, True])
    used = ordered.groupby("csm")["load"].cumsum()
    return (used > 1 + _ROUNDING).reindex(rows.index, fill_value=False)


def _with_growth(company: Company, horizon_days: int) -> pd.DataFrame:
    """Add what the model of expansion says at the list's horizon; nulls where there is none."""
    scores = company.scores
    grown = scores[(scores["model"] == "expansion") & (scores["horizon_days"] == horizon_days)]
    growth = pd.DataFrame(
        {
            "account_id": grown["account_id"],
            "expansion_probability": grown["probability"],
            "expansion_band": grown["band"],
            "expected_added_mrr": grown["expected_added_mrr"],
        }
    )
    return company.listed.merge(growth, on="account_id", how="left")


def _tenure(rows: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    if TENURE not in table:
        return pd.Series(np.nan, index=rows.index)
    return rows["account_id"].map(table.set_index("account_id")[TENURE])


def _with_reasons(
    rows: pd.DataFrame, scores: pd.DataFrame, churn: Bundle, horizon_days: int
) -> pd.DataFrame:
    """Add the first reason's sentence, and its family."""
    entries = {entry["column"]: entry for entry in churn.catalogue}
    of_list = (scores["model"] == "churn") & (scores["horizon_days"] == horizon_days)
    scored = scores[of_list & (scores["status"] == "scored")]
    told = []
    for account_id, reasons in zip(scored["account_id"], scored["reasons"], strict=True):
        leading = leading_reason(reasons)
        text = leading and leading["text"]
        told.append((account_id, text, leading_family(reasons, entries)))
    columns = ["account_id", "reason", "family"]
    return rows.merge(pd.DataFrame(told, columns=columns), on="account_id", how="left")


def _plays(rows: pd.DataFrame, playbook: Playbook, as_of: pd.Timestamp) -> list[str | None]:
    """Give the play of each account that was scored."""
    known = rows[["family", "tier", "renewal_date"]].astype(object)
    known = known.where(known.notna(), None)
    return [
        playbook.play_for("churn", family, tier, days_between(as_of, renewal)).text
        if is_scored
        else None
        for is_scored, family, tier, renewal in zip(
            rows["status"].eq("scored"), *(known[name] for name in known), strict=True
        )
    ]


def _use_as_text(use: pd.DataFrame) -> dict[str, str]:
    """Give the weeks of each account as a JSON list of whole numbers; of none without a log."""
    weeks = [week for week in range(WEEKS) if week in use]
    if not weeks:
        return {}
    counts = use[weeks].round().astype(int).to_numpy().tolist()
    texts = (json.dumps(one, separators=(",", ":")) for one in counts)
    return dict(zip(use["account_id"], texts, strict=True))


def _effects(
    table: pd.DataFrame, bundles: Mapping[str, Bundle], horizon_days: int
) -> dict[str, str]:
    """Give what each subject adds to the log odds of a loss, by account, as JSON."""
    by_subject = effects_by_subject(bundles["churn"], table, horizon_days)
    names = by_subject.columns.tolist()
    return {
        account_id: json.dumps(
            {
                name: round(effect, 3)
                for name, effect in zip(names, effects, strict=True)
                if abs(effect) >= SMALLEST_EFFECT
            }
        )
        for account_id, effects in zip(
            table["account_id"], by_subject.to_numpy().tolist(), strict=True
        )
    }
