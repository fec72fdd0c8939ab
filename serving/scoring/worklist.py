"""Who to speak to first: accounts in order of the money that is likely to leave. Pure."""

import pandas as pd

from features.errors import ModelError

MONTHS_A_YEAR = 12
KNOWN_BY = ("name", "tier", "csm", "segment", "region")
FACTS = (
    "account_id",
    *KNOWN_BY,
    "status",
    "customer_group",
    "arr",
    "renews_at",
)


def account_facts(accounts: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Join what people know an account by to its contract at the scored date.

    Parameters
    ----------
    accounts:
        The newest version of the source's ``accounts``; what it is known by may be absent.
    states:
        `features.spine.account_states` of one date.

    Returns
    -------
    pandas.DataFrame
        One row per account of `states`: account_id, `KNOWN_BY` (str or None), status,
        customer_group, arr (money a year, 12 x MRR), renews_at (NaT where no term ends).
    """
    present = [column for column in KNOWN_BY if column in accounts]
    facts = states.merge(
        accounts[["account_id", *present]], on="account_id", how="left", validate="one_to_one"
    )
    for column in KNOWN_BY:
        facts[column] = _text_or_none(facts[column] if column in present else None, len(facts))
    facts["arr"] = facts["mrr"].astype("float64") * MONTHS_A_YEAR
    facts["renews_at"] = facts["term_ends_at"]
    return facts[list(FACTS)]


def rank(scores: pd.DataFrame, facts: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Order accounts by expected loss: churn probability at `horizon_days` x ARR.

    Returns
    -------
    pandas.DataFrame
        `facts`, with status as the scores have it, probability, band, expected_loss (money a
        year) and position (1 = first; null for accounts that the churn model did not score), in
        order of account_id.

    Raises
    ------
    ModelError
        If no account was scored, or churn was not at that horizon.
    """
    if not (scores["status"] == "scored").any():
        raise ModelError(
            "Expected accounts that were active at the scored date, got none. "
            "Score a date at which subscriptions run."
        )
    at_horizon = scores[(scores["model"] == "churn") & (scores["horizon_days"] == horizon_days)]
    if at_horizon.empty:
        raise ModelError(
            f"Expected churn scores at {horizon_days} days for the work list, got none. "
            "Set worklist_horizon_days to a horizon of the model, or promote a churn model."
        )
    listed = facts.drop(columns="status").merge(
        at_horizon[["account_id", "status", "probability", "band"]], on="account_id", how="left"
    )
    listed["expected_loss"] = listed["probability"] * listed["arr"]
    ordered = listed.dropna(subset=["expected_loss"]).sort_values(
        ["expected_loss", "account_id"], ascending=[False, True]
    )
    position = pd.Series(range(1, len(ordered) + 1), index=ordered.index, dtype="Int64")
    listed["position"] = position.reindex(listed.index)
    return listed.sort_values("account_id", ignore_index=True)


def _text_or_none(values: pd.Series | None, rows: int) -> pd.Series:
    if values is None:
        return pd.Series([None] * rows, dtype=object)
    text = values.astype(object)
    return text.where(values.notna(), None)
