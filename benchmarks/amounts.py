"""Hold what expansions were expected to add against what they added, by other ways to tell amounts.

    python -m benchmarks.amounts [--seeds 41 42] [--accounts 300] [--public NAME] [--write FILE]

Run from the project's root. Each seed makes a sample company; at six past dates the probability to
expand and each way to tell amounts are learned, and held against the dates that followed, and so
for public sets. Intervals are over customers. With --write the figures go into FILE, between the
lines <!-- figures --> and <!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figures import between, table
from benchmarks.histories import read
from benchmarks.sample_company import MONTHS, write_between
from features.built import Built, built, month_starts
from features.errors import TooLittleDataError
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.amount import Amount, Judged, Shape
from models.bundle import Bundle
from models.expansion import EXPANSION
from models.trees import Trees
from training.added import BY_ACCOUNT, MEAN, above, of_way
from training.amount import shape_of, trees_of
from training.bundling import answerable, fit_bundle
from training.fit import BoosterParams
from training.next_product import next_product_figures
from training.oracle import oracle_added_shares
from training.prepare import dates_of, features_of, labelled_rows
from training.splits import on_record, origins
from training.tested import scored_later

Floats = NDArray[np.float64]
Part = tuple[pd.DataFrame, str]

ALWAYS, TREES, ORACLE = "always", "trees", "oracle"
PLAYS = 2000
FEW_PLAYS = 20
"""What the oracle says of an account counts as so many plays less: they are as everybody's."""
WAYS: Mapping[str, str] = {
    MEAN: "the mean share",
    ALWAYS: "by account, always",
    TREES: "by trees, always",
    BY_ACCOUNT: "as the past says",
    ORACLE: "the oracle, with its probability",
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
    parser.add_argument("--public", nargs="*", default=[])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    sample = [part for seed in options.seeds for part in tested(seed, options.accounts)]
    public = {name: rolled_public(name, options.data) for name in options.public}
    command = (
        f"python -m benchmarks.amounts --accounts {options.accounts} "
        f"--seeds {' '.join(map(str, options.seeds))}"
        + (f" --public {' '.join(options.public)}" if options.public else "")
    )
    lines = page(command, sample, public)
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def say(words: str) -> None:
    """Tell people how far it is."""
    print(words, file=sys.stderr, flush=True)


def rolled_public(name: str, data: Path) -> list[Part]:
    """Give what `tested` gives, of a public set; there is no truth beside it."""
    with tempfile.TemporaryDirectory() as folder:
        return list(_rolled(read(data, name, Path(folder), say)))


def tested(seed: int, accounts: int) -> Iterator[Part]:
    """Give by origin the later rows of a company, and the way that the past chose there."""
    say(f"sample of {accounts}, seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        company, home = Path(folder) / "company", Home(Path(folder) / "home")
        simulate(company, accounts=accounts, months=MONTHS, seed=seed)
        source = check(str(company), home=home)
        history = built(source, month_starts(source), home=home)
        for rows, way in _rolled(history):
            names = ("account_id", "customer_group")
            named = {name: f"{seed}-" + rows[name].astype(str) for name in names}
            yield _with_oracle(rows, company).assign(**named), way


def _rolled(history: Built) -> Iterator[Part]:
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
        learned = {
            name: learn(rows, asked, features.names, split.test_from)
            for name, learn in ((ALWAYS, shape_of), (TREES, trees_of))
        }
        told = {name: _shares(bundle, shape, later) for name, shape in learned.items()}
        columns = {
            f"{name}__{days}d": shares[:, at]
            for name, shares in told.items()
            for at, days in enumerate(asked.horizons_days)
        }
        yield later.assign(**columns), _way(bundle.amount and bundle.amount.judged)


def _way(judged: Judged | None) -> str:
    return "the mean share, unasked" if judged is None else judged.way


def _with_oracle(rows: pd.DataFrame, company: Path) -> pd.DataFrame:
    """Add what the truth says: ``best__<h>d``, the probability, and ``oracle__<h>d``, the share."""
    horizons = EXPANSION.horizons_days
    dates = [stamp.to_pydatetime() for stamp in sorted(rows["as_of"].unique())]
    truth = oracle_added_shares(company, dates, horizons, PLAYS)
    for days in horizons:
        told = truth[truth["horizon_days"] == days]
        probability, share = told["probability"], told["added_share"]
        mean = share.sum() / probability.sum()
        told = told.assign(
            **{
                f"best__{days}d": probability,
                f"{ORACLE}__{days}d": (share * PLAYS + mean * FEW_PLAYS)
                / (probability * PLAYS + FEW_PLAYS),
            }
        )
        columns = ["account_id", "as_of", f"best__{days}d", f"{ORACLE}__{days}d"]
        rows = rows.merge(told[columns], on=["account_id", "as_of"], how="left")
    return rows


def _shares(bundle: Bundle, shape: Shape | Trees, later: pd.DataFrame) -> Floats:
    return replace(bundle, amount=Amount({}, shape)).added_shares(later)


def page(command: str, sample: list[Part], public: Mapping[str, list[Part]]) -> list[str]:
    """Give the figures as lines of Markdown."""
    rows = _pooled(sample)
    lines = [_line(rows, days, way) for days in EXPANSION.horizons_days for way in WAYS]
    made = (
        f"Made by `{command}`: {MONTHS} months a sample company, at most six origins each, "
        f"intervals of 95 %. {_kept(sample)}"
    )
    found = [
        made,
        "",
        table(HEAD, lines),
        "",
        *_of_products(next_product_figures(rows, EXPANSION)),
    ]
    main_days = EXPANSION.main_horizon_days
    for name, parts in public.items():
        others = [_line(_pooled(parts), main_days, way) for way in WAYS if way != ORACLE]
        found += ["", f"The public set {name}. {_kept(parts)}", "", table(HEAD, others)]
    return found


def _pooled(parts: list[Part]) -> pd.DataFrame:
    return pd.concat([rows for rows, _ in parts], ignore_index=True)


def _kept(parts: list[Part]) -> str:
    ways = Counter(way for _, way in parts)
    chosen = ", ".join(f"{way} at {count}" for way, count in ways.most_common())
    return f"Of {len(parts)} origins the past chose {chosen}."


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
    named = [f"{name}__{days}d" for name in ("outcome", *WAYS)]
    columns = [name for name in named if name in rows]
    kept = rows[np.isfinite(rows[columns]).all(axis=1)]
    if way == ORACLE:
        kept = kept.assign(**{f"probability__{days}d": kept[f"best__{days}d"]})
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
