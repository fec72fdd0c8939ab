"""Who to speak to first: accounts in order of the money that is likely to leave. Pure."""

import pandas as pd


def account_facts(accounts: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Join what people know an account by to its contract at the scored date.

    Parameters
    ----------
    accounts:
        The source's ``accounts`` table; name, tier and csm may be absent.
    states:
        `features.spine.account_states` of one date.

    Returns
    -------
    pandas.DataFrame
        One row per account of `states`: account_id, name, tier, csm (str or None), status,
        customer_group, arr (money a year, 12 x MRR), renews_at (NaT where no term ends).
    """
    raise NotImplementedError


def rank(scores: pd.DataFrame, facts: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Order accounts by expected loss: churn probability at `horizon_days` x ARR.

    Returns
    -------
    pandas.DataFrame
        `facts` with probability, band, expected_loss (money a year) and position (1 = first;
        null for accounts that are not scored by the churn model).
    """
    raise NotImplementedError
