"""Hold one hazard for all horizons against one classifier for each, in the same back-tests.

    python -m benchmarks.hazard_or_direct [--seeds 31 32 33] [--accounts 500]
        [--questions churn expansion] [--write FILE]

Run from the project's root. Each seed makes a sample company, and both forms are trained at the
same past dates on the same features, with the same settings and the same way to calibrate. Rows of
all companies are put together; intervals are over customer groups. With --write the figures go into
FILE, between the lines <!-- figures --> and <!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import between, table
from benchmarks.sample_company import MONTHS, write_between
from features.built import built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.question import Question
from models.questions import QUESTIONS
from training.backtest import backtest
from training.evaluate import measured, paired, populations
from training.fit import BoosterParams

HEAD = ("question, horizon", "rows (events)", "form", "AUC", "log loss", "observed / expected")
HEAD_DIFFERENCE = (
    "question, horizon",
    "AUC, all",
    "log loss, all",
    "AUC, can leave within the horizon",
    "log loss, can leave within the horizon",
)


def main() -> None:
    """Roll back-tests over companies, and print how the two forms did."""
    parser = argparse.ArgumentParser(description="One hazard, or one classifier for each horizon.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, default=["churn", "expansion"])
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    tested: dict[str, list[pd.DataFrame]] = {}
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for question in (QUESTIONS[name] for name in options.questions):
                rows = tested_rows(Path(folder), question, seed, options.accounts)
                tested.setdefault(question.name, []).append(rows)
                _say(f"seed {seed}, {question.name}: {len(rows):,} rows")
    command = (
        f"python -m benchmarks.hazard_or_direct --accounts {options.accounts} --seeds "
        f"{' '.join(map(str, options.seeds))} --questions {' '.join(options.questions)}"
    )
    lines = page(command, {name: pd.concat(parts) for name, parts in tested.items()})
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def tested_rows(folder: Path, question: Question, seed: int, accounts: int) -> pd.DataFrame:
    """Give the back-test's rows of a sample company, made at the first call."""
    company, home = folder / "company", Home(folder / "home")
    if not company.exists():
        simulate(company, accounts=accounts, months=MONTHS, seed=seed)
    source = check(str(company), home=home)
    history = built(source, month_starts(source), home=home)
    rows = backtest(history, question, params=BoosterParams(), direct=True).test_rows
    return rows.assign(customer_group=f"{seed}-" + rows["customer_group"].astype(str))


def page(command: str, tested: dict[str, pd.DataFrame]) -> list[str]:
    """Give the figures as lines of Markdown."""
    names = [(name, days) for name, rows in tested.items() for days in horizons_of(rows)]
    figures = [line for name, days in names for line in both_forms(tested[name], name, days)]
    differences = [difference(tested[name], name, days) for name, days in names]
    falls = [fallen(rows, name) for name, rows in tested.items()]
    return [
        f"Made by `{command}`: {MONTHS} months a company, six origins each, intervals of 95 %.",
        "",
        table(HEAD, figures),
        "",
        "Hazard less classifier, on the same rows and draws; a lower log loss is better:",
        "",
        table(HEAD_DIFFERENCE, differences),
        "",
        *falls,
    ]


def horizons_of(rows: pd.DataFrame) -> list[int]:
    """Give the horizons that every company's back-test could answer."""
    full = rows.dropna(axis=1, how="all")
    return [days for days in CHURN.horizons_days if {f"direct__{days}d"} <= set(full.columns)]


def both_forms(rows: pd.DataFrame, name: str, days: int) -> list[list[str]]:
    """Give the figures of both forms at one horizon."""
    outcome, groups = _outcome(rows, days), rows["customer_group"].to_numpy(dtype=object)
    lines = []
    for form, column in (("hazard", "probability"), ("classifier", "direct")):
        found = measured(outcome, rows[f"{column}__{days}d"].to_numpy(), groups)
        is_first = form == "hazard"
        lines.append(
            [
                f"{name}, {days} days" if is_first else "",
                f"{found['rows']:,} ({found['events']:,})" if is_first else "",
                form,
                *(
                    between(found[metric]) if found[metric] else "none"
                    for metric in ("auc", "log_loss", "observed_over_expected")
                ),
            ]
        )
    return lines


def difference(rows: pd.DataFrame, name: str, days: int) -> list[str]:
    """Give how far the hazard lies above, of all rows and of those that can leave."""
    cells = [f"{name}, {days} days"]
    for member in ("pooled", "can_leave"):
        part = rows[populations(rows, days)[member]]
        hazard, direct = (part[f"{kind}__{days}d"].to_numpy() for kind in ("probability", "direct"))
        groups = part["customer_group"].to_numpy(dtype=object)
        found = paired(_outcome(part, days), hazard, direct, groups)
        cells += [_signed(found[metric]) if found else "none" for metric in ("auc", "log_loss")]
    return cells


def fallen(rows: pd.DataFrame, name: str) -> str:
    """Say how often a form's probability falls where the horizon grows."""
    days = horizons_of(rows)
    told = []
    for form, column in (("hazard", "probability"), ("classifiers", "direct")):
        curves = rows[[f"{column}__{each}d" for each in days]].to_numpy(dtype=float)
        drop = np.maximum(-np.diff(curves, axis=1).min(axis=1), 0)
        told.append(
            f"by the {form} in {(drop > 0).mean():.1%} of rows, by {drop.max():.3f} at most"
        )
    return f"The probability of {name} falls where the horizon grows {'; '.join(told)}."


def _outcome(rows: pd.DataFrame, days: int) -> np.ndarray:
    return rows[f"outcome__{days}d"].to_numpy(dtype=float)


def _signed(figure: dict[str, float]) -> str:
    return f"{figure['value']:+.4f} [{figure['low']:+.4f}, {figure['high']:+.4f}]"


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
