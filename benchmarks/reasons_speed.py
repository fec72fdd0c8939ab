"""Measure what scores and their reasons cost beside LightGBM, and write it into docs/reasons.md.

    python -m benchmarks.reasons_speed [--cache DIR] [--repeat 5] [--accounts 100000] [--page]

Run from the project's root. A sample company and its models are made once, in the cache (or
BENCHMARKS_CACHE), and are not charged. Ours and LightGBM's take turns in one process, each on one
thread; CPU seconds are user and system time. --page writes from what was measured before.
"""

import argparse
import ctypes
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from statistics import median
from textwrap import fill
from types import MappingProxyType

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.figures import table
from benchmarks.sample_company import MONTHS, write_between
from features.built import built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.boosted import Boosted
from models.bundle import Bundle, load, row_covariates, save
from models.cells import feature_matrix
from models.churn import CHURN
from models.intervals import matrix
from serving.scoring.score import score
from training.bundling import fit_bundle
from training.fit import BoosterParams
from training.prepare import prepared

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reasons.md"
SEED, COMPANY, REASONS = 21, 300, 3
ROWS = 500
USUAL, LARGE = "170 trees of 15 leaves", "500 trees of 31 leaves"
SIZES: Mapping[str, BoosterParams] = MappingProxyType(
    {
        USUAL: BoosterParams(),
        LARGE: replace(BoosterParams(), trees=500, leaves=31, rows_in_leaf=20),
    }
)
SUM, PROBABILITIES = "the sum of the trees, one row", "an account's probabilities, from its values"
ONE, MANY = "exact contributions, one row", "exact contributions, each of many rows"
SCORES = "scores and reasons at every horizon, each of many accounts"
WHAT = (SUM, PROBABILITIES, ONE, MANY, SCORES)
OURS, THEIRS = "ours", "LightGBM"
FEWER = 20
"""So many times fewer accounts are explained by LightGBM."""
MOST_OF_A_SCORE, TIMES_LESS, RATE = 50, 8, 2_000
"""Microseconds, times, and accounts a CPU second: what is to be reached."""
NOW = datetime(2025, 1, 1)  # noqa: DTZ001 - naive UTC

HEAD = (
    "Written by `make reasons-cost`, never by hand: microseconds of CPU time, user and system, "
    "for a row; medians of {runs} runs, in which ours and LightGBM's take turns on one thread. A "
    "row is what a model sees of one account in one of the {intervals} intervals, with all "
    "features of a sample company. The last line is of accounts: {accounts}, of the large model a "
    "tenth, drawn from the company's rows of all dates, with {reasons} reasons at each horizon, "
    "as `tenure score` makes them. LightGBM's single rows are asked for through its C interface "
    "for them. Its accounts, a twentieth as many, run through the same code, with its own sums "
    "and contributions."
)

Run = dict[str, float]
Form = Callable[[], object]


@dataclass(frozen=True)
class Measured:
    """A model, rows of accounts, and what both ways make of them."""

    bundle: Bundle
    rows: pd.DataFrame

    @cached_property
    def cells(self) -> NDArray[np.float32]:
        """The first rows as the trees see them: one for each account and interval."""
        rows, bundle = self.rows[:ROWS], self.bundle
        cells = feature_matrix(rows, bundle.features, {}, "churn")
        return matrix(cells, row_covariates(bundle.question, rows))[:ROWS]

    def forms(self) -> dict[tuple[str, str], Form]:
        """Name what is charged, each time for all of those rows."""
        trees, cells = self.bundle.boosted, self.cells
        alone = [cells[at : at + 1] for at in range(ROWS)]
        named = self.rows[list(self.bundle.features)][:ROWS].to_dict("records")
        fast_sum, fast_contributions = (fast(trees, kind, cells.shape[1]) for kind in (1, 3))
        return {
            (SUM, OURS): lambda: [trees.sums(row) for row in alone],
            (SUM, THEIRS): lambda: [fast_sum(row) for row in alone],
            (PROBABILITIES, OURS): lambda: [*map(self.bundle.probabilities_of, named)],
            (ONE, OURS): lambda: [trees.contributions(row) for row in alone],
            (ONE, THEIRS): lambda: [fast_contributions(row) for row in alone],
            (MANY, OURS): lambda: trees.contributions(cells),
            (MANY, THEIRS): lambda: contributions(trees, cells),
        }


