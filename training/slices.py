"""Parts of a customer base, to see where a model works: by tier, segment, age, contract, touch."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.checked import CheckedSource
from training import touched

Booleans = NDArray[np.bool_]

TRAITS = ("tier", "segment", "region", "csm")
TENURE = "lifecycle__tenure_days"
COLD_START = "cold start, under 90 days"
AGES = ((90, COLD_START), (365, "under a year"), (730, "one to two years"))
OLDEST, UNKNOWN, OTHERS = "two years and more", "unknown", "others"
MOST = 12
TOUCHED = f"touched in the {touched.DAYS} days before"
NOT_TOUCHED = "not touched"


def described(rows: pd.DataFrame, source: CheckedSource) -> pd.DataFrame:
    """Add what the CRM says of each account today: tier, segment, region and csm, NaN if unknown.

    They serve to part the figures, and as nobody's feature: the CRM overwrites them.
    """
    accounts = (
        source.newest("accounts") if source.has("accounts") else pd.DataFrame({"account_id": []})
    )
    named = accounts.drop_duplicates("account_id", keep="last").set_index("account_id")
    named = named.reindex(columns=list(TRAITS)).astype(object)
    found = named.reindex(rows["account_id"].to_numpy())
    return rows.assign(**{name: found[name].to_numpy(dtype=object) for name in TRAITS})


def slices(rows: pd.DataFrame, horizon_days: int) -> dict[str, dict[str, Booleans]]:
    """Mark who is in which part, by what parts them; each row is in one part of each.

    Parameters
    ----------
    rows
        As `described` gives them, with as_of, term_ends_at, term_months, and `touched`, as
        `training.touched.touched` gives it.
    horizon_days
        Parts contracts: which can end within it.
    """
    labels = {name: _common(rows[name]) for name in ("tier", "segment", "region")}
    labels |= {"age": _age(rows), "contract": _contract(rows, horizon_days)}
    labels["touch"] = _touch(rows)
    return {
        name: {str(part): np.asarray(of == part) for part in sorted(set(of))}
        for name, of in labels.items()
    }


def _common(values: pd.Series) -> NDArray[np.object_]:
    """Name what is missing, and put the rarest values together."""
    named = values.where(values.notna(), UNKNOWN).astype(str)
    kept = named.value_counts().index[:MOST]
    return np.asarray(named.where(named.isin(kept), OTHERS).to_numpy(dtype=object))


def _age(rows: pd.DataFrame) -> NDArray[np.object_]:
    missing = pd.Series(np.nan, index=rows.index)
    days = pd.to_numeric(rows.get(TENURE, missing)).to_numpy(dtype=float, na_value=np.nan)
    named = np.full(len(rows), OLDEST, dtype=object)
    for under, name in reversed(AGES):
        named[days < under] = name
    named[np.isnan(days)] = UNKNOWN
    return named


def _touch(rows: pd.DataFrame) -> NDArray[np.object_]:
    is_touched = rows["touched"].to_numpy(dtype=float)
    named = np.where(is_touched > 0, TOUCHED, NOT_TOUCHED).astype(object)
    named[np.isnan(is_touched)] = UNKNOWN
    return named


def _contract(rows: pd.DataFrame, horizon_days: int) -> NDArray[np.object_]:
    months = rows["term_months"].to_numpy(dtype=float, na_value=np.nan)
    ends = (rows["term_ends_at"] - rows["as_of"]).dt.total_seconds().to_numpy(dtype=float) / 86_400
    named = np.where(ends < horizon_days, "term ends within the horizon", "term ends later")
    named = np.where(np.isnan(ends), "no end of a term known", named)
    return np.where(months <= 1, "monthly", named).astype(object)
