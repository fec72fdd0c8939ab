"""How much each account used the product, week by week: what a line beside its name shows."""

import narwhals as nw
import pandas as pd

from features.build import feature_table
from features.checked import CheckedSource
from features.daily import EVENT_DAYS
from features.declare import Facts, Feature, Text, Total, Unit
from features.engine import Engine

WEEKS = 26
_EVENTS = Facts(EVENT_DAYS, at="used_at", uses=("events",))


def weekly_use(
    source: CheckedSource, states: pd.DataFrame, *, engine: Engine = Engine.DUCKDB
) -> pd.DataFrame:
    """Give the events of each of the last weeks before 00:00 UTC of each date.

    Built as features are: an event counts from when it was known, and with the account that its
    own was merged into.

    Parameters
    ----------
    states
        account_id and as_of; of rows with a status only the active ones count.

    Returns
    -------
    pandas.DataFrame
        One row per account and date: account_id, as_of, and a column for each week, 0 to 25, the
        oldest first, each of seven days up to the date. No column where the source has no log.
    """
    weeks = _weeks() if source.has("usage_events") else ()
    table = feature_table(source, states, engine=engine, features=weeks)
    return table.set_axis(["account_id", "as_of", *range(len(weeks))], axis="columns")


def _weeks() -> tuple[Feature, ...]:
    """Declare the events of each week, the oldest first."""
    return tuple(
        Feature(
            "weekly_use",
            f"week_{back}",
            Total(_EVENTS, nw.col("events"), back=back),
            Unit.EVENTS,
            subject="usage volume",
            description=f"Events in the week that ended {back} weeks ago.",
            text=Text("{value} [event|events] in a week"),
            window_days=7,
        )
        for back in reversed(range(WEEKS))
    )
