"""Hold what was said of renewals against what came, with other ways to part an interval's losses.

    python -m benchmarks.renewals [--seeds 31 32 33] [--accounts 300] [--write FILE]

Run from the project's root. Each seed makes a sample company whose churn is back-tested. On the
rows of all of them the probability to renew, as `models.renewal` makes it, stands beside those that
would take the interval of the renewal as a whole, or part it by its days alone. Intervals are over
customer groups. With --write the figures go into FILE, between the lines <!-- figures --> and
<!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.figures import between, table
from benchmarks.sample_company import MONTHS, write_between
from features.built import built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.intervals import TERM_END, TERM_MONTHS
from models.renewal import AtTermEnd
from training.backtest import backtest
from training.evaluate import paired
from training.fit import BoosterParams
from training.renewals import CAME, SAID, renewals

HEAD = ("renewals", "rows", "said", "renewed", "of the failed: AUC", "observed / expected", "slope")
HEAD_FORMS = (
    "losses of the interval",
    "said",
    "renewed",
    "observed / expected",
    "calibration error",
    "log loss above it",
)
AS_IT_IS = "parted as training counted"
OTHERS = {
    "counted whole": AtTermEnd(monthly=1.0, longer=1.0),
    "parted by days alone": AtTermEnd(monthly=0.0, longer=0.0),
}
FIGURES = ("auc", "observed_over_expected")


def main() -> None:
    """Roll back-tests over companies, and print how renewals were told."""
    parser = argparse.ArgumentParser(description="What was said of renewals, and what came.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    parts = []
    for seed in options.seeds:
        parts.append(tested_rows(seed, options.accounts))
        print(f"seed {seed}: {len(parts[-1]):,} rows", file=sys.stderr, flush=True)
    seeds = " ".join(map(str, options.seeds))
    command = f"python -m benchmarks.renewals --accounts {options.accounts} --seeds {seeds}"
    lines = page(command, pd.concat(parts, ignore_index=True))
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def tested_rows(seed: int, accounts: int) -> pd.DataFrame:
    """Give the back-test's rows of a sample company whose next renewal is known."""
    with tempfile.TemporaryDirectory() as folder:
        company, home = Path(folder) / "company", Home(Path(folder) / "home")
        simulate(company, accounts=accounts, months=MONTHS, seed=seed)
        source = check(str(company), home=home)
        history = built(source, month_starts(source), home=home)
        rows = backtest(history, CHURN, params=BoosterParams()).test_rows
    days = (rows["term_ends_at"] - rows["as_of"]).dt.days.astype(float)
    told = rows.assign(
        **{TERM_END: days, TERM_MONTHS: rows["term_months"]},
        customer_group=f"{seed}-" + rows["customer_group"].astype(str),
    )
    return told.dropna(subset=[SAID, CAME])


def page(command: str, rows: pd.DataFrame) -> list[str]:
    """Give the figures as lines of Markdown."""
    found = renewals(rows, CHURN) or {}
    parts = {"all": found["all"], **found["by_time"]}
    parts |= {f"term: {name}": part for name, part in found["by_term"].items()}
    return [
        f"Made by `{command}`: {MONTHS} months a company, six origins each, intervals of 95 %.",
        "",
        table(HEAD, [_line(name, part) for name, part in parts.items()]),
        "",
        "The same rows, with the losses of the renewal's interval parted otherwise:",
        "",
        table(
            HEAD_FORMS, [_form(name, rows, at) for name, at in {AS_IT_IS: None, **OTHERS}.items()]
        ),
    ]


def _line(name: str, part: Mapping[str, Any]) -> list[str]:
    figures = [between(part[each]) if part[each] else "none" for each in FIGURES]
    slope = part["calibration_slope"]
    return [
        name,
        f"{part['rows']:,}",
        f"{part['said']:.3f}",
        between(part["renewed"]),
        *figures,
        "none" if slope is None else between(slope),
    ]


def _form(name: str, rows: pd.DataFrame, at: AtTermEnd | None) -> list[str]:
    own = rows[SAID].to_numpy(dtype=float)
    said = own
    if at is not None:
        days = [f"probability__{each}d" for each in CHURN.horizons_days]
        said = at.renewal_probabilities(CHURN, rows[days].to_numpy(dtype=float), rows)
    every = (renewals(rows.assign(**{SAID: said}), CHURN) or {})["all"]
    failed, groups = 1 - rows[CAME].to_numpy(dtype=float), rows["customer_group"].to_numpy(object)
    above = None if at is None else paired(failed, 1 - said, 1 - own, groups)
    loss = above["log_loss"] if above else None
    return [
        name,
        f"{np.mean(said):.3f}",
        between(every["renewed"]),
        between(every["observed_over_expected"]),
        between(every["calibration_error"]),
        f"{loss['value']:+.4f} [{loss['low']:+.4f}, {loss['high']:+.4f}]" if loss else "",
    ]


if __name__ == "__main__":
    main()
