"""A back-test seen close: a team's lists, how early, later losses, parts of the base, causes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.built import Built
from features.errors import ModelError
from models.bundle import Bundle
from models.question import Question
from training.capacity import (
    AtStake,
    Economics,
    Team,
    at_capacity,
    at_team,
    first_share,
    orders,
    team_list,
)
from training.evaluate import at_stake, measured, paired
from training.heldout import Resampled
from training.labels import label, outcome_within
from training.losses import by_cause, later_losses, lead_time
from training.profit import maximum_profit
from training.renewals import renewals
from training.slices import slices
from training.tested import Tested, mrr_at_stake

Floats = NDArray[np.float64]

TENTH = 0.10


def closeup(tested: Tested, question: Question, team: Team) -> dict[str, Any]:
    """Give what the headline figures do not tell, of described rows with a known outcome.

    Returns
    -------
    economics and team, as they were stated; at_team, as `training.capacity.at_team` gives it, and
    rivals_at_team, the same of the baselines; best_lists, as `best_lists` gives it; lead_time by
    list (the team's, and the first tenth of each date); causes, with the recall on that tenth, and
    renewals, as `training.renewals.renewals` gives them, both for churn; later, as
    `training.losses.later_losses` gives it; slices, by part. Lists are by expected MRR.
    """
    rows, days = tested.rows, question.main_horizon_days
    outcome, probability = (
        rows[f"{kind}__{days}d"].to_numpy(dtype=float) for kind in ("outcome", "probability")
    )
    stake = at_stake(rows, outcome, mrr_at_stake(rows, question))
    order = orders(rows, probability)["expected_mrr"]
    lists = {"team": team_list(rows, order, team), "tenth": first_share(rows, order, TENTH)}
    found: dict[str, Any] = {
        "economics": asdict(team.economics),
        "team": dict(team.accounts_a_csm),
        "at_team": at_team(stake, probability, team),
        "rivals_at_team": {
            name: at_team(stake, guess, team)["expected_mrr"]
            for name, guess in tested.rivals.items()
        },
        "best_lists": best_lists(stake, probability, tested.rivals, team.economics),
        "lead_time": {
            name: lead_time(rows, question, outcome > 0, listed) for name, listed in lists.items()
        },
        "later": later_losses(rows, question, dict(tested.rivals)),
        "slices": by_slice(rows, outcome, probability, days),
    }
    if question.outcome == "churn":
        found["causes"] = by_cause(rows, outcome, probability, lists["tenth"])
        found["renewals"] = renewals(rows, question)
    return found


def at_date(tested: Tested, question: Question, team: Team) -> dict[str, Any]:
    """Give of one origin what `closeup` gives of all: lists, how early they tell, later losses.

    Returns
    -------
    capacity, as `training.capacity.at_capacity` gives it; at_team, best_lists of the model's two
    orders, lead_time of the first tenth of each date, and later, as `closeup` gives them.
    """
    rows, days = tested.rows, question.main_horizon_days
    outcome, probability = (
        rows[f"{kind}__{days}d"].to_numpy(dtype=float) for kind in ("outcome", "probability")
    )
    stake = at_stake(rows, outcome, mrr_at_stake(rows, question))
    tenth = first_share(rows, orders(rows, probability)["expected_mrr"], TENTH)
    return {
        "capacity": at_capacity(stake, probability, team.economics),
        "at_team": at_team(stake, probability, team),
        "best_lists": best_lists(stake, probability, {}, team.economics),
        "lead_time": lead_time(rows, question, outcome > 0, tenth),
        "later": later_losses(rows, question, {}),
    }


def best_lists(
    stake: AtStake, probability: Floats, rivals: Mapping[str, Floats], economics: Economics
) -> dict[str, Any]:
    """Give `training.profit.maximum_profit` of the model's two orders, and of the baselines'.

    A baseline's order is its own expected MRR; where it tells nobody apart, that is the MRR.
    """
    own = orders(stake.rows, probability)
    others = {name: orders(stake.rows, guess)["expected_mrr"] for name, guess in rivals.items()}
    return {
        name: maximum_profit(stake, order, economics) for name, order in {**own, **others}.items()
    }


def by_slice(
    rows: pd.DataFrame, outcome: Floats, probability: Floats, horizon_days: int
) -> dict[str, Any]:
    """Give the figures of each part of the base, as `training.evaluate.measured` gives them."""
    groups = rows["customer_group"].to_numpy(dtype=object)
    return {
        name: {
            part: measured(outcome[member], probability[member], groups[member])
            for part, member in parts.items()
        }
        for name, parts in slices(rows, horizon_days).items()
    }


def of_leaving(built: Built, question: Question, rows: pd.DataFrame) -> dict[str, Any]:
    """Tell what came of the accounts that had asked to cancel at the tested dates.

    They are listed as leaving and not scored, so that no figure of the model holds them.

    Returns
    -------
    rows (accounts and dates with a known outcome), events, and share with the event.
    """
    states = built.states
    asked = states[(states["status"] == "leaving") & states["as_of"].isin(rows["as_of"].unique())]
    outcome = outcome_within(label(built.source, asked, question), question.main_horizon_days)
    known = np.isfinite(outcome)
    came = outcome[known]
    drawn = Resampled.of(asked.loc[known, "customer_group"].to_numpy(dtype=object))
    share = drawn.ratio(came, np.ones(len(came))) if len(came) else None
    return {"rows": len(came), "events": int(came.sum()), "share": share}


def beside_champion(tested: Tested, question: Question, champion: Bundle) -> dict[str, Any]:
    """Hold the back-test's models against the champion, on rows that it did not learn from.

    Returns
    -------
    version and from (its border); model and champion (their figures on those rows), above (the
    paired differences); or reason, where the champion cannot be held against them.
    """
    days, border = question.main_horizon_days, pd.Timestamp(champion.as_of_range[1])
    told: dict[str, Any] = {"version": champion.version, "from": f"{border:%Y-%m-%d}"}
    rows = tested.rows[tested.rows["as_of"] >= border]
    if rows.empty or days not in champion.question.horizons_days:
        return told | {
            "reason": f"No tested row lies after its border, or it knows no {days} days."
        }
    try:
        at = champion.question.horizons_days.index(days)
        rival = champion.probabilities(rows)[:, at]
    except ModelError as error:
        return told | {"reason": str(error)}
    outcome, probability = (
        rows[f"{kind}__{days}d"].to_numpy(dtype=float) for kind in ("outcome", "probability")
    )
    groups = rows["customer_group"].to_numpy(dtype=object)
    return told | {
        "model": measured(outcome, probability, groups),
        "champion": measured(outcome, rival, groups),
        "above": paired(outcome, probability, rival, groups),
    }
