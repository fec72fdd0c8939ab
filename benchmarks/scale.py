"""Write docs/scale.md: measured growth, the sizes at which to move, and a plan, all computed.

    python -m benchmarks.scale [--cache DIR] [--fold N ...] [--events N ...] [--spark N ...]

Run from the project's root. --fold are the sizes for the default path, --events those for the
other engines. A run that was measured is kept in the cache and not measured again.
"""

import argparse
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.figures import table
from benchmarks.growth import ENGINES, Run, measured
from benchmarks.usage import ACCOUNTS, AS_OFS

OUT = Path("docs/scale.md")
TEXT = Path(__file__).with_name("scale.md.template")
MILLION = 1_000_000
BILLION = 1_000 * MILLION
WINDOW_DAYS = 365
DAYS_A_MONTH = 365 / 12
PLANNED = (10 * MILLION, 100 * MILLION, BILLION, 10 * BILLION)
"""Events a month."""
CORES = 2
NIGHT_HOURS = 4.0
"""How long a full build may take."""
MEMORY_MB = 8_192
CORES_OF_A_WORKER = 16
PARTITION_BYTES = 128 * 2**20
"""What Spark reads in one task by default."""


@dataclass(frozen=True)
class Growth:
    """A straight line through an engine's runs: what it costs to start, and what an event costs."""

    runs: tuple[Run, ...]

    def _line(self, name: str) -> tuple[float, float]:
        events = [run.events for run in self.runs]
        slope, start = np.polyfit(events, [getattr(run, name) for run in self.runs], 1)
        return max(float(start), 0.0), max(float(slope), 0.0)

    @property
    def cpu_s(self) -> tuple[float, float]:
        """CPU seconds at no events, and for each event."""
        return self._line("cpu_s")

    @property
    def mb(self) -> tuple[float, float]:
        """Peak memory at no events, and for each event."""
        return self._line("mb")

    def events_within(self, cpu_s: float, mb: float) -> float:
        """Give how many events fit into so much CPU time and memory."""
        fits = [
            (most - start) / slope if slope else math.inf
            for most, (start, slope) in ((cpu_s, self.cpu_s), (mb, self.mb))
        ]
        return min(fits)


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    options = _options()
    growth = {
        engine: Growth(
            tuple(measured(options.cache, engine, events) for events in _sizes(engine, options))
        )
        for engine in ENGINES
    }
    OUT.write_text(page(growth), encoding="utf-8")
    print(f"{OUT} is written")


def _sizes(engine: str, options: argparse.Namespace) -> Sequence[int]:
    if engine == "spark":
        sizes = options.spark
    else:
        sizes = options.fold if engine == ENGINES[0] else options.events
    return tuple(sorted(sizes))


def page(growth: Mapping[str, Growth]) -> str:
    """Give the document."""
    largest = max(growth[ENGINES[0]].runs, key=lambda run: run.events)
    bytes_each = largest.log_bytes / largest.events
    ratio = growth["spark"].cpu_s[1] / growth[ENGINES[0]].cpu_s[1]
    return TEXT.read_text(encoding="utf-8").format(
        machine=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        versions=", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "pyspark")),
        accounts=f"{ACCOUNTS:,}",
        snapshots=len(AS_OFS),
        measured=_measured(growth),
        lines=_lines(growth),
        cores=CORES,
        night_hours=f"{NIGHT_HOURS:g}",
        memory_gib=f"{MEMORY_MB / 1024:g}",
        moves=_moves(growth),
        ratio=f"{ratio:,.0f}",
        worth_cores=f"{ratio * CORES:,.0f}",
        window_days=WINDOW_DAYS,
        bytes_each=f"{bytes_each:.0f}",
        worker_cores=CORES_OF_A_WORKER,
        plan=_plan(growth, bytes_each),
    )


def _measured(growth: Mapping[str, Growth]) -> str:
    rows = [
        (run.engine, f"{run.events:,}", f"{run.cpu_s:,.1f}", f"{run.mb:,.0f}")
        for each in growth.values()
        for run in each.runs
    ]
    return table(("engine", "events", "CPU seconds", "peak memory, MB"), rows)


def _lines(growth: Mapping[str, Growth]) -> str:
    rows = []
    for engine, each in growth.items():
        cpu, mb = each.cpu_s, each.mb
        cells = (cpu[0], cpu[1] * MILLION, mb[0], mb[1] * MILLION)
        rows.append((engine, *(f"{cell:,.1f}" for cell in cells)))
    head = ("engine", "CPU s to start", "CPU s a million events", "MB to start", "MB a million")
    return table(head, rows)


def _moves(growth: Mapping[str, Growth]) -> str:
    rows = []
    for engine, each in growth.items():
        if engine != "spark":
            most = each.events_within(NIGHT_HOURS * 3600 * CORES, MEMORY_MB)
            rows.append((engine, _short(most), _short(most / WINDOW_DAYS * DAYS_A_MONTH)))
    head = ("engine", "events kept, at most", "a month, with the longest window kept")
    return table(head, rows)


def _plan(growth: Mapping[str, Growth], bytes_each: float) -> str:
    """Give what each monthly volume takes."""
    here, spark = growth[ENGINES[0]].cpu_s[1], growth["spark"].cpu_s[1]
    rows = []
    for month in PLANNED:
        kept = month / DAYS_A_MONTH * WINDOW_DAYS
        day = month / DAYS_A_MONTH
        hours = kept * spark / 3600
        cores = max(1, math.ceil(hours / NIGHT_HOURS))
        rows.append(
            (
                _short(month),
                _short(kept),
                f"{kept * bytes_each / 2**40:,.2f}",
                f"{math.ceil(day * 7 * bytes_each / PARTITION_BYTES):,}",
                f"{kept * here / 3600 / CORES:,.1f}",
                f"{hours:,.0f}",
                f"{cores:,}",
                f"{math.ceil(cores / CORES_OF_A_WORKER):,}",
            )
        )
    head = (
        "events a month",
        "events kept",
        "TiB of Parquet",
        "parts a week",
        f"hours on {CORES} cores, default path",
        "core hours on Spark",
        f"cores for {NIGHT_HOURS:g} h",
        "workers",
    )
    return table(head, rows)


def _short(events: float) -> str:
    for size, name in ((BILLION, "billion"), (MILLION, "million")):
        if events >= size:
            return f"{events / size:,.1f} {name}"
    return f"{events:,.0f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    sizes: Sequence[int] = (500_000, 1_000_000, 2_000_000, 5_000_000)
    parser.add_argument("--fold", type=int, nargs="+", default=(*sizes, 10_000_000, 50_000_000))
    parser.add_argument("--events", type=int, nargs="+", default=sizes)
    parser.add_argument("--spark", type=int, nargs="+", default=sizes)
    return parser.parse_args()


if __name__ == "__main__":
    main()
