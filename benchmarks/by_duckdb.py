"""The figures in hand-written DuckDB SQL; frozen before Tenure's own fold was tuned."""

from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.asked import COUNTS, LONGEST, THREADS, WINDOWS, Accounts, AsOfs
from benchmarks.usage import EVENTS

_FILTERED = ",\n".join(
    [
        *(f"count(*) FILTER (age <= {d}) AS events_{d}d" for d in WINDOWS),
        *(f"count(DISTINCT user_id) FILTER (age <= {d}) AS users_{d}d" for d in WINDOWS),
        "count(DISTINCT event) AS event_types_90d",
        *(f"count(*) FILTER (age <= 28 AND event = '{e}') AS {e}_28d" for e in EVENTS),
        "count(*) FILTER (age > 28 AND age <= 56) AS before_28d",
    ]
)
_FINAL = f"""
    SELECT account_id, as_of, {", ".join(f"coalesce({name}, 0) AS {name}" for name in COUNTS)},
        date_diff('day', last_day, as_of::DATE) AS days_since_last_event,
        CASE WHEN before_28d > 0 THEN (events_28d - before_28d) / before_28d::DOUBLE END AS trend
    FROM spine
    LEFT JOIN measured USING (account_id, as_of)
    ASOF LEFT JOIN last_days ON spine.account_id = last_days.account_id AND as_of::DATE > last_day
"""  # noqa: S608 - made of the names above


def _connect(log: Path, accounts: Accounts, as_ofs: AsOfs) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.execute(f"CREATE VIEW events AS FROM read_parquet('{log}/*.parquet')")
    connection.register("accounts", pd.DataFrame({"account_id": list(accounts)}))
    connection.register("as_ofs", pd.DataFrame({"as_of": list(as_ofs)}))
    connection.execute("CREATE TABLE spine AS FROM accounts CROSS JOIN as_ofs")
    return connection


def range_join(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Join each snapshot with the events of its longest window, and aggregate with filters."""
    connection = _connect(log, accounts, as_ofs)
    connection.execute(
        f"""CREATE TEMP TABLE measured AS
        SELECT account_id, as_of, {_FILTERED} FROM (
            SELECT account_id, user_id, event, as_of,
                date_diff('day', occurred_at::DATE, as_of::DATE) AS age
            FROM events JOIN as_ofs
            ON occurred_at < as_of AND occurred_at >= as_of - INTERVAL {LONGEST} DAY
        ) GROUP BY account_id, as_of"""  # noqa: S608 - made of the names above
    )
    connection.execute(
        "CREATE TEMP TABLE last_days AS "
        "SELECT DISTINCT account_id, occurred_at::DATE AS last_day FROM events"
    )
    return connection.execute(_FINAL).df()


def by_day(log: Path, accounts: Accounts, as_ofs: AsOfs) -> pd.DataFrame:
    """Aggregate the log to account x day x event, and to account x day x user, and join those."""
    connection = _connect(log, accounts, as_ofs)
    connection.execute(
        "CREATE TEMP TABLE days AS SELECT account_id, event, occurred_at::DATE AS day, "
        "count(*) AS n FROM events GROUP BY ALL"
    )
    connection.execute(
        "CREATE TEMP TABLE user_days AS SELECT DISTINCT account_id, user_id, "
        "occurred_at::DATE AS day FROM events"
    )
    joined = f"""JOIN as_ofs ON day < as_of AND day >= as_of - INTERVAL {LONGEST} DAY
        GROUP BY account_id, as_of"""
    age = "date_diff('day', day, as_of::DATE)"
    within = {f"events_{d}d": f"{age} <= {d}" for d in WINDOWS}
    within |= {f"{e}_28d": f"{age} <= 28 AND event = '{e}'" for e in EVENTS}
    within |= {"before_28d": f"{age} > 28 AND {age} <= 56"}
    sums = [f"coalesce(sum(n) FILTER ({w}), 0) AS {name}" for name, w in within.items()]
    users = [f"count(DISTINCT user_id) FILTER ({age} <= {d}) AS users_{d}d" for d in WINDOWS]
    connection.execute(
        f"""CREATE TEMP TABLE measured AS SELECT * FROM
        (SELECT account_id, as_of, {", ".join(sums)}, count(DISTINCT event) AS event_types_90d
         FROM days {joined})
        JOIN (SELECT account_id, as_of, {", ".join(users)} FROM user_days {joined})
        USING (account_id, as_of)"""  # noqa: S608 - made of the names above
    )
    connection.execute(
        "CREATE TEMP TABLE last_days AS SELECT DISTINCT account_id, day AS last_day FROM days"
    )
    return connection.execute(_FINAL).df()