def contributions(trees: Boosted, cells: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ask LightGBM, on one thread."""
    return np.asarray(trees.booster.predict(cells, pred_contrib=True, num_threads=1))


def fast(trees: Boosted, kind: int, columns: int) -> Callable[[NDArray[np.float32]], float]:
    """Give LightGBM's C interface for single rows: kind 1 adds up, 3 gives contributions."""
    library, handle = lightgbm.basic._LIB, ctypes.c_void_p()  # noqa: SLF001 - it has no other way to the C interface
    library.LGBM_BoosterPredictForMatSingleRowFastInit(
        trees.booster._handle,  # noqa: SLF001 - as above
        ctypes.c_int(kind),
        ctypes.c_int(0),
        ctypes.c_int(-1),
        ctypes.c_int(0),  # float32
        ctypes.c_int32(columns),
        ctypes.c_char_p(b"num_threads=1"),
        ctypes.byref(handle),
    )
    out, length = (ctypes.c_double * (columns + 1))(), ctypes.c_int64()

    def ask(row: NDArray[np.float32]) -> float:
        data = ctypes.c_void_p(row.ctypes.data)
        library.LGBM_BoosterPredictForMatSingleRowFast(handle, data, ctypes.byref(length), out)
        return out[0]

    return ask


def demand_equal(measured: Measured) -> None:
    """Stop where the two ways do not say the same: then their costs cannot be compared."""
    trees, cells = measured.bundle.boosted, measured.cells
    fast_sum = fast(trees, 1, cells.shape[1])
    assert [fast_sum(cells[at : at + 1]) for at in range(ROWS)] == trees.sums(cells).tolist()  # noqa: S101 - what is measured is no product
    np.testing.assert_allclose(
        trees.contributions(cells), contributions(trees, cells), rtol=0, atol=1e-9
    )


def measure(measured: Measured, accounts: int) -> Run:
    """Charge each form once, in microseconds a row; the scores with reasons too."""
    found = {}
    for (what, whose), form in measured.forms().items():
        found[f"{what}: {whose}"] = charged(form) / ROWS
    found[f"{SCORES}: {OURS}"] = charged(scored(measured, accounts)) / accounts
    few = accounts // FEWER
    found[f"{SCORES}: {THEIRS}"] = charged(scored(by_lightgbm(measured), few)) / few
    return found


def charged(form: Form) -> float:
    """Give the microseconds of CPU that something takes."""
    started = time.process_time()
    form()
    return (time.process_time() - started) * 1e6


def scored(measured: Measured, accounts: int) -> Form:
    """Score as `tenure score` does, accounts that are drawn from all rows."""
    at = np.random.default_rng(0).integers(0, len(measured.rows), accounts)
    names = [f"account-{number}" for number in range(accounts)]
    many = measured.rows.iloc[at].reset_index(drop=True)
    many = many.assign(account_id=names, as_of=NOW)
    states = many[["account_id", "as_of", "mrr"]].assign(status="active")
    features = many[["account_id", "as_of", *measured.bundle.features]]
    bundles = {"churn": measured.bundle}
    return lambda: score(bundles, features, states, NOW, reasons=REASONS)


def by_lightgbm(measured: Measured) -> Measured:
    """Give the model as if its trees were none that the compiled loops know."""
    bundle = replace(measured.bundle)
    vars(bundle.boosted)["forest"] = None
    return Measured(bundle, measured.rows)


def make(folder: Path) -> None:
    """Make a company, its rows and its models, unless they are there."""
    if (folder / LARGE).is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as aside:
        company, home = Path(aside) / "company", Home(Path(aside) / "home")
        simulate(company, accounts=COMPANY, months=MONTHS, seed=SEED)
        source = check(str(company), home=home)
        ready = prepared(built(source, month_starts(source), home=home), CHURN)
    ready.rows.to_parquet(folder / "rows.parquet")
    for name, params in SIZES.items():
        bundle = fit_bundle(ready.rows, ready.question, ready.features, ready.split, params)
        save(bundle, folder / name)


def page(runs: Mapping[str, Sequence[Run]], accounts: int) -> list[str]:
    """Write the page's part."""
    middle = {
        size: {name: median(run[name] for run in of_size) for name in of_size[0]}
        for size, of_size in runs.items()
    }
    told = HEAD.format(
        runs=min(map(len, runs.values())),
        intervals=len(CHURN.horizons_days),
        accounts=f"{accounts:,}",
        reasons=REASONS,
    )
    lines = fill(told, width=100).splitlines()
    for size, costs in middle.items():
        lines += [
            "",
            f"### {size}",
            "",
            table(("", "ours", "LightGBM", "times less"), _costs(costs)),
        ]
    return [*lines, "", "### Figures to reach", "", _figures(middle)]


def _costs(costs: Run) -> list[list[str]]:
    rows = []
    for what in WHAT:
        ours, theirs = costs[f"{what}: {OURS}"], costs.get(f"{what}: {THEIRS}")
        beside = ["", ""] if theirs is None else [f"{theirs:,.0f}", f"{theirs / ours:.1f}"]
        rows.append([what, f"{ours:,.0f}", *beside])
    return rows


def _figures(middle: Mapping[str, Run]) -> str:
    usual, large = middle[USUAL], middle[LARGE]
    times = large[f"{ONE}: {THEIRS}"] / large[f"{ONE}: {OURS}"]
    alone = large[f"{SUM}: {OURS}"]
    found = [
        (f"a single score, {LARGE}", "at most 50 µs", f"{alone:.0f} µs", alone <= MOST_OF_A_SCORE),
        (f"exact reasons of one row, {LARGE}", "8 times less", f"{times:.1f}", times >= TIMES_LESS),
        (f"accounts with reasons, {USUAL}", "2,000 a CPU second", *_rate(usual)),
        (f"the same, {LARGE}", "", _rate(large)[0], None),
    ]
    answers = {True: "yes", False: "**no**", None: ""}
    rows = [[*told, answers[is_reached]] for *told, is_reached in found]
    return table(("figure", "to reach", "measured", "reached"), rows)


def _rate(costs: Run) -> tuple[str, bool]:
    rate = 1e6 / costs[f"{SCORES}: {OURS}"]
    rows = rate * len(CHURN.horizons_days)
    return f"{rate:,.0f}, or {rows:,.0f} rows", rate >= RATE


def main() -> None:
    """Measure what is not measured yet, and write the page's part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    options = parser.parse_args()
    folder = options.cache / "reasons-speed"
    file = folder / f"{options.accounts}.json"
    runs = json.loads(file.read_text()) if file.is_file() else {size: [] for size in SIZES}
    if not options.page:
        make(folder)
        rows = pd.read_parquet(folder / "rows.parquet")
        models = {size: Measured(load(folder / size), rows) for size in SIZES}
        with threadpool_limits(limits=1):
            _measure_all(models, runs, options, file)
    lines = page(runs, options.accounts)
    print(*lines, sep="\n")
    write_between(PAGE, lines)


def _measure_all(
    models: Mapping[str, Measured],
    runs: dict[str, list[Run]],
    options: argparse.Namespace,
    file: Path,
) -> None:
    for measured in models.values():
        demand_equal(measured)
    while min(map(len, runs.values())) < options.repeat:
        for size, measured in models.items():
            accounts = options.accounts if size == USUAL else options.accounts // 10
            runs[size].append(measure(measured, accounts))
        file.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
