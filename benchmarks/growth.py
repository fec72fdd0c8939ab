"""Measure how CPU time and memory grow with the log, engine by engine: a process for each run."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.charged import charged
from benchmarks.usage import account_names, as_of_times

DEFINITION = "duckdb, without the fold"
ENGINES = ("duckdb", DEFINITION, "polars, without the fold", "spark")
"""The default path, then the readable definition on each engine."""


@dataclass(frozen=True)
class Run:
    """One measured run: CPU seconds of all its processes, and the sum of their peak memory."""

    engine: str
    events: int
    cpu_s: float
    mb: float
    log_bytes: int


def log_of(cache: Path, events: int) -> Path:
    """Give the folder of a log of so many events, made if it is not there."""
    log = cache / "growth" / f"{events}" / "usage_events"
    if not (log / "_written").exists():
        from benchmarks.usage_log import write_log  # noqa: PLC0415 - no child shall pay for it

        write_log(log, events)
    return log


def measured(cache: Path, engine: str, events: int) -> Run:
    """Measure a run, or give what was measured before."""
    log = log_of(cache, events)
    kept = log.parent / f"{engine}.json"
    if not kept.exists():
        command = [sys.executable, "-m", "benchmarks.growth", "--child", engine]
        cost = charged([*command, "--events", str(events), "--cache", str(cache)])
        size = sum(part.stat().st_size for part in log.glob("*.parquet"))
        kept.write_text(json.dumps(asdict(Run(engine, events, **asdict(cost), log_bytes=size))))
        print(kept.read_text(), flush=True)
    return Run(**json.loads(kept.read_text()))


def _child(engine: str, events: int, cache: Path) -> None:
    from benchmarks.ours import by_engine  # noqa: PLC0415 - the child's own work
    from features.engine import Engine  # noqa: PLC0415 - as above

    name, _, without = engine.partition(",")
    fold = False if without else None
    by_engine(log_of(cache, events), account_names(), as_of_times(), engine=Engine(name), fold=fold)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", choices=ENGINES, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    _child(options.child, options.events, options.cache)
