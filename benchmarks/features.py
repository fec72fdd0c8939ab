"""Measure the features over a large usage log, and write docs/benchmarks.md.

    python -m benchmarks.features [--cache DIR] [--repeat 5] [--events 5000000 50000000]
        [--only FORM ...] [--out docs/benchmarks.md]

Run from the project's root. The log is made once, in the cache (or TENURE_BENCHMARKS). Each form
runs in a process of its own, and is charged with all of its CPU time, user and system, and with
its peak memory. A run that was measured is kept in the cache and not measured again, so the whole
can be broken off and taken up; --repeat says how many there shall be of each. All results are
compared with the first form's, to the last digit of counts, and within 1e-9 of ratios.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.asked import COLUMNS, KEY
from benchmarks.usage import account_names, as_of_times

ROOT = Path(__file__).resolve().parent.parent
SCAN = "DuckDB, bare scan"
FORMS = {
    SCAN: "by_scan:bare_scan",
    "Tenure on duckdb": "ours:on_duckdb",
    "Tenure on polars": "ours:on_polars",
    "DuckDB, range join": "by_duckdb:range_join",
    "DuckDB, account x day first": "by_duckdb:by_day",
    "Polars, snapshot by snapshot": "by_polars:by_snapshot",
    "pandas, snapshot by snapshot": "by_pandas:by_snapshot",
}
"""Each form's module and function; a child imports no more than its own."""
SMALL = 5_000_000
"""pandas is measured up to here only: it holds the whole log."""


@dataclass(frozen=True)
class Cache:
    """Where logs, results and measured runs are kept."""

    folder: Path

    def log(self, events: int) -> Path:
        """Give the folder of the log of so many events, made if it is not there."""
        log = self.folder / f"{events}" / "usage_events"
        if not (log / "_written").exists():
            from benchmarks.usage_log import write_log  # noqa: PLC0415 - no child shall pay for it

            write_log(log, events)
        return log

    def runs(self, form: str, events: int) -> list[dict[str, float]]:
        """Give the measured runs of a form."""
        file = self._file(form, events)
        return list(json.loads(file.read_text())) if file.exists() else []

    def keep(self, form: str, events: int, run: dict[str, float]) -> None:
        """Keep a measured run."""
        runs = [*self.runs(form, events), run]
        self._file(form, events).write_text(json.dumps(runs, indent=1))

    def result(self, form: str, events: int) -> Path:
        """Name the file of a form's result."""
        return self._file(form, events).with_suffix(".parquet")

    def _file(self, form: str, events: int) -> Path:
        plain = "".join(c if c.isalnum() else "_" for c in form)
        return self.folder / f"{events}" / f"{plain}.json"


def main() -> None:
    """Measure what is not measured yet."""
    options = _options()
    cache = Cache(options.cache)
    if options.child:
        _run(options.child, options.events[0], cache)
        return
    for repetition in range(options.repeat):
        for events in options.events:
            for form in options.only or FORMS:
                is_too_large = form.startswith("pandas") and events > SMALL
                if is_too_large or len(cache.runs(form, events)) > repetition:
                    continue
                cache.keep(form, events, _measured(form, events, cache))
                said = cache.runs(form, events)[-1]
                print(f"{events:>11,} {form:<32} {said['cpu_s']:8.2f} s {said['mb']:7.0f} MB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("TENURE_BENCHMARKS", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--events", type=int, nargs="+", default=[SMALL, 10 * SMALL])
    parser.add_argument("--only", nargs="+", choices=FORMS)
    parser.add_argument("--child", choices=FORMS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(form: str, events: int, cache: Cache) -> None:
    """Compute a form's result: what the child process does."""
    module, function = FORMS[form].split(":")
    compute = getattr(import_module(f"benchmarks.{module}"), function)
    if form == SCAN:
        compute(cache.log(events))
    else:
        result = compute(cache.log(events), account_names(), as_of_times())
        result.to_parquet(cache.result(form, events))


def _measured(form: str, events: int, cache: Cache) -> dict[str, float]:
    """Run a form in a process of its own, hold its result against the first, and give its cost."""
    cache.log(events)
    command = [
        sys.executable,
        "-m",
        "benchmarks.features",
        "--child",
        form,
        "--events",
        str(events),
    ]
    child = subprocess.Popen([*command, "--cache", str(cache.folder)], cwd=ROOT)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"Expected {form} to end well, got status {status}. See its last lines.")
    if form != SCAN:
        _compare(form, events, cache)
    return {"cpu_s": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def _compare(form: str, events: int, cache: Cache) -> None:
    import pandas as pd  # noqa: PLC0415 - the children that need none shall not pay for it

    there = [name for name in FORMS if cache.result(name, events).exists()]
    first, own = (
        pd.read_parquet(cache.result(name, events))
        .astype({"as_of": "datetime64[us]"} | dict.fromkeys(COLUMNS, "float64"))
        .sort_values(list(KEY), ignore_index=True)[[*KEY, *COLUMNS]]
        for name in (there[0], form)
    )
    pd.testing.assert_frame_equal(first, own, rtol=1e-9, atol=0, check_dtype=False)


if __name__ == "__main__":
    main()
