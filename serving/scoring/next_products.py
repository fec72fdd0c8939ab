"""The further product that each account is likeliest to take up next, and why."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from features.checked import CheckedSource
from models.bundle import Bundle
from models.holdings import held
from models.next_product import NextProducts

FIELDS = (
    ("account_id", pa.string()),
    ("product", pa.string()),
    ("share", pa.float64()),
    ("text", pa.string()),
)
COLUMNS = tuple(name for name, _ in FIELDS)


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
    learned = learned_of(bundles)
    if learned is None:
        return nothing()
    active = states.loc[states["status"] == "active", ["account_id", "as_of"]]
    had = held(source, active, learned.products).sort_values("account_id")
    return told(learned, had)


def learned_of(bundles: Mapping[str, Bundle]) -> NextProducts | None:
    """Give what the model of expansion learned of purchases, if there is one and it did."""
    expansion = bundles.get("expansion")
    return None if expansion is None else expansion.next_products


def told(learned: NextProducts, had: pd.DataFrame) -> pd.DataFrame:
    """Give what `next_products` gives, in the order of rows of account_id and held (a tuple)."""
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
