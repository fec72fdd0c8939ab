"""Check that the sample company is as hard as it is meant to be.

    python -m benchmarks.sample_company [--seeds 1 2 3] [--accounts 2000] [--write FILE]

Run from the project's root. Outcomes come from the contract's labels over the checked tables, the
oracle from futures played forward from the hidden state. With --write the figures go into FILE,
between the lines <!-- figures --> and <!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from features.build import feature_table
from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from features.spine import account_states
from models.churn import CHURN
from models.expansion import EXPANSION
from training.labels import label, outcome_within
from training.oracle import can_leave_within, oracle_probabilities

HORIZON_DAYS = 90
MONTHS = 48
ORIGINS = pd.to_datetime(
    ["2024-01-01", "2024-05-01", "2024-09-01", "2025-01-01", "2025-05-01", "2025-08-01"]
)
RANGES = "oracle 0.75 to 0.85; time to renewal below 0.60; best single feature below 0.68"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
COLUMNS = (
    "seed",
    "population",
    "rows",
    "churned",
    "base rate",
    "oracle's mean",
    "oracle AUC",
    "time to renewal AUC",
    "best single feature AUC",
    "which",
)


@dataclass(frozen=True)
class Company:
    """A sample company, checked, with what came true, what the oracle says and its features."""

    rows: pd.DataFrame
    features: tuple[str, ...]
    expansion_rate: float


def main() -> None:
    """Make a company for each seed, and print how hard it is."""
    parser = argparse.ArgumentParser(description="Check the sample company's calibration.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    made = (
        f"Made by `python -m benchmarks.sample_company --accounts {options.accounts} --seeds "
        f"{' '.join(map(str, options.seeds))}`: {HORIZON_DAYS} days, "
        f"{len(ORIGINS)} dates from {ORIGINS[0]:%Y-%m-%d} to {ORIGINS[-1]:%Y-%m-%d}. Meant, among "
        f"accounts that can leave: {RANGES}."
    )
    lines = [
        made,
        "",
        _line(COLUMNS),
        _line(["---"] * len(COLUMNS)),
    ]
    expansions = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            company = measure(Path(folder), seed, options.accounts)
        lines += [_line(row) for row in figures(company, seed)]
        expansions.append(f"{company.expansion_rate:.1%} (seed {seed})")
        print(lines[-2], lines[-1], sep="\n", file=sys.stderr, flush=True)
    lines += ["", f"Expansion within {HORIZON_DAYS} days: {', '.join(expansions)}."]
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def measure(folder: Path, seed: int, accounts: int) -> Company:
    """Make, check and observe one company."""
    simulate(folder / "company", accounts=accounts, months=MONTHS, seed=seed)
    source = check(str(folder / "company"), home=Home(folder / "home"))
    return observe(source, folder / "company", ORIGINS)


def observe(source: CheckedSource, company: Path, dates: Sequence[pd.Timestamp]) -> Company:
    """Join states, labels, oracle and features of the active accounts, one row per date."""
    states = account_states(source, dates)
    states = states[states["status"] == "active"].reset_index(drop=True)
    churned = outcome_within(label(source, states, CHURN), HORIZON_DAYS)
    grown = outcome_within(label(source, states, EXPANSION), HORIZON_DAYS)
    rows = states.assign(churned=churned, can_leave=can_leave_within(states, HORIZON_DAYS))
    oracle = oracle_probabilities(company, dates, "churn", [HORIZON_DAYS])
    table = feature_table(source, states)
    names = tuple(c for c in table.columns if c not in ("account_id", "as_of"))
    rows = rows.merge(oracle, on=["account_id", "as_of"]).merge(table, on=["account_id", "as_of"])
    rows = rows[rows["churned"].notna()].reset_index(drop=True)
    return Company(rows, names, float(np.nanmean(grown)))


def figures(company: Company, seed: int) -> list[list[str]]:
    """Give the figures of those that can leave, and pooled."""
    can_leave = company.rows[company.rows["can_leave"]]
    populations = (("can leave", can_leave), ("pooled", company.rows))
    return [_figures(rows, company.features, seed, name) for name, rows in populations]


def _figures(rows: pd.DataFrame, features: tuple[str, ...], seed: int, name: str) -> list[str]:
    churned = rows["churned"].to_numpy()
    days = (rows["term_ends_at"] - rows["as_of"]) / pd.Timedelta(days=1)
    alone = {column: single_auc(churned, rows[column]) for column in features}
    best = max(alone, key=lambda column: alone[column])
    return [
        str(seed),
        name,
        str(len(rows)),
        str(int(churned.sum())),
        f"{churned.mean():.3f}",
        f"{rows['probability'].mean():.3f}",
        f"{roc_auc_score(churned, rows['probability']):.3f}",
        f"{single_auc(churned, days):.3f}",
        f"{alone[best]:.3f}",
        f"`{best}`",
    ]


def single_auc(outcome: np.ndarray, feature: pd.Series) -> float:
    """AUC of one feature alone, in its better direction; missing stands in the middle."""
    if feature.notna().sum() == 0:
        return 0.5
    auc = roc_auc_score(outcome, feature.fillna(feature.median()).astype(float))
    return float(max(auc, 1 - auc))


def write_between(page: Path, lines: Sequence[str]) -> None:
    """Put lines between a page's two marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text("\n".join([before + BEGIN, "", *lines, "", END + after]))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
