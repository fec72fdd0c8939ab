"""Measure what a training costs beside its bare boosters, and write docs/training-cost.md.

    python -m benchmarks.training [--cache DIR] [--repeat 5] [--accounts 1000] [--page]

Run from the project's root. The sample company and its features are made once, in the cache (or
BENCHMARKS_CACHE), and are not charged. Each run is a process of its own; the runs alternate. They
are kept in the cache, so that a measurement that was broken off goes on; --page only writes.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from benchmarks.figures import table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "training-cost.md"
TEMPLATE = Path(__file__).with_name("training.md.template")
LIMIT = 1.5
SEED, MONTHS = 21, 48

LIBRARIES = ("lightgbm", "mlflow", "matplotlib.pyplot", "sklearn.linear_model", "scipy.stats")
BOOSTERS, REST = "boosters", "all else"
FEATURES, AUDIT = "features of all dates", "leakage audit"
TOUCHED, START = "features: who was touched", "starting the libraries"
PARTS = (
    ("labels and splits", "training.run", "prepared"),
    (AUDIT, "training.run", "audited"),
    (TOUCHED, "training.run", "touched_share"),
    ("how to fit", "training.run", "choose"),
    ("rows by interval", "training.fit", "hazard_rows"),
    (BOOSTERS, "training.fit", "fit_booster"),
    ("calibration", "training.bundling", "_calibration"),
    ("scores of later rows", "training.tested", "scored_later"),
    ("baselines", "training.tested", "baselines"),
    ("evaluation", "training.run", "figures_of"),
    ("record", "training.run", "made_from_history"),
    ("reasons", "training.register", "importance"),
    ("report", "training.register", "write_report"),
    ("tracking", "models.registry", "Registry.log"),
)
APART = (FEATURES, AUDIT, TOUCHED, START)
"""Shown, but not held against the boosters: features and audit are neither fit nor evaluation, and
the libraries of a process start once for all of its trainings."""

Run = Mapping[str, float]


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    options = _options()
    folder = options.cache / "training" / f"{options.accounts}"
    if options.child:
        print(json.dumps(FORMS[options.child](folder)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not options.page:
        _make(folder, options.accounts)
        for repetition in range(options.repeat):
            for form in FORMS:
                if len(_runs(folder, form)) <= repetition:
                    _keep(folder, form, _child(form, options))
    found = {form: _medians(folder, form) for form in FORMS}
    text = page(found["bare"], {**found["ours"], **found["features"]})
    PAGE.write_text(text, encoding="utf-8")


def page(bare: Run, ours: Run) -> str:
    """Fill the page's template with medians of what was measured."""
    counted = sum(ours[part] for part in (*(name for name, *_ in PARTS), REST) if part not in APART)
    ratio = counted / bare[BOOSTERS]
    rows = [
        [part, f"{ours[part]:.2f}", "apart" if part in APART else f"{ours[part] / counted:.0%}"]
        for part in (FEATURES, *(name for name, *_ in PARTS), REST, START)
    ]
    filled = {
        "{{ratio}}": f"{ratio:.3f}",
        "{{limit}}": f"{LIMIT:g}",
        "{{reached}}": "reached" if ratio <= LIMIT else "**not reached**",
        "{{bare}}": f"{bare[BOOSTERS]:.2f}",
        "{{counted}}": f"{counted:.2f}",
        "{{whole}}": f"{ours['total']:.2f}",
        "{{rows}}": f"{bare['rows']:,.0f}",
        "{{columns}}": f"{bare['columns']:,.0f}",
        "{{fitted}}": f"{bare['fitted']:,.0f}",
        "{{parts}}": table(["part", "CPU seconds", "share"], rows),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    return functools.reduce(lambda done, place: done.replace(*place), filled.items(), text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    parser.add_argument("--child", choices=list(FORMS), help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(form: str, options: argparse.Namespace) -> Run:
    command = [sys.executable, "-m", "benchmarks.training", "--child", form]
    asked = ["--cache", str(options.cache), "--accounts", str(options.accounts)]
    done = subprocess.run([*command, *asked], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    run: Run = json.loads(done.stdout)
    print(form, {part: round(found, 2) for part, found in run.items()}, flush=True)
    return run


def _runs(folder: Path, form: str) -> list[Run]:
    file = folder / f"{form}.json"
    return list(json.loads(file.read_text())) if file.is_file() else []


def _keep(folder: Path, form: str, run: Run) -> None:
    (folder / f"{form}.json").write_text(json.dumps([*_runs(folder, form), run], indent=1))


def _medians(folder: Path, form: str) -> Run:
    runs = _runs(folder, form)
    return {part: median(run[part] for run in runs) for part in runs[0]}


def _make(folder: Path, accounts: int) -> None:
    """Make the company and its features."""
    from features.sources.sample.simulate import simulate  # noqa: PLC0415 - no child shall pay

    if not (folder / "company").is_dir():
        simulate(folder / "company", accounts=accounts, months=MONTHS, seed=SEED)
    _history(folder)


def _history(folder: Path, snapshots: Path | None = None) -> Any:  # noqa: ANN401 - features.built.Built, imported late
    from features.built import built, month_starts  # noqa: PLC0415 - as in `_make`
    from features.checked import open_checked  # noqa: PLC0415 - the same
    from features.home import Home  # noqa: PLC0415 - the same
    from features.sources.check import check  # noqa: PLC0415 - the same

    home = Home(folder / "home")
    kept = list(home.checked.glob("*/manifest.json"))
    source = open_checked(kept[0].parent) if kept else check(str(folder / "company"), home=home)
    return built(source, month_starts(source), home=Home(snapshots) if snapshots else home)


def _features(folder: Path) -> Run:
    """Charge building the features of all dates from a source that is checked."""
    with tempfile.TemporaryDirectory() as aside:
        started = time.process_time()
        _history(folder, Path(aside))
        return {FEATURES: time.process_time() - started}


def _bare(folder: Path) -> Run:
    """Charge nothing but LightGBM: the two boosters of a training, on the rows that it lays out."""
    import lightgbm  # noqa: PLC0415 - as in `_make`

    from models.churn import CHURN  # noqa: PLC0415 - the same
    from training.fit import BoosterParams, hazard_rows  # noqa: PLC0415 - the same
    from training.prepare import prepared  # noqa: PLC0415 - the same

    params, ready = BoosterParams(), prepared(_history(folder), CHURN)
    borders = (ready.split.test_from, ready.split.calibration_from)
    laid = [
        hazard_rows(ready.rows, ready.question, ready.features.names, border, params)
        for border in borders
    ]
    settings = params.to_lightgbm()
    started = time.process_time()
    for known in laid:
        data = lightgbm.Dataset(
            known.cells, label=known.outcomes, weight=known.weights, params=settings
        )
        lightgbm.train(settings, data, num_boost_round=params.trees)
    spent = time.process_time() - started
    fitted = sum(len(known.cells) for known in laid)
    rows, columns = len(ready.rows), laid[0].cells.shape[1]
    return {BOOSTERS: spent, "rows": rows, "columns": columns, "fitted": fitted}


def _ours(folder: Path) -> Run:
    """Charge a whole training, part by part: audit, fit, evaluation, report and tracking."""
    started = time.process_time()
    for library in LIBRARIES:
        import_module(library)
    from features.garbage import collect_rarely  # noqa: PLC0415 - as in `_make`
    from features.home import Home  # noqa: PLC0415 - the same
    from models.churn import CHURN  # noqa: PLC0415 - the same
    from models.registry import Registry  # noqa: PLC0415 - the same
    from training.register import register  # noqa: PLC0415 - the same
    from training.run import train  # noqa: PLC0415 - the same

    collect_rarely()
    with tempfile.TemporaryDirectory() as aside:
        registry = Registry(Home(Path(aside)))
        registry.models()  # sets up the database, as the first training of a home does
        spent = {START: time.process_time() - started}
        history = _history(folder)
        spent |= dict.fromkeys((name for name, *_ in PARTS), 0.0)
        for name, module, attribute in PARTS:
            _charge(spent, name, module, attribute)
        started = time.process_time()
        register(train(history, CHURN), registry)
        spent["total"] = time.process_time() - started
    spent[REST] = spent["total"] - sum(spent[name] for name, *_ in PARTS)
    return spent


def _charge(spent: dict[str, float], name: str, module: str, attribute: str) -> None:
    """Let a function add its CPU time to a part: in a worker thread that thread's, else all."""
    owner: Any = import_module(module)
    *path, last = attribute.split(".")
    for each in path:
        owner = getattr(owner, each)
    inner: Callable[..., Any] = getattr(owner, last)
    lock = threading.Lock()

    @functools.wraps(inner)
    def charged(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - of any function
        is_main = threading.current_thread() is threading.main_thread()
        clock = time.process_time if is_main else time.thread_time
        started = clock()
        try:
            return inner(*arguments, **named)
        finally:
            with lock:
                spent[name] += clock() - started

    setattr(owner, last, charged)


FORMS: Mapping[str, Callable[[Path], Run]] = MappingProxyType(
    {"bare": _bare, "ours": _ours, "features": _features}
)


if __name__ == "__main__":
    main()
