"""Companies that no development looked at: how much of the best possible skill is reached, and why.

    python -m benchmarks.seeds [--seeds 101 102 ...] [--accounts 2000] [--cache DIR] [--make]

Run from the project's root; prints what `make results` writes of them. What was made of a seed is
kept in the cache (or BENCHMARKS_CACHE): take an empty one after a change. --make only makes them.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.bounds import MANY, MANY_SEEING, OWN, Shares, share, shares
from benchmarks.companies import PLAYS, QUESTIONS, Company, Kept
from benchmarks.figures import table
from benchmarks.sample_company import MONTHS
from models.question import Question
from training.evaluate import measured

Say = Callable[[str], None]

SEEDS = tuple(range(101, 111))
SHARE = {"churn": 0.85, "expansion": 0.80}
"""The share of the oracle's skill to reach."""
SLOPE, RATIO, ERROR = (0.8, 1.2), (0.9, 1.1), 0.1
"""Calibration slope, observed over expected, and calibration error over the base rate."""
ASKED = ("figure", "to reach", "measured", "reached", "the oracle's own")
BY_SEED = (
    "seed",
    "rows (events)",
    "share of skill",
    "slope",
    "observed / expected",
    "error / base rate",
    "the oracle's",
    "log loss above the nearest baseline's",
)


def section(kept: Kept, seeds: Sequence[int], say: Say) -> str:
    """Give the companies' part of the results; what is missing of them is made first."""
    for seed in seeds:
        say(f"seed {seed}: living, checking, building features, training, rolling back")
        kept.make(seed)
    head = (
        f"## {len(seeds)} companies that no development looked at\n\n"
        f"Seeds {seeds[0]} to {seeds[-1]}, {kept.accounts:,} accounts over {MONTHS} months each, "
        "the test period of a training. Skill is AUC less 0.5, among accounts that can leave "
        f"within the horizon; the oracle plays the hidden state forward {PLAYS} times. Calibration "
        f"is of all scored accounts, pooled over the {len(seeds)} companies: what one has too many "
        "of, another may have too few of, so that each alone is told beside it. What chance alone "
        "makes of it, the oracle's own shows. Log "
        "loss is held against each baseline in the rolling "
        "back-test: all origins of a company together, and each alone.\n"
    )
    parts = [of_question(kept, seeds, question, say) for question in QUESTIONS]
    return "\n".join([head, *parts])


def of_question(kept: Kept, seeds: Sequence[int], question: Question, say: Say) -> str:
    """Give the figures to reach, those of each company, and what keeps them from the oracle's."""
    tested, tests, lines = [], [], []
    for company in (kept.company(seed, question) for seed in seeds):
        tested.append(company.tested)
        tests.append(company.backtest)
        lines.append(_line(company))
    found = shares(kept, seeds, question, say)
    return "\n".join(
        [
            f"### {question.name.capitalize()} within {question.main_horizon_days} days\n",
            table(ASKED, _asked(tested, found, question)),
            "",
            table(("log loss above a baseline's", "to reach", "measured", "reached"), _held(tests)),
            "",
            table(BY_SEED, lines),
            "",
            "What keeps it from the oracle's skill:\n",
            table(("model", "share of the oracle's skill", "least to most"), _bounds(found)),
            "",
            _apart(found),
            "",
        ]
    )


def _asked(companies: Sequence[pd.DataFrame], found: Shares, question: Question) -> list[list[str]]:
    """Give the figures to reach of all companies' tested rows together, beside the oracle's."""
    tested = pd.concat(companies, ignore_index=True)
    alone = [_calibration(each, question) for each in companies]
    slopes, ratios, errors = zip(*alone, strict=True)
    reached, asked = float(np.mean(found[OWN])), SHARE[question.name]
    slope, ratio, error = _calibration(tested, question)
    of_oracle = [f"{figure:.3g}" for figure in _calibration(_by_oracle(tested, question), question)]
    within = f"{SLOPE[0]} to {SLOPE[1]}", f"{RATIO[0]} to {RATIO[1]}"
    return [
        [
            "share of the oracle's skill, mean of the companies",
            f"{asked:.0%}",
            _spread(found[OWN]),
            _said(reached >= asked),
            "100%",
        ],
        [
            "calibration slope, pooled",
            within[0],
            f"{slope:.2f} (each alone {min(slopes):.2f} to {max(slopes):.2f})",
            _said(SLOPE[0] <= slope <= SLOPE[1]),
            of_oracle[0],
        ],
        [
            "observed over expected, pooled",
            within[1],
            f"{ratio:.2f} (each alone {min(ratios):.2f} to {max(ratios):.2f})",
            _said(RATIO[0] <= ratio <= RATIO[1]),
            of_oracle[1],
        ],
        [
            "calibration error over the base rate, pooled",
            f"below {ERROR}",
            f"{error:.3f} (each alone {min(errors):.3f} to {max(errors):.3f})",
            _said(error < ERROR),
            of_oracle[2],
        ],
    ]


