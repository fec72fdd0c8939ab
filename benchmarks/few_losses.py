"""Bring first models of companies that lose few customers before the gates, empty ones too.

    python -m benchmarks.few_losses [--accounts 100 200 300] [--seeds 31 32 33] [--write FILE]

Run from the project's root. Each seed makes a sample company of each size. A model is trained on it
as any is, and another one on the same rows with each account's features taken from another account,
so that it can know nothing. Both stand before the gates twice: judged by the rows after their
training alone, and by past dates too. With --write the figures go into FILE, between the lines
<!-- figures --> and <!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import table
from benchmarks.sample_company import MONTHS, write_between
from features.built import Built, built, month_starts
from features.errors import TooLittleDataError
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.audit_checks import CHECKS
from models.bundle import Bundle, save
from models.churn import CHURN
from models.gate import GateReport
from models.golden import golden_set
from training.bundling import fit_bundle
from training.choose import choose
from training.evidence import Way
from training.fit import Params
from training.gates import Trial, decide
from training.prepare import KEYS, prepared
from training.slices import described

HEAD = (
    "accounts",
    "features",
    "models",
    "customers lost before / after the training",
    "pass by the later rows alone",
    "pass by past dates too",
    "what refuses the others",
)
AS_THEY_ARE, OF_OTHERS = "as they are", "of another account"


@dataclass(frozen=True)
class Judged:
    """A model of one company before the gates.

    Attributes
    ----------
    lost
        Customers with the event known before its training, and on the rows after it.
    alone, pooled
        The gates' answers by the rows after its training, and by past dates too.
    """

    accounts: int
    features: str
    lost: tuple[int, int]
    alone: GateReport
    pooled: GateReport


def main() -> None:
    """Make companies, train, ask the gates, and print what came of it."""
    parser = argparse.ArgumentParser(description="What the gates let pass where few are lost.")
    parser.add_argument("--accounts", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    found = []
    for accounts in options.accounts:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                found += list(of_company(Path(folder), accounts, seed))
            print(f"{accounts} accounts, seed {seed}", file=sys.stderr, flush=True)
    command = (
        f"python -m benchmarks.few_losses --accounts {' '.join(map(str, options.accounts))} "
        f"--seeds {' '.join(map(str, options.seeds))}"
    )
    lines = page(command, found)
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def of_company(folder: Path, accounts: int, seed: int) -> Iterator[Judged]:
    """Judge both models of a sample company; none where there is too little to train on."""
    simulate(folder / "company", accounts=accounts, months=MONTHS, seed=seed)
    home = Home(folder / "home")
    source = check(str(folder / "company"), home=home)
    history = built(source, month_starts(source), home=home)
    for features, given in ((AS_THEY_ARE, history), (OF_OTHERS, exchanged(history, seed))):
        try:
            yield judged(folder, given, accounts, features)
        except TooLittleDataError as error:
            print(error, file=sys.stderr)


def exchanged(history: Built, seed: int) -> Built:
    """Give each account's features to another one: in a ring, on each date to the next there is."""
    names = history.table["account_id"].unique()
    place = dict(zip(names, np.random.default_rng(seed).permutation(len(names)), strict=True))
    ring = history.table.assign(place=history.table["account_id"].map(place))
    ring = ring.sort_values(["as_of", "place"], ignore_index=True).drop(columns="place")
    at = pd.Series(ring.index)
    others = at.groupby(ring["as_of"]).transform(lambda rows: np.roll(rows, 1)).to_numpy()
    features = ring.drop(columns=list(KEYS)).iloc[others].reset_index(drop=True)
    return replace(history, table=pd.concat([ring[list(KEYS)], features], axis=1))


def judged(folder: Path, history: Built, accounts: int, features: str) -> Judged:
    """Train a model as any is, and ask the gates by both kinds of evidence."""
    ready = prepared(history, CHURN)
    params = choose(ready.panel, ready.question, ready.features, ready.split.test_from).params
    bundle = fit_bundle(ready.rows, ready.question, ready.features, ready.split, params)
    trial = on_trial(folder / features.replace(" ", "-"), history, bundle, params)
    known = trial.rows[trial.rows["event_days"] < CHURN.main_horizon_days]
    is_later = known["as_of"] >= trial.border
    lost = tuple(known.loc[side, "customer_group"].nunique() for side in (~is_later, is_later))
    alone, pooled = decide(replace(trial, ways=None)), decide(trial)
    return Judged(accounts, features, (lost[0], lost[1]), alone, pooled)


def on_trial(folder: Path, history: Built, bundle: Bundle, params: Params) -> Trial:
    """Bring a first model before the gates."""
    save(bundle, folder)
    return Trial(
        model=CHURN.name,
        version="1",
        challenger=folder,
        champion=None,
        rows=described(prepared(history, CHURN).panel, history.source),
        audit=[],
        audit_checks=dict.fromkeys(CHECKS, "Left to the tests of the audit."),
        registered=lambda: (bundle, golden_set(bundle)),
        ways=lambda: (Way.of(bundle, params), None),
    )


def page(command: str, found: list[Judged]) -> list[str]:
    """Give the figures as lines of Markdown."""
    sizes = dict.fromkeys((each.accounts, each.features) for each in found)
    rows = [_line([each for each in found if (each.accounts, each.features) == at]) for at in sizes]
    return [f"Made by `{command}`: {MONTHS} months a company.", "", table(HEAD, rows)]


def _line(alike: list[Judged]) -> list[str]:
    before, after = ([each.lost[side] for each in alike] for side in (0, 1))
    refusing: dict[str, int] = {}
    for each in alike:
        for gate in each.pooled.gates:
            if not gate.passed:
                refusing[gate.name] = refusing.get(gate.name, 0) + 1
    return [
        f"{alike[0].accounts}",
        alike[0].features,
        f"{len(alike)}",
        f"{min(before)} to {max(before)} / {min(after)} to {max(after)}",
        f"{sum(each.alone.passed for each in alike)}",
        f"{sum(each.pooled.passed for each in alike)}",
        ", ".join(f"{name} {count}" for name, count in refusing.items()) or "none",
    ]


if __name__ == "__main__":
    main()
