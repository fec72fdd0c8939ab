"""What is measured: each form, at which sizes, and the figures that are to be reached."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SMALL, LARGE, BOOK, SAMPLE = 5_000_000, 50_000_000, 3_700_000, 0
"""Numbers of events; the sample company draws its own."""


@dataclass(frozen=True)
class Form:
    """Something to measure, in a process of its own.

    Parameters
    ----------
    name
        As the page calls it.
    run
        `module:function` below benchmarks; a child imports no more than that.
    sizes
        The logs that it is measured on.
    ready
        What is to be done before, unmeasured.
    rows
        Whether it gives the usage features, from the log, the accounts and the snapshots; else it
        is given the folder of the size, or what lies in it.
    reads
        What in that folder.
    """

    name: str
    run: str
    sizes: tuple[int, ...] = (SMALL, LARGE)
    ready: str | None = None
    rows: bool = True
    reads: str = ""


SCAN = "DuckDB, bare scan"
OURS = "Tenure, as it comes (DuckDB)"
JOIN = "DuckDB, range join"
NEW_DAY, REBUILD = "Tenure, one new day", "Tenure, everything anew"
TABLE, ALL = "Tenure, training table", "Tenure, every feature"

FORMS = (
    Form(SCAN, "by_scan:bare_scan", rows=False, reads="usage_events"),
    Form(OURS, "ours:on_duckdb"),
    Form("Tenure, as it comes (Polars)", "ours:on_polars"),
    Form("Tenure, by definition on DuckDB", "ours:as_defined_on_duckdb", (SMALL,)),
    Form("Tenure, by definition on Polars", "ours:as_defined_on_polars", (SMALL,)),
    Form("Tenure, by definition on Spark", "ours:as_defined_on_spark", (SMALL,)),
    Form(JOIN, "by_duckdb:range_join"),
    Form("DuckDB, account x day first", "by_duckdb:by_day"),
    Form("Polars, snapshot by snapshot", "by_polars:by_snapshot"),
    Form("pandas, snapshot by snapshot", "by_pandas:by_snapshot", (SMALL,)),
    Form(NEW_DAY, "new_day:new_day", (LARGE,), "new_day:ready_new_day", rows=False),
    Form(REBUILD, "new_day:rebuild", (LARGE,), "new_day:ready_rebuild", rows=False),
    Form(TABLE, "training_table:training_table", (BOOK,), "training_table:ready", rows=False),
    Form(ALL, "everything:everything", (SAMPLE,), "everything:ready", rows=False),
)


@dataclass(frozen=True)
class Figure:
    """A figure to reach.

    Parameters
    ----------
    name, target
        What it is, and what it has to be.
    value
        Computes it from the median CPU seconds and megabytes by (form, size); higher than `limit`
        is not reached.
    limit
        The most that it may be.
    shown
        How it is written.
    """

    name: str
    target: str
    value: Callable[[Mapping[tuple[str, int], float], Mapping[tuple[str, int], float]], float]
    limit: float
    shown: str = "{:.2f}"


FIGURES = (
    Figure(
        "Our default path against the bare DuckDB scan, 50 M events",
        "at most 4 times",
        lambda cpu, _: cpu[OURS, LARGE] / cpu[SCAN, LARGE],
        4.0,
        "{:.2f} times",
    ),
    Figure(
        "Our default path against the DuckDB range join, 50 M events",
        "at most an eighth",
        lambda cpu, _: cpu[OURS, LARGE] / cpu[JOIN, LARGE],
        1 / 8,
        "{:.3f}",
    ),
    Figure(
        "Peak memory at 50 M events",
        "at most 1 GB",
        lambda _, mb: mb[OURS, LARGE] / 1000,
        1.0,
        "{:.2f} GB",
    ),
    Figure(
        "Peak memory at 50 M events against 5 M",
        "no more (10 % allowed)",
        lambda _, mb: mb[OURS, LARGE] / mb[OURS, SMALL],
        1.1,
        "{:.2f} times",
    ),
    Figure(
        "CPU at 50 M events against 5 M",
        "at most 5 times",
        lambda cpu, _: cpu[OURS, LARGE] / cpu[OURS, SMALL],
        5.0,
        "{:.2f} times",
    ),
    Figure(
        "One new day and one date on 50 M events, against everything anew and the same date",
        "under 3 %",
        lambda cpu, _: 100 * cpu[NEW_DAY, LARGE] / cpu[REBUILD, LARGE],
        3.0,
        "{:.1f} %",
    ),
    Figure(
        "3.7 M events to a training table, CPU",
        "under 6 s",
        lambda cpu, _: cpu[TABLE, BOOK],
        6.0,
        "{:.1f} s",
    ),
    Figure(
        "3.7 M events to a training table, memory",
        "under 1 GB",
        lambda _, mb: mb[TABLE, BOOK] / 1000,
        1.0,
        "{:.2f} GB",
    ),
    Figure(
        "All features, 20,000 accounts, 24 snapshots, every table, CPU",
        "under 180 s",
        lambda cpu, _: cpu[ALL, SAMPLE],
        180.0,
        "{:.0f} s",
    ),
    Figure(
        "All features, 20,000 accounts, 24 snapshots, every table, memory",
        "under 4 GiB",
        lambda _, mb: mb[ALL, SAMPLE] / 1024,
        4.0,
        "{:.2f} GiB",
    ),
)
