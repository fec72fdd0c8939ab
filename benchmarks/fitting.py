"""Measure ways of fitting on later dates, and write what follows for the defaults.

    python -m benchmarks.fitting [--write] [--data ../shared/data]

Run from the project's root. With --write the page docs/decisions/0003-how-to-fit.md is made of all
that was measured. Each case is kept in BENCHMARKS_CACHE (else a temporary folder), so that a run
that was cut short goes on.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figures import table
from benchmarks.histories import read
from features.built import Built, built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.bundling import base_rates
from training.choose import FEWEST_GROUPS_BEFORE, FOLDS, SIMPLEST_FIRST
from training.fit import BoosterParams, Params
from training.heldout import standard_error
from training.later import Fold, folds, losses
from training.prepare import features_of, labelled_rows

Floats = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "decisions" / "0003-how-to-fit.md"
TEMPLATE = Path(__file__).with_name("fitting.md.template")
USUAL = BoosterParams()
SMALLER = replace(USUAL, trees=200, learning_rate=0.05, leaves=7)
BASE_RATE = "the base rate"

WAYS: Mapping[str, Params] = MappingProxyType(
    {
        "as usual": USUAL,
        "directions not held": replace(USUAL, monotone=False),
        "200 trees of 7 leaves": SMALLER,
    }
)
GROWTH_WAYS: Mapping[str, Params] = MappingProxyType(
    {"as usual": USUAL, "200 trees of 7 leaves": SMALLER}
)
SMALL_WAYS: Mapping[str, Params] = MappingProxyType(
    {"the usual booster": USUAL, **{name: p for name, p in SIMPLEST_FIRST.items() if p != USUAL}}
)


@dataclass(frozen=True)
class Case:
    """One company: how large, by which seed, and cut down to how many that left; or a public set.

    Accounts that left are drawn away until `losses` of them are there; the others all stay.
    """

    accounts: int = 0
    seed: int = 0
    losses: int | None = None
    public: str | None = None
    question: Question = CHURN

    @property
    def name(self) -> str:
        """Name it, for files and people."""
        if self.public:
            return self.public
        cut = "" if self.losses is None else f", {self.losses} losses"
        asked = "" if self.question == CHURN else f", {self.question.name}"
        return f"sample of {self.accounts}, seed {self.seed}{cut}{asked}"


CASES = (*(Case(300, seed) for seed in (31, 32, 33)), Case(1000, 21), Case(public="crm5"))
GROWTH_CASES = tuple(Case(1000, seed, question=EXPANSION) for seed in (21, 22, 23))
SMALL_CASES = tuple(Case(300, seed, losses=20) for seed in (31, 32, 33))


def main() -> None:
    """Measure every case, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the decision's page")
    usual = os.environ.get("TENURE_PUBLIC_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(usual), help="folder of the public sets")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tenure-fitting-") as aside:
        cache = Path(os.environ.get("BENCHMARKS_CACHE", aside)) / "fitting"
        cache.mkdir(parents=True, exist_ok=True)
        large = [_measured(case, WAYS, cache, options.data) for case in CASES]
        growth = [_measured(case, GROWTH_WAYS, cache, options.data) for case in GROWTH_CASES]
        small = [_measured(case, SMALL_WAYS, cache, options.data) for case in SMALL_CASES]
    text = page(large, growth, small)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)


def page(
    large: Sequence[Mapping[str, Any]],
    growth: Sequence[Mapping[str, Any]],
    small: Sequence[Mapping[str, Any]],
) -> str:
    """Fill the page's template with what was measured."""
    template = TEMPLATE.read_text(encoding="utf-8")
    tables = {
        "{{large}}": _table(large, (*WAYS, BASE_RATE)),
        "{{growth}}": _table(growth, (*GROWTH_WAYS, BASE_RATE)),
        "{{small}}": _table(small, (*SMALL_WAYS, BASE_RATE)),
    }
    for place, written in tables.items():
        template = template.replace(place, written)
    return template


