"""The further product that each account is likeliest to take up next, and why."""

from collections.abc import Mapping

import pandas as pd

from features.checked import CheckedSource
from models.bundle import Bundle
from models.holdings import held

COLUMNS = ("account_id", "product", "share", "text")


def next_products(
    bundles: Mapping[str, Bundle], source: CheckedSource, states: pd.DataFrame
) -> pd.DataFrame:
    """Name the next product of each active account, by the model of expansion.

    Parameters
    ----------
    bundles
        Models by name.
    states
        `features.spine.account_states` of one date.

    Returns
    -------
    One row per account that has not all products which were ever bought next, in order of
    account_id: `COLUMNS`. share (0 to 1) is that of the product among those that it has not; text
    says on which purchases it rests. No row without a model of expansion, nor from one that
    learned of one product only, or of none.
    """
    expansion = bundles.get("expansion")
    learned = None if expansion is None else expansion.next_products
    if learned is None:
        return nothing()
    active = states.loc[states["status"] == "active", ["account_id", "as_of"]]
    had = held(source, active, learned.products).sort_values("account_id")
    ranked = [learned.ranked(names)[:1] for names in had["held"]]
    rows = [
        (account_id, best.product, best.share, best.text)
        for account_id, first in zip(had["account_id"], ranked, strict=True)
        for best in first
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def nothing() -> pd.DataFrame:
    """Give no rows."""
    return pd.DataFrame(columns=list(COLUMNS))
