"""The contract of a score: serving writes it, training reads it back.

One row is one account, date, model and horizon. An account that cannot be scored has its rows
too, with a status that says why, no probability and no band, so that it is never shown as low.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ModelError

STATUSES = ("scored", "leaving", "inactive", "no_data")
MODELS = ("churn", "expansion", "contraction")
BANDS = ("high", "medium", "low")
KEY = ("account_id", "as_of", "model", "horizon_days")
FIELDS = (
    ("account_id", pa.string()),
    ("as_of", pa.timestamp("us")),
    ("scored_at", pa.timestamp("us")),
    ("status", pa.string()),
    ("model", pa.string()),
    ("model_version", pa.string()),
    ("features_version", pa.string()),
    ("horizon_days", pa.int64()),
    ("probability", pa.float64()),
    ("band", pa.string()),
    ("rank", pa.int64()),
    (
        "reasons",
        pa.list_(
            pa.struct(
                [
                    ("feature", pa.string()),
                    ("value", pa.float64()),
                    ("effect", pa.float64()),
                    ("text", pa.string()),
                ]
            )
        ),
    ),
    ("expected_added_mrr", pa.float64()),
)
COLUMNS = tuple(name for name, _ in FIELDS)
_ALWAYS = ("account_id", "as_of", "scored_at", "status", "model", "horizon_days", "reasons")
_WHEN_SCORED = ("model_version", "features_version", "probability", "band", "rank")
_NEVER_UNSCORED = ("probability", "band", "rank", "expected_added_mrr")


def check_scores(scores: pd.DataFrame) -> None:
    """Hold a scores table against the contract.

    Parameters
    ----------
    scores:
        One row per account_id, as_of, model and horizon_days.

    Raises
    ------
    ModelError
        Naming the rule and the first account that breaks it.
    """
    frame: pd.DataFrame = _typed(scores).to_pandas()
    scored = frame["status"] == "scored"
    for column in _ALWAYS:
        _refuse(frame, frame[column].isna(), f"{column} in each row, got none")
    for column in _WHEN_SCORED:
        _refuse(frame, scored & frame[column].isna(), f"{column} in a scored row, got none")
    for column in _NEVER_UNSCORED:
        broken = ~scored & frame[column].notna()
        _refuse(frame, broken, f"no {column} in a row that is not scored, got one")
    for column, allowed in (("status", STATUSES), ("model", MODELS), ("band", BANDS)):
        broken = frame[column].notna() & ~frame[column].isin(allowed)
        _refuse(frame, broken, f"{column} to be one of {', '.join(allowed)}, got something else")
    _refuse(frame, scored & ~frame["probability"].between(0, 1), "a probability from 0 to 1")
    _refuse(frame, scored & np.isinf(frame["expected_added_mrr"]), "a finite expected_added_mrr")
    _refuse(frame, frame["horizon_days"] < 1, "a horizon of at least one day")
    _refuse(frame, frame.duplicated(list(KEY)), f"one row per {', '.join(KEY)}, got a second one")
    _check_ranks(frame[scored])
    _check_horizons(frame[scored])


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Check a scores table and write it as Parquet: aside, synced, renamed.

    Raises
    ------
    ModelError
        If the table breaks the contract; then nothing is written.
    """
    check_scores(scores)
    write_whole(_typed(scores), path)


def write_whole(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet so that nobody ever reads half of it: aside, synced, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_scores(path: Path) -> pd.DataFrame:
    """Read a scores file and check it.

    Returns
    -------
    pandas.DataFrame
        The contract's columns; ``rank`` is Int64, ``reasons`` a list of dicts.

    Raises
    ------
    ModelError
        If the file is missing, is no Parquet file or breaks the contract.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ModelError(f"Expected scores at {path}, got: {error}. Run tenure score.") from error
    scores = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    scores["reasons"] = [list(reasons) for reasons in table.column("reasons").to_pylist()]
    check_scores(scores)
    ordered: pd.DataFrame = scores.loc[:, list(COLUMNS)].astype({"horizon_days": "int64"})
    return ordered


def _typed(scores: pd.DataFrame) -> pa.Table:
    missing = [name for name in COLUMNS if name not in scores.columns]
    foreign = [str(name) for name in scores.columns if name not in COLUMNS]
    if missing or foreign:
        raise ModelError(
            f"Expected the columns {', '.join(COLUMNS)} in scores, "
            f"got {missing or 'none'} missing and {foreign or 'none'} besides."
        )
    for column in ("as_of", "scored_at"):
        if isinstance(scores[column].dtype, pd.DatetimeTZDtype):
            raise ModelError(
                f"Expected {column} in UTC without a zone, got {scores[column].dtype}."
            )
    try:
        return pa.Table.from_pandas(
            scores.loc[:, list(COLUMNS)], schema=pa.schema(FIELDS), preserve_index=False
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ModelError(f"Expected the types of scores, got: {error}.") from error


def _refuse(frame: pd.DataFrame, broken: "pd.Series[bool]", expected: str) -> None:
    if broken.any():
        row = frame[broken].iloc[0]
        raise ModelError(
            f"Expected {expected}, at account {row['account_id']}, {row['model']}, "
            f"{row['horizon_days']} days ({int(broken.sum())} rows in all)."
        )


def _check_ranks(scored: pd.DataFrame) -> None:
    by = ["as_of", "model", "horizon_days", "rank"]
    ordered = scored.sort_values(by)
    groups = ordered.groupby(by[:-1])
    expected = groups.cumcount() + 1
    _refuse(ordered, ordered["rank"] != expected, "ranks 1, 2, 3 … within date, model and horizon")
    rises = groups["probability"].diff() > 0
    _refuse(ordered, rises, "rank 1 for the highest probability and so on down")


def _check_horizons(scored: pd.DataFrame) -> None:
    by = ["account_id", "as_of", "model", "horizon_days"]
    ordered = scored.sort_values(by)
    falls = ordered.groupby(by[:-1])["probability"].diff() < 0
    _refuse(ordered, falls, "a probability that never falls as the horizon grows")
