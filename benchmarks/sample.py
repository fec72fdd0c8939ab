"""The sample company, whose truth is known: what share of the best possible skill is reached."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import between, table
from features.built import built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.chance import auc as alone
from training.evaluate import populations
from training.heldout import HeldOut, figure, figures
from training.heldout import auc as auc_under
from training.oracle import oracle_probabilities, skill_share
from training.run import Trained, train

Say = Callable[[str], None]

PLAYS = 500
WORDS = {
    "can_leave": "can leave within 90 days",
    "pooled": "all scored accounts",
}


def section(aside: Path, say: Say, accounts: int) -> str:
    """Make a company, train on its tables, and hold the models against its truth."""
    company = aside / "sample"
    say(f"sample company of {accounts:,} accounts: living, checking, building features")
    simulate(company, accounts=accounts)
    source = check(str(company), home=Home(aside / "home"))
    history = built(source, month_starts(source), home=Home(aside / "home"))
    rows: list[list[str]] = []
    reliability: list[str] = []
    for question in (CHURN, EXPANSION):
        say(f"sample company: {question.name}, and {PLAYS} futures for each test date")
        trained = train(history, question)
        rows += _rows(company, trained, question)
        reliability.append(_reliability(question, trained))
    head = ["population", "rows (events)", "model", "AUC", "AP", "share of the oracle's skill"]
    about = (
        f"`tenure simulate` with its defaults ({accounts:,} accounts, 48 months, seed 1). The "
        "oracle is P(event within 90 days | everything true at the date): the hidden state played "
        f"forward {PLAYS} times, never what came true. Skill is AUC minus 0.5. Monthly accounts, "
        "and those whose term ends within the 90 days, are the ones that can leave in them."
    )
    tenths = "\n### Calibration on the test months\n"
    heading = "## The sample company, against the best possible model\n"
    return "\n".join([heading, about + "\n", table(head, rows), tenths, *reliability])


def _rows(company: Path, trained: Trained, question: Question) -> list[list[str]]:
    days = question.main_horizon_days
    tested = trained.test_rows.merge(_truth(company, trained, question), on=["account_id", "as_of"])
    lines = []
    for name, member in populations(tested, days).items():
        if name in WORDS:
            lines += _population(f"{question.name}: {WORDS[name]}", tested[member], trained, days)
    return lines


def _truth(company: Path, trained: Trained, question: Question) -> pd.DataFrame:
    dates = [stamp.to_pydatetime() for stamp in sorted(trained.test_rows["as_of"].unique())]
    days = question.main_horizon_days
    truth = oracle_probabilities(company, dates, question.name, [days], plays=PLAYS)
    return truth.rename(columns={"probability": "oracle"})[["account_id", "as_of", "oracle"]]


def _population(name: str, rows: pd.DataFrame, trained: Trained, days: int) -> list[list[str]]:
    outcome = rows[f"outcome__{days}d"].to_numpy() > 0
    groups = rows["customer_group"].to_numpy(dtype=object)
    best, best_name = _best_feature(rows, trained.bundle.features, outcome)
    guesses = {
        "oracle": rows["oracle"].to_numpy(dtype=float),
        "Tenure": rows[f"probability__{days}d"].to_numpy(dtype=float),
        f"best single feature, `{best_name}`": best,
        "time to renewal alone": -_days_to_term_end(rows),
    }
    scale = figure(auc_under, HeldOut(outcome, guesses["oracle"][None, :], groups), 2)["value"]
    lines = []
    for model, guess in guesses.items():
        held = HeldOut(outcome, guess[None, :], groups)
        own = (
            figures(held, 200)
            if model in {"oracle", "Tenure"}
            else {"auc": figure(auc_under, held, 200)}
        )
        precision = between(own["average_precision"]) if "average_precision" in own else ""
        share = f"{skill_share(own['auc']['value'], scale):.0%}"
        is_first = model == "oracle"
        size = f"{len(rows):,} ({int(outcome.sum()):,})" if is_first else ""
        lines.append([name if is_first else "", size, model, between(own["auc"]), precision, share])
    return lines


def _best_feature(
    rows: pd.DataFrame, features: tuple[str, ...], outcome: np.ndarray
) -> tuple[np.ndarray, str]:
    """Give the feature that alone ranks best, either way up; picked on these very rows."""
    ranked = []
    for name in features:
        values = rows[name].fillna(rows[name].median()).fillna(0.0).to_numpy(dtype=float)
        ways = (values, -values)
        ranked += [(alone(way, outcome), name, way) for way in ways]
    _, name, values = max(ranked, key=lambda each: each[0])
    return values, name


def _days_to_term_end(rows: pd.DataFrame) -> np.ndarray:
    days = (rows["term_ends_at"] - rows["as_of"]).dt.total_seconds().to_numpy(dtype=float) / 86_400
    return np.where(np.isnan(days), 0.0, days)


def _reliability(question: Question, trained: Trained) -> str:
    cells = [
        [f"{tenth['rows']:,}", f"{tenth['predicted']:.3f}", f"{tenth['observed']:.3f}"]
        for tenth in trained.reliability
    ]
    ratio, slope = trained.metrics["observed_over_expected"], trained.metrics["calibration_slope"]
    about = (
        f"{question.name.capitalize()} within {question.main_horizon_days} days, by tenth of the "
        f"predicted probability; observed over expected {between(ratio)}, slope {between(slope)} "
        "(1 is right).\n"
    )
    return "\n".join([about, table(["rows", "predicted", "observed"], cells), ""])
