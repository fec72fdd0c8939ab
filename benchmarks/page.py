"""docs/benchmarks.md, from what was measured."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.figures import table
from benchmarks.forms import FIGURES, FORMS, Figure
from benchmarks.usage import ACCOUNTS, AS_OFS, DAYS, EVENTS

Runs = Mapping[tuple[str, int], Sequence[Mapping[str, float]]]
Medians = dict[tuple[str, int], float]
ENOUGH = 5
LIBRARIES = ("duckdb", "polars", "pandas", "pyarrow", "narwhals", "numba", "numpy")

HEAD = """# Benchmarks

Written by `make benchmark`, never by hand. CPU seconds are user and system time of a process of its
own, from its start to its end, imports included, and all of them collect garbage as rarely as the
`tenure` command does; memory is its largest resident set. Figures are
medians over the runs, which alternate between the forms.

The log: {accounts:,} accounts over {days} days, {kinds} kinds of event, Parquet in parts by month,
rows in order of time. The forms compute, for {as_ofs} month ends, counts and exact distinct users
over 7, 28 and 90 days, distinct kinds, days since the last event, the trend over 28 days and the
counts of each kind, strictly before each date; all results are equal. The hand-written forms are in
`benchmarks/by_duckdb.py`, `by_polars.py` and `by_pandas.py`, and were frozen before the fold of
Tenure was tuned. A form *by definition* runs the features' readable definition without the fold.
Spark is charged with all processes that it starts; [scale](scale.md) has it over four sizes.
"""


def page(runs: Runs) -> str:
    """Write the page."""
    counts = {"accounts": ACCOUNTS, "days": DAYS, "kinds": len(EVENTS), "as_ofs": len(AS_OFS)}
    parts = [HEAD.format(**counts), _machine(), "## Figures to reach\n", _figures(runs), ""]
    return "\n".join([*parts, "## All that was measured\n", _measured(runs), ""])


def _machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Machine: {cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}; "
        f"Python {platform.python_version()}, {found}.\n"
    )


def _figures(runs: Runs) -> str:
    cpu: Medians = {}
    mb: Medians = {}
    for key, measured in runs.items():
        if measured:
            cpu[key] = median(run["cpu_s"] for run in measured)
            mb[key] = median(run["mb"] for run in measured)
    rows = [_figure(figure, cpu, mb) for figure in FIGURES]
    return table(("figure", "to reach", "measured", "reached"), rows)


def _figure(figure: Figure, cpu: Medians, mb: Medians) -> list[str]:
    try:
        value = figure.value(cpu, mb)
    except KeyError:
        return [figure.name, figure.target, "not measured yet", ""]
    reached = "yes" if value <= figure.limit else "**no**"
    return [figure.name, figure.target, figure.shown.format(value), reached]


def _measured(runs: Runs) -> str:
    rows = []
    for form in FORMS:
        for size in form.sizes:
            measured = runs[form.name, size]
            if measured:
                cpu = sorted(run["cpu_s"] for run in measured)
                shown = f"{median(cpu):.2f} ({cpu[0]:.2f} to {cpu[-1]:.2f})"
                mb = f"{median(run['mb'] for run in measured):,.0f}"
                few = "" if len(measured) >= ENOUGH else ", too few"
                events = f"{size:,}" if size else "sample company"
                rows.append([form.name, events, shown, mb, f"{len(measured)}{few}"])
    return table(("form", "events", "CPU s (least to most)", "MB", "runs"), rows)