def _measured(case: Case, ways: Mapping[str, Params], cache: Path, data: Path) -> Mapping[str, Any]:
    file = cache / f"{case.name.replace(' ', '-').replace(',', '')}.json"
    if not file.is_file():
        print(case.name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="tenure-public-") as aside:
            found = _measure(case, ways, _history(case, cache, data, Path(aside)))
        file.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _history(case: Case, cache: Path, data: Path, aside: Path) -> Built:
    if case.public:
        return read(data, case.public, aside, print)
    folder = cache / f"sample-{case.accounts}-{case.seed}"
    if not (folder / "source").is_dir():
        simulate(folder / "source", accounts=case.accounts, seed=case.seed)
    source = check(str(folder / "source"), home=Home(folder / "home"))
    return built(source, month_starts(source), home=Home(folder / "home"))


def _measure(case: Case, ways: Mapping[str, Params], history: Built) -> dict[str, Any]:
    panel, question = labelled_rows(history, case.question), case.question
    if case.losses is not None:
        panel = _cut(panel, case.losses, case.seed)
        question = replace(question, fewest_event_accounts=FEWEST_GROUPS_BEFORE)
    features, border = features_of(history, question), history.source.extracted_at
    slices = folds(panel, question, border, FOLDS)
    by_way = {
        name: np.concatenate([losses(fold, features, params) for fold in slices])
        for name, params in ways.items()
    }
    by_way[BASE_RATE] = np.concatenate([_constant(fold) for fold in slices])
    groups = np.concatenate([fold.tested["customer_group"] for fold in slices])
    return {
        "case": case.name,
        "rows": len(groups),
        "events": int(sum(fold.outcomes.sum() for fold in slices)),
        "ways": _against_the_first(by_way, groups),
    }


def _against_the_first(
    by_way: Mapping[str, Floats], groups: NDArray[np.object_]
) -> dict[str, dict[str, float]]:
    first = next(iter(by_way.values()))
    return {
        name: {
            "loss": float(found.mean()),
            "difference": float((found - first).mean()),
            "error": standard_error(found - first, groups),
        }
        for name, found in by_way.items()
    }


def _constant(fold: Fold) -> Floats:
    """Give each later row's loss where all are told the share among the rows known before."""
    rate = base_rates(fold.rows, fold.question, fold.split.test_from)[
        fold.question.main_horizon_days
    ]
    return -np.log(np.where(fold.outcomes == 1, rate, 1 - rate))


def _cut(panel: pd.DataFrame, losses_kept: int, seed: int) -> pd.DataFrame:
    """Take accounts that left away at random until so many are there."""
    has_left = panel.groupby("account_id")["event_days"].agg(lambda days: days.notna().any())
    left = sorted(has_left[has_left].index)
    gone = np.random.default_rng(seed).permutation(left)[losses_kept:]
    return panel[~panel["account_id"].isin(set(gone))]


def _table(found: Sequence[Mapping[str, Any]], ways: Sequence[str]) -> str:
    rows = [
        [
            each["case"],
            f"{each['rows']:,} ({each['events']})",
            f"{each['ways'][ways[0]]['loss']:.4f}",
            *(_shown(each["ways"][way]) for way in ways[1:]),
        ]
        for each in found
    ]
    overall = ["all, each case alike", "", "", *(_pooled(found, way) for way in ways[1:])]
    return table(["company", "later rows (events)", *ways], [*rows, overall])


def _pooled(found: Sequence[Mapping[str, Any]], way: str) -> str:
    """Mean over the cases, and its standard error by how the cases differ."""
    differences = np.array([each["ways"][way]["difference"] for each in found])
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(found) > 1 else np.nan
    return _shown({"difference": differences.mean(), "error": error})


def _shown(figure: Mapping[str, float]) -> str:
    return f"{figure['difference']:+.4f} ± {figure['error']:.4f}"


if __name__ == "__main__":
    main()
