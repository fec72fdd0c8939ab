"""Measure the features over a large usage log, and write docs/benchmarks.md.

    python -m benchmarks.features [--cache DIR] [--repeat 5] [--only FORM ...] [--page]

Run from the project's root. Logs and companies are made once, in the cache (or BENCHMARKS_CACHE).
Each form runs in a process of its own, and is charged with all of its CPU time, user and system,
and with its peak memory, and those of the processes that it starts. A run that was measured is kept
in the cache and not measured again, so the whole can be broken off and taken up; --repeat says how
many there shall be of each, --page only writes the page. All forms of the usage features are
compared with the first one's result.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.asked import COLUMNS, KEY
from benchmarks.charged import Cost, charged
from benchmarks.forms import FORMS, Form
from benchmarks.usage import account_names, as_of_times
from features.garbage import collect_rarely

PAGE = Path("docs/benchmarks.md")


@dataclass(frozen=True)
class Cache:
    """Where logs, results and measured runs are kept."""

    folder: Path

    def of(self, events: int) -> Path:
        """Give the folder of the log of so many events, made if it is not there."""
        folder = self.folder / f"{events}"
        if events and not (folder / "usage_events" / "_written").exists():
            from benchmarks.usage_log import write_log  # noqa: PLC0415 - no child shall pay for it

            write_log(folder / "usage_events", events)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def runs(self, form: Form, events: int) -> list[dict[str, float]]:
        """Give the measured runs of a form."""
        file = self._file(form, events)
        return list(json.loads(file.read_text())) if file.exists() else []

    def keep(self, form: Form, events: int, run: Mapping[str, float]) -> None:
        """Keep a measured run."""
        runs = [*self.runs(form, events), run]
        self._file(form, events).write_text(json.dumps(runs, indent=1))

    def result(self, form: Form, events: int) -> Path:
        """Name the file of a form's result."""
        return self._file(form, events).with_suffix(".parquet")

    def _file(self, form: Form, events: int) -> Path:
        plain = "".join(c if c.isalnum() else "_" for c in form.name)
        return self.folder / f"{events}" / f"{plain}.json"


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    options = _options()
    cache = Cache(options.cache)
    if options.child:
        _run(options.child, options.form, options.events, cache)
        return
    wanted = [form for form in FORMS if not options.only or form.name in options.only]
    for repetition in range(0 if options.page else options.repeat):
        for form in wanted:
            for events in form.sizes:
                if len(cache.runs(form, events)) <= repetition:
                    run = _measured(form, events, cache)
                    cache.keep(form, events, run)
                    told = f"{run['cpu_s']:8.2f} s {run['mb']:7.0f} MB"
                    print(f"{events:>11,} {form.name:<34} {told}", flush=True)
    from benchmarks.page import page  # noqa: PLC0415 - no child shall pay for it

    runs = {(form.name, size): cache.runs(form, size) for form in FORMS for size in form.sizes}
    PAGE.write_text(page(runs), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    names = [form.name for form in FORMS]
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=names)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    parser.add_argument("--child", choices=["ready", "run", "compare"], help=argparse.SUPPRESS)
    parser.add_argument("--form", help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(step: str, name: str, events: int, cache: Cache) -> None:
    """Make a form ready, run it, or compare its result: what a child process does."""
    collect_rarely()  # for every form alike, as `tenure` does
    (form,) = (form for form in FORMS if form.name == name)
    if step == "compare":
        _compare(form, events, cache)
        return
    module, function = str(form.ready if step == "ready" else form.run).split(":")
    compute = getattr(import_module(f"benchmarks.{module}"), function)
    folder = cache.of(events)
    if form.rows:
        rows = compute(folder / "usage_events", account_names(), as_of_times())
        rows.to_parquet(cache.result(form, events))
    else:
        compute(folder / form.reads)


def _measured(form: Form, events: int, cache: Cache) -> Mapping[str, float]:
    """Run a form in a process of its own, hold its result against the first, and give its cost."""
    cache.of(events)
    if form.ready:
        _child("ready", form, events, cache)
    cost = _child("run", form, events, cache)
    if form.rows:
        _child("compare", form, events, cache)  # a child's peak begins at its parent's
    return asdict(cost)


def _child(step: str, form: Form, events: int, cache: Cache) -> Cost:
    command = [sys.executable, "-m", "benchmarks.features", "--child", step, "--form", form.name]
    return charged([*command, "--events", str(events), "--cache", str(cache.folder)])


def _compare(form: Form, events: int, cache: Cache) -> None:
    import pandas as pd  # noqa: PLC0415 - the children that need none shall not pay for it

    there = [f for f in FORMS if f.rows and cache.result(f, events).exists()]
    first, own = (
        pd.read_parquet(cache.result(one, events))
        .astype({"as_of": "datetime64[us]"} | dict.fromkeys(COLUMNS, "float64"))
        .sort_values(list(KEY), ignore_index=True)[[*KEY, *COLUMNS]]
        for one in (there[0], form)
    )
    pd.testing.assert_frame_equal(first, own, rtol=1e-9, atol=0, check_dtype=False)


if __name__ == "__main__":
    main()
