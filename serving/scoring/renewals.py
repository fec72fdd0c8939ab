"""The next renewal of each account under a term: when, its notice deadline, how likely."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from models.bundle import Bundle
from models.scored import write_whole

NOTICE = "lifecycle__days_to_notice_deadline"
FIELDS = (
    ("account_id", pa.string()),
    ("as_of", pa.timestamp("us")),
    ("renewal_date", pa.timestamp("us")),
    ("notice_deadline", pa.timestamp("us")),
    ("renewal_probability", pa.float64()),
)
COLUMNS = tuple(name for name, _ in FIELDS)


def renewals(
    bundles: Mapping[str, Bundle], scores: pd.DataFrame, table: pd.DataFrame, states: pd.DataFrame
) -> pd.DataFrame:
    """Give the next renewals, as the churn probabilities that were scored have them.

    Parameters
    ----------
    bundles
        Models by name.
    scores, table, states
        As `serving.scoring.score.score` gives and takes them, of one date.

    Returns
    -------
    One row per account whose signed term ends, in order of account_id: `COLUMNS`. notice_deadline
    (NaT where none is known) is the earliest last day for notice of the terms that run; it lies
    before as_of once it has passed. renewal_probability (0 to 1) is that of no churn by the end of
    the day on which the term ends, NaN beyond the longest horizon and for what was not scored.
    """
    return told_renewals(bundles.get("churn"), _scored(scores), table, states)


def told_renewals(
    churn: Bundle | None, said: pd.DataFrame, table: pd.DataFrame, states: pd.DataFrame
) -> pd.DataFrame:
    """Give what `renewals` gives, from the probabilities of churn of accounts that have a row.

    Parameters
    ----------
    churn
        The model; without one there are dates and no probabilities.
    said
        Indexed by account_id, a column for each horizon.
    table, states
        As `renewals` takes them.
    """
    ending = states.loc[states["term_ends_at"].notna(), ["account_id", "as_of", "term_ends_at"]]
    found = ending.rename(columns={"term_ends_at": "renewal_date"})
    found = found.sort_values("account_id", ignore_index=True)
    by_account = table.set_index("account_id")
    if NOTICE in by_account:
        days = found["account_id"].map(by_account[NOTICE].astype("float64"))
        found["notice_deadline"] = found["as_of"] + pd.to_timedelta(days, unit="D")
    else:
        found["notice_deadline"] = pd.NaT
    found["renewal_probability"] = found["account_id"].map(_renewed(churn, said, by_account))
    times = dict.fromkeys(("renewal_date", "notice_deadline"), "datetime64[us]")
    return found.astype({**times, "renewal_probability": "float64"})[list(COLUMNS)]


def write_renewals(renewals: pd.DataFrame, path: Path) -> None:
    """Write the next renewals as Parquet."""
    schema = pa.schema(FIELDS)
    write_whole(pa.Table.from_pandas(renewals, schema=schema, preserve_index=False), path)


def _scored(scores: pd.DataFrame) -> pd.DataFrame:
    """Give the probabilities of churn that were scored, by account and horizon."""
    scored = scores[(scores["model"] == "churn") & (scores["status"] == "scored")]
    return scored.pivot_table(index="account_id", columns="horizon_days", values="probability")


def _renewed(
    churn: Bundle | None, said: pd.DataFrame, by_account: pd.DataFrame
) -> "pd.Series[float]":
    if churn is None:
        return pd.Series(dtype="float64")
    probabilities = said[list(churn.question.horizons_days)].to_numpy(dtype=float)
    renewed = churn.renewal_probabilities(by_account.loc[said.index], probabilities)
    return pd.Series(renewed, index=said.index)