def _held(tests: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Say of how many companies, and origins, the log loss is not better, or surely worse."""
    pooled = [_log_losses(test["above_baselines"]) for test in tests]
    origins = [_log_losses(each["above_baselines"]) for test in tests for each in test["by_origin"]]
    unsure = sum(any(each["high"] >= 0 for each in found) for found in pooled)
    worse = sum(any(each["low"] > 0 for each in found) for found in origins)
    return [
        [
            "companies whose interval, all origins together, does not lie below 0",
            "0",
            f"{unsure} of {len(pooled)}",
            _said(unsure == 0),
        ],
        [
            "origins at which it surely lies above 0",
            "0",
            f"{worse} of {len(origins)}",
            _said(worse == 0),
        ],
    ]


def _log_losses(above: Mapping[str, Any]) -> list[Mapping[str, float]]:
    """Give the paired difference for each baseline; none where it could not be computed."""
    return [found["log_loss"] for found in above.values() if found]


def _line(company: Company) -> list[str]:
    question, tested = company.question, company.tested
    came = tested[f"outcome__{question.main_horizon_days}d"]
    slope, ratio, error = _calibration(tested, question)
    nearest = max(each["value"] for each in _log_losses(company.backtest["above_baselines"]))
    return [
        f"{company.seed}",
        f"{len(tested):,} ({int(came.sum()):,})",
        f"{share(tested, question):.0%}",
        f"{slope:.2f}",
        f"{ratio:.2f}",
        f"{error:.3f}",
        f"{_calibration(_by_oracle(tested, question), question)[2]:.3f}",
        f"{nearest:+.4f}",
    ]


def _by_oracle(tested: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Give the rows with the oracle's word: what came in none of its plays counts as half a one."""
    said = tested["oracle"].clip(0.5 / PLAYS, 1 - 0.5 / PLAYS)
    return tested.assign(**{f"probability__{question.main_horizon_days}d": said})


def _calibration(tested: pd.DataFrame, question: Question) -> tuple[float, float, float]:
    """Give the slope, observed over expected, and the calibration error over the base rate."""
    days = question.main_horizon_days
    came, said = (tested[f"{kind}__{days}d"].to_numpy() for kind in ("outcome", "probability"))
    found = measured(came, said, tested["customer_group"].to_numpy(dtype=object))
    error = found["calibration_error"]["value"] / found["base_rate"]
    return found["calibration_slope"]["value"], found["observed_over_expected"]["value"], error


def _bounds(found: Shares) -> list[list[str]]:
    lines = [[name, _spread(shares), _range(shares)] for name, shares in found.items()]
    return [*lines, ["the oracle", "100 %", ""]]


def _apart(found: Shares) -> str:
    """Part what is missing: to few accounts, to what tables do not show, to the model."""
    own, many, seeing = (float(np.mean(found[name])) for name in (OWN, MANY, MANY_SEEING))
    return (
        f"Of the {1 - own:.1%} that are missing, {many - own:.1%} are for too few accounts, "
        f"{seeing - many:.1%} for what the tables do not show, and {1 - seeing:.1%} for the model."
    )


def _spread(shares: Sequence[float]) -> str:
    error = np.std(shares, ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else np.nan
    return f"{np.mean(shares):.1%} (standard error {error:.1%})"


def _range(shares: Sequence[float]) -> str:
    return f"{min(shares):.0%} to {max(shares):.0%}"


def _said(is_reached: bool) -> str:  # noqa: FBT001 - one word for one answer
    return "yes" if is_reached else "**no**"


def main() -> None:
    """Make what is missing, and print the page's part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--make", action="store_true", help="make the companies, and stop")
    options = parser.parse_args()
    kept = Kept(options.cache / "companies", options.accounts)
    if options.make:
        for seed in options.seeds:
            kept.make(seed)
            _say(f"seed {seed} is there")
    else:
        print(section(kept, options.seeds, _say))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
