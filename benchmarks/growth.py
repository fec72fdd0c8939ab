"""Measure how CPU time and memory grow with the log, engine by engine: a process for each run."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from benchmarks.usage import account_names, as_of_times

ROOT = Path(__file__).resolve().parent.parent
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
        command += ["--events", str(events), "--cache", str(cache)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        cost = json.loads(done.stdout.splitlines()[-1])
        size = sum(part.stat().st_size for part in log.glob("*.parquet"))
        kept.write_text(json.dumps(asdict(Run(engine, events, **cost, log_bytes=size))))
        print(kept.read_text(), flush=True)
    return Run(**json.loads(kept.read_text()))


def _child(engine: str, events: int, cache: Path) -> None:
    from benchmarks.ours import checked_log, declared  # noqa: PLC0415 - the child's own work
    from features.build import feature_table  # noqa: PLC0415 - as above
    from features.engine import Engine, session  # noqa: PLC0415 - as above

    name, _, without = engine.partition(",")
    source = checked_log(log_of(cache, events))
    points = pd.MultiIndex.from_product(
        [account_names(), as_of_times()], names=["account_id", "as_of"]
    ).to_frame(index=False)
    states = points.astype({"as_of": "datetime64[us]"})
    features = [feature for _, feature in declared()]
    fold = False if without else None
    if name == "spark":
        with session(Engine.SPARK):  # kept open, so that its processes can be asked what they took
            feature_table(source, states, engine=Engine.SPARK, features=features, fold=fold)
            print(json.dumps(_cost()))
    else:
        feature_table(source, states, engine=Engine(name), features=features, fold=fold)
        print(json.dumps(_cost()))


def _cost() -> dict[str, float]:
    """Give what this process and those below it took so far."""
    tick = os.sysconf("SC_CLK_TCK")
    cpu = mb = 0.0
    for process in _family(os.getpid()):
        stat = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        cpu += sum(int(stat[place]) for place in (11, 12)) / tick
        status = Path(f"/proc/{process}/status").read_text().splitlines()
        peak = next((line for line in status if line.startswith("VmHWM")), "VmHWM 0")
        mb += int(peak.split()[1]) / 1024
    return {"cpu_s": cpu, "mb": mb}


def _family(process: int) -> list[int]:
    below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(each for child in below for each in _family(int(child)))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", choices=ENGINES, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    _child(options.child, options.events, options.cache)
