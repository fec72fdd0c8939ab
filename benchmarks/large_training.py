"""Train, register and back-test a large company by the command line, and say what each verb took.

    python -m benchmarks.large_training [--cache DIR] [--accounts 20000] [--months 37]

Run from the project's root, on an otherwise idle machine: the figure to reach is one of wall time.
The company is made and checked once, in the cache (or BENCHMARKS_CACHE), and is not charged; its
features are built anew by the first verb, and are. The table comes last, below what the verbs say.
Ends with 1 where a figure is not reached. `make results` shows what the last run took.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.charged import charged
from benchmarks.figures import table

MOST_MINUTES, MOST_GIB = 20.0, 8.0
ACCOUNTS, MONTHS, SEED = 20_000, 37, 20
VERBS = (("train", "churn"), ("backtest", "churn"))


@dataclass(frozen=True)
class Took:
    """What a verb took: minutes by the clock and of CPU, and the largest resident sets."""

    verb: str
    minutes: float
    cpu_minutes: float
    gib: float


def main() -> None:
    """Make the company if it is not there, run the verbs, and hold them against the figures."""
    options = _options()
    folder = folder_of(options.cache, options.accounts, options.months)
    home, company = folder / "home", folder / "company"
    if not company.is_dir():
        _tenure(home, "simulate", *_sample(company, options.accounts, options.months))
        _tenure(home, "validate", str(company))
    shutil.rmtree(home / "snapshots", ignore_errors=True)
    took = [_tenure(home, *verb, "--source", str(company)) for verb in VERBS]
    print(taken(took))
    (folder / "took.json").write_text(json.dumps([vars(each) for each in took], indent=1))
    sys.exit(int(not is_reached(took)))


def folder_of(cache: Path, accounts: int = ACCOUNTS, months: int = MONTHS) -> Path:
    """Name the folder of a company and of what its training took."""
    return cache / "large_training" / f"{accounts}-{months}"


def is_reached(took: Sequence[Took]) -> bool:
    """Tell whether the verbs took no more than they may."""
    minutes, gib = sum(each.minutes for each in took), max(each.gib for each in took)
    return minutes <= MOST_MINUTES and gib <= MOST_GIB


def taken(took: Sequence[Took]) -> str:
    """Write what each verb took, and all together, as a table."""
    minutes, gib = sum(each.minutes for each in took), max(each.gib for each in took)
    rows = [[t.verb, f"{t.minutes:.1f}", f"{t.cpu_minutes:.1f}", f"{t.gib:.1f}"] for t in took]
    reach = ["to reach", f"{MOST_MINUTES:g} in all", "", f"{MOST_GIB:g}"]
    head = ("verb", "minutes", "CPU minutes", "GiB")
    return table(head, [*rows, ["in all", f"{minutes:.1f}", "", f"{gib:.1f}"], reach])


def section(cache: Path) -> str:
    """Give the large training's part of the results, from what `make large-training` kept."""
    kept = folder_of(cache) / "took.json"
    if not kept.is_file():
        said = "Not measured: `make large-training` has kept nothing here."
    else:
        took = [Took(**each) for each in json.loads(kept.read_text())]
        verdict = "Reached." if is_reached(took) else "**Not reached.**"
        said = f"{taken(took)}\n\n{verdict}"
    return (
        f"## A company of {ACCOUNTS:,} accounts\n\n"
        f"{MONTHS - 1} monthly snapshots, from checked tables to a model that is registered and "
        "back-tested, features built anew, on 2 cores: one run of `make large-training`. What a "
        "training costs beside its bare boosters, [another page](training-cost.md) tells.\n\n"
        f"{said}\n"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--months", type=int, default=MONTHS)
    return parser.parse_args()


def _sample(company: Path, accounts: int, months: int) -> tuple[str, ...]:
    sizes = {"accounts": accounts, "months": months, "seed": SEED}
    options = [text for name, size in sizes.items() for text in (f"--{name}", str(size))]
    return ("--out", str(company), *options)


def _tenure(home: Path, *arguments: str) -> Took:
    """Run a verb, and charge it with every process that it starts; SystemExit where it fails."""
    home.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    cost = charged(
        [sys.executable, "-m", "tenure", *arguments],
        env={**os.environ, "TENURE_HOME": str(home)},
    )
    return Took(
        verb=arguments[0],
        minutes=(time.monotonic() - started) / 60,
        cpu_minutes=cost.cpu_s / 60,
        gib=cost.mb / 1024,
    )


if __name__ == "__main__":
    main()
