"""Which product is bought next: learned from purchases known at a border, judged on later ones."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.checked import CheckedSource
from models.holdings import held, names_of
from models.next_product import NextProducts
from models.question import Question
from training.heldout import Resampled
from training.labels import KINDS, purchases
from training.splits import known_days

Floats = NDArray[np.float64]

RANK, POPULAR = "next_product_rank", "next_product_rank_by_popularity"
FEWEST_PRODUCTS, MOST_PRODUCTS = 2, 100
NONE_TOLD = f"No next product is told: the source names one only, or more than {MOST_PRODUCTS}."
_SHOWN = (1, 3)


def with_products(source: CheckedSource, labels: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Tell rows of expansion what they paid for, what they bought next, what their rise was.

    Returns
    -------
    The rows with ``held`` and the columns of `training.labels.purchases`; as they were for another
    outcome, and of a source with one product, which leaves nothing to buy next, or with more than
    are a list that people choose from.
    """
    names = names_of(source)
    if question.outcome != "expansion" or not FEWEST_PRODUCTS <= len(names) <= MOST_PRODUCTS:
        return labels
    told = purchases(source, labels, question)
    had = held(source, labels[["account_id", "as_of"]], names)
    return told.merge(had, on=["account_id", "as_of"], how="left", validate="one_to_one")


def next_products_of(
    rows: pd.DataFrame, question: Question, border: datetime
) -> NextProducts | None:
    """Count what customers bought next, as it was known at a border.

    A purchase within the main horizon counts once, with what the customer had at the last date
    before it. None of a source without a list of products.
    """
    if "held" not in rows:
        return None
    known = known_days(rows, border, question) >= question.main_horizon_days
    once = _once(rows[known], question)
    seen = {name for names in rows.loc[known, "held"] for name in names}
    after: dict[tuple[str, ...], Counter[str]] = {}
    for had, name in zip(once["held"], once["next_product"], strict=True):
        after.setdefault(had, Counter())[name] += 1
    return NextProducts(
        products=tuple(sorted(seen | set(once["next_product"]))),
        bought=_counts(once["next_product"]),
        after=MappingProxyType(
            {
                had: MappingProxyType(dict(sorted(found.items())))
                for had, found in sorted(after.items())
            }
        ),
    )


def told_ranks(learned: NextProducts | None, rows: pd.DataFrame) -> dict[str, Floats]:
    """Give where the product that was bought next stood, by the counts and by popularity.

    1 is first; infinite where it was not named; NaN without a purchase.
    """
    if learned is None or "held" not in rows:
        return {}
    pairs = list(zip(rows["held"], rows["next_product"], strict=True))
    orders = {
        had: ([each.product for each in learned.ranked(had)], learned.popular(had))
        for had in {had for had, _ in pairs}
    }
    return {
        column: np.array([_place(orders[had][at], name) for had, name in pairs], dtype=float)
        for at, column in enumerate((RANK, POPULAR))
    }


def next_product_figures(rows: pd.DataFrame, question: Question) -> dict[str, Any]:
    """Give how often the product that came was named first, or among the first three.

    Parameters
    ----------
    rows
        Tested rows with a known outcome and the columns of `told_ranks`.

    Returns
    -------
    purchases (each once) and customers; told and popular: by ``hit_at_1`` and ``hit_at_3`` the
    share {value, low, high}; kinds: how many of the expansions were of which kind. Empty without a
    list of products.
    """
    if RANK not in rows:
        return {}
    once = _once(rows, question)
    drawn = Resampled.of(once["customer_group"].to_numpy(dtype=object))
    one = np.ones(len(once))
    return {
        "purchases": len(once),
        "customers": int(once["customer_group"].nunique()),
        **{
            way: {
                f"hit_at_{most}": drawn.ratio(np.where(once[column] <= most, 1.0, 0.0), one)
                for most in _SHOWN
            }
            for way, column in (("told", RANK), ("popular", POPULAR))
        },
        "kinds": kinds_of(rows, question),
    }


def products_told(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Say of a training's metrics what expansions were made of; of no other outcome anything."""
    if "next_product" not in figures:
        return ()
    found = figures["next_product"]
    if not found:
        return (NONE_TOLD,)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["kinds"].items())
    return (f"Expansions in the test period were made of: {kinds}.",)


def kinds_of(rows: pd.DataFrame, question: Question) -> dict[str, int]:
    """Count expansions within the main horizon by what they were made of, each once."""
    came = rows[rows["event_days"] < question.main_horizon_days]
    found = _each(came, "event_days")["kind"].value_counts()
    return {kind: int(found.get(kind, 0)) for kind in KINDS}


def _once(rows: pd.DataFrame, question: Question) -> pd.DataFrame:
    return _each(rows[rows["next_product_days"] < question.main_horizon_days], "next_product_days")


def _each(rows: pd.DataFrame, days: str) -> pd.DataFrame:
    """Keep of the rows that saw the same event come the last."""
    moment = (rows["as_of"] + pd.to_timedelta(rows[days], unit="D")).dt.round("s")
    last = rows.assign(moment=moment).sort_values("as_of", kind="stable")
    return last.drop_duplicates(["account_id", "moment"], keep="last")


def _counts(names: Iterable[str]) -> MappingProxyType[str, int]:
    return MappingProxyType(dict(sorted(Counter(names).items())))


def _place(order: Iterable[str], name: object) -> float:
    if not isinstance(name, str):
        return np.nan
    return next((float(at) for at, each in enumerate(order, 1) if each == name), np.inf)
