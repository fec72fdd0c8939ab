"""Hold what expansions were expected to add against what they added, by other ways to tell amounts.

    python -m benchmarks.amounts [--seeds 41 42] [--accounts 300] [--write FILE]

Run from the project's root. Each seed makes a sample company; at six past dates the probability to
expand and each way to tell amounts are learned, and held against the dates that followed. Intervals
are over customers. With --write the figures go into FILE, between the lines <!-- figures --> and
<!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figures import between, table
from benchmarks.sample_company import MONTHS, write_between
from features.built import Built, built, month_starts
from features.errors import TooLittleDataError
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.amount import Amount
from models.bundle import Bundle
from models.expansion import EXPANSION
from training.added import BY_ACCOUNT, MEAN, above, of_way
from training.amount import added, shape_of
from training.bundling import FeatureList, answerable, fit_bundle
from training.fit import BoosterParams
from training.next_product import next_product_figures
from training.prepare import dates_of, features_of, labelled_rows
from training.splits import Split, on_record, origins, outcome_known_by
from training.tested import scored_later

Floats = NDArray[np.float64]

ALWAYS, BOOSTER = "always", "booster"
WAYS: Mapping[str, str] = {
    MEAN: "the mean share",
    ALWAYS: "by account, always",
    BY_ACCOUNT: "by account where the past says so",
    BOOSTER: "a booster, always",
}
HEAD = (
    "horizon",
    "amounts",
    "expansions",
    "realised / expected",
    "deviance",
    "above the mean share's",
    "absolute error",
    "rank agreement",
    "on the first tenth",
)


def main() -> None:
    """Roll the ways over companies, and print how they did."""
    parser = argparse.ArgumentParser(description="What expansions were expected to add, and did.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[41, 42])
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    parts, kept = [], []
    for seed in options.seeds:
        for rows, by_account in tested(seed, options.accounts):
            parts.append(rows)
            kept.append(by_account)
        print(f"seed {seed}: {sum(map(len, parts)):,} rows so far", file=sys.stderr, flush=True)
    seeds = " ".join(map(str, options.seeds))
    command = f"python -m benchmarks.amounts --accounts {options.accounts} --seeds {seeds}"
    lines = page(command, pd.concat(parts, ignore_index=True), kept)
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def tested(seed: int, accounts: int) -> Iterator[tuple[pd.DataFrame, bool]]:
    """Give by origin the later rows of a company, and whether accounts were told apart there."""
    with tempfile.TemporaryDirectory() as folder:
        company, home = Path(folder) / "company", Home(Path(folder) / "home")
        simulate(company, accounts=accounts, months=MONTHS, seed=seed)
        source = check(str(company), home=home)
        history = built(source, month_starts(source), home=home)
        for rows, by_account in _rolled(history):
            names = ("account_id", "customer_group")
            named = {name: f"{seed}-" + rows[name].astype(str) for name in names}
            yield rows.assign(**named), by_account


def _rolled(history: Built) -> Iterator[tuple[pd.DataFrame, bool]]:
    panel, features = labelled_rows(history, EXPANSION), features_of(history, EXPANSION)
    dates = dates_of(history, panel, EXPANSION)
    for split in origins(dates, history.source.extracted_at, EXPANSION):
        rows = on_record(panel, split.test_from, EXPANSION)
        try:
            asked = answerable(rows, EXPANSION, split.test_from)
        except TooLittleDataError:
            continue
        bundle = fit_bundle(rows, asked, features, split, BoosterParams())
        later = scored_later(bundle, rows, split)
        told = {
            ALWAYS: _always(bundle, rows, later),
            BOOSTER: _boosted(rows, later, features, split),
        }
        columns = {
            f"{name}__{days}d": shares[:, at]
            for name, shares in told.items()
            for at, days in enumerate(asked.horizons_days)
        }
        amount = bundle.amount
        yield later.assign(**columns), amount is not None and amount.shape is not None


def _always(bundle: Bundle, rows: pd.DataFrame, later: pd.DataFrame) -> Floats:
    border = pd.Timestamp(bundle.as_of_range[1]).to_pydatetime()
    shape = shape_of(rows, bundle.question, bundle.features, border)
    return replace(bundle, amount=Amount({}, shape)).added_shares(later)


def _boosted(
    rows: pd.DataFrame, later: pd.DataFrame, features: FeatureList, split: Split
) -> Floats:
    """Tell shares by a gamma regression of boosted trees, levelled as the ridge regression is."""
    names, days = list(features.names), EXPANSION.main_horizon_days
    hit = rows[outcome_known_by(rows, days, split.test_from, EXPANSION) == 1]
    hit = hit[added(hit, days) > 0]
    options = {
        "objective": "gamma",
        "num_leaves": 7,
        "learning_rate": 0.05,
        "min_data_in_leaf": 20,
        "lambda_l2": 5.0,
        "feature_fraction": 0.5,
        "num_threads": 1,
        "seed": 7,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(hit[names].to_numpy(np.float32), added(hit, days))
    booster = lightgbm.train(options, data, num_boost_round=60)
    shares = []
    for horizon in EXPANSION.horizons_days:
        seen = rows[outcome_known_by(rows, horizon, split.test_from, EXPANSION) == 1]
        mrr = seen["mrr"].to_numpy(dtype=float)
        said = booster.predict(seen[names].to_numpy(np.float32))
        level = (added(seen, horizon) * mrr).sum() / (said * mrr).sum() if len(seen) else np.nan
        shares.append(level * booster.predict(later[names].to_numpy(np.float32)))
    return np.column_stack(shares)


def page(command: str, rows: pd.DataFrame, kept: list[bool]) -> list[str]:
    """Give the figures as lines of Markdown."""
    lines = [
        _line(rows, days, way)
        for days in EXPANSION.horizons_days
        if f"{MEAN}__{days}d" in rows
        for way in WAYS
    ]
    made = (
        f"Made by `{command}`: {MONTHS} months a company, six origins each, intervals of 95 %. "
        f"Accounts were told apart at {sum(kept)} of {len(kept)} origins."
    )
    return [
        made,
        "",
        table(HEAD, lines),
        "",
        *_of_products(next_product_figures(rows, EXPANSION)),
    ]


def _of_products(found: Mapping[str, Any]) -> list[str]:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["kinds"].items())
    ways = {"told": "by what those alike bought", "popular": "the most bought"}
    rows = [
        [words, *(between(found[way][hit]) for hit in ("hit_at_1", "hit_at_3"))]
        for way, words in ways.items()
    ]
    counted = (
        f"Of {found['purchases']:,} purchases of a further product by {found['customers']:,} "
        f"customers within {EXPANSION.main_horizon_days} days, the one that came was named:"
    )
    return [
        counted,
        "",
        table(("next product", "first", "among the first three"), rows),
        "",
        f"Expansions within {EXPANSION.main_horizon_days} days were made of: {kinds}.",
    ]


def _line(rows: pd.DataFrame, days: int, way: str) -> list[str]:
    columns = [f"outcome__{days}d", *(f"{name}__{days}d" for name in WAYS)]
    kept = rows[np.isfinite(rows[columns]).all(axis=1)]
    found = of_way(kept, days, way)
    than: dict[str, Any] = {} if way == MEAN else above(kept, days, way, MEAN)["deviance"]
    agreement = found["rank_agreement"]
    return [
        f"{days} days",
        WAYS[way],
        f"{found['expansions']:,}",
        between(found["realised_over_expected"]),
        f"{found['deviance']['value']:.4f}",
        f"{than['value']:+.4f} [{than['low']:+.4f}, {than['high']:+.4f}]" if than else "",
        between(found["absolute_error"]),
        "" if agreement is None else f"{agreement:.3f}",
        between(found["first_tenth"]),
    ]


if __name__ == "__main__":
    main()
