"""Which accounts there are at a snapshot, and in what state."""

from collections.abc import Iterable
from datetime import date, datetime

import pandas as pd

from features.checked import CheckedSource
from features.engine import Engine


def account_states(
    source: CheckedSource,
    dates: Iterable[date | datetime],
    *,
    engine: Engine = Engine.DUCKDB,
) -> pd.DataFrame:
    """Give each account's state just before 00:00 UTC of each date.

    Returns
    -------
    pandas.DataFrame
        One row for each account known at the date, sorted by as_of, account_id: account_id, as_of,
        status ("active", "leaving", "inactive", "no_data"), mrr (currency per month),
        customer_group (the topmost parent known at as_of), term_ends_at (the earliest end of a
        running signed term, NaT if none), term_months (the shortest running one, NaN if none).
        From the merge on, the vanished account has no row.
    """
    raise NotImplementedError
