"""The public sets with a history: from source tables to figures on later months."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from benchmarks.figures import between, difference_cells, table
from benchmarks.floors import FLOORS, HANDFUL
from features.built import Built, built, month_starts
from features.errors import TooLittleDataError
from features.home import Home
from features.sources.check import check
from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.heldout import HeldOut
from training.prepare import labelled_rows
from training.run import Trained, train
from training.splits import on_record, outcome_known_by
from training.table import train_table

HEAD = (
    "set and question",
    "test rows (events)",
    "README's floor",
    "model",
    "AUC",
    "AP",
    "Tenure above it (AUC)",
    "reached",
)
JOURNEYS = Path(__file__).resolve().parent.parent / "tests" / "journeys"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """One question to one set, and what the README's floor reached on its own rows."""

    data: str
    words: str
    question: Question
    readme: str


ASKED = (
    Asked("r3n0va_saas", "churn in 90 days", CHURN, "LightGBM .616 [.55, .67], logistic .635"),
    Asked(
        "r3n0va_saas",
        "expansion in 90 days, any rise",
        replace(EXPANSION, change_threshold=0.0001),
        "LightGBM .747 [.73, .77]",
    ),
    Asked("r3n0va_saas", "expansion in 90 days, 10 % (the contract's)", EXPANSION, "none"),
    Asked(
        "crm5",
        "churn in 60 days",
        replace(CHURN, horizons_days=(30, 60, 90), main_horizon_days=60),
        "LightGBM .668 [.62, .72]",
    ),
    Asked("crm5", "churn in 90 days (the contract's)", CHURN, "none"),
    Asked(
        "crm5",
        "expansion in 60 days, 15 %",
        replace(EXPANSION, horizons_days=(30, 60, 90), main_horizon_days=60, change_threshold=0.15),
        "LightGBM .846 [.81, .89]",
    ),
    Asked("crm5", "expansion in 90 days, 10 % (the contract's)", EXPANSION, "none"),
)


def section(data: Path, aside: Path, say: Say) -> str:
    """Measure each question on each set with a history."""
    histories = {name: read(data, name, aside, say) for name in ("r3n0va_saas", "crm5")}
    rows, notes = [], []
    for asked in ASKED:
        say(f"{asked.data}: {asked.words}")
        trained = train(histories[asked.data], asked.question)
        rows += _rows(asked, trained, histories[asked.data])
        notes += _notes(asked, trained)
    about = (
        "From source tables through `tests/journeys/<set>/source.toml`, the check, the features, "
        "the labels and the training that `tenure train` runs. Tested on the last quarter of the "
        "months; a row is learned from only if its window and the grace were over before. The "
        "floors learn from the same rows, with a handful of features and no tuning.\n"
    )
    parts = ["## Source tables with a history\n", about, table(HEAD, rows), *notes, ""]
    return "\n".join([*parts, _ravenstack(data, aside, say)])


def read(data: Path, name: str, aside: Path, say: Say) -> Built:
    """Check a public set, read in place, and build its features at each month's start."""
    say(f"{name}: checking and building features")
    folder = aside / name
    folder.mkdir()
    mapping = (JOURNEYS / name / "source.toml").read_text(encoding="utf-8")
    usual = f'folder = "../../../../shared/data/{name}"'
    place = f'folder = "{(data / name).resolve().as_posix()}"'
    (folder / "source.toml").write_text(mapping.replace(usual, place), encoding="utf-8")
    home = Home(aside / "home")
    source = check(str(folder), home=home)
    return built(source, month_starts(source), home=home)


def _rows(asked: Asked, trained: Trained, history: Built) -> list[list[str]]:
    question, tested = trained.bundle.question, trained.test_rows
    days = question.main_horizon_days
    outcome = tested[f"outcome__{days}d"].to_numpy() > 0
    groups = tested["customer_group"].to_numpy(dtype=object)
    held = HeldOut(outcome, tested[f"probability__{days}d"].to_numpy()[None, :], groups)
    metrics = trained.metrics
    size = f"{len(outcome):,} ({int(outcome.sum()):,})"
    name = f"{asked.data}: {asked.words}"
    rows = [
        [
            name,
            size,
            asked.readme,
            "Tenure",
            between(metrics["auc"]),
            between(metrics["average_precision"]),
            "",
            "",
        ]
    ]
    for floor, guess in _floors(trained, history).items():
        below = HeldOut(outcome, guess[None, :], groups)
        rows.append(["", "", "", f"floor, {floor}", *difference_cells(held, below)])
    return rows


def _floors(trained: Trained, history: Built) -> Mapping[str, np.ndarray]:
    question = trained.bundle.question
    border = trained.split.test_from
    rows = on_record(labelled_rows(history, question), border, question)
    known = outcome_known_by(rows, question.main_horizon_days, border, question)
    learn = np.isfinite(known)
    handful = [name for name in HANDFUL if name in rows.columns]
    return {
        name: fit(rows.loc[learn, handful], known[learn], trained.test_rows[handful])
        for name, fit in FLOORS
    }


def _notes(asked: Asked, trained: Trained) -> list[str]:
    found = [finding.message for finding in trained.audit.findings if finding.blocking]
    return [f"\nThe leak audit on {asked.data}, {asked.words}: {message}" for message in found]


def _ravenstack(data: Path, aside: Path, say: Say) -> str:
    say("ravenstack: bad rows, too few losses, and a label with nothing behind it")
    history = read(data, "ravenstack", aside, say)
    source = history.source
    lines = ["### ravenstack: nothing to find, and a bad extract\n"]
    lines += [
        f"- {finding.table}: {finding.message} ({finding.rows:,} rows, {finding.share:.0%})."
        for finding in source.findings
        if finding.level in {"error", "warning"}
    ]
    try:
        train(history, CHURN)
        lines.append("- `tenure train churn` trained, which it should not have.")
    except TooLittleDataError as error:
        lines.append(f"- `tenure train churn` refuses: {error}")
    trained = train_table(ravenstack_table(data), CHURN)
    lines.append(
        "- `tenure train churn --table`, with the label 'a churn event within 90 days' "
        f"(`tests/journeys/ravenstack/table.sql`): {trained.verdict} "
        "The README's figure, by tenure alone, is .57 to .59.\n"
    )
    return "\n".join(lines)


def ravenstack_table(data: Path) -> pd.DataFrame:
    """Build the ready feature table of ravenstack."""
    connection = duckdb.connect()
    folder = str(data / "ravenstack").replace("'", "''")
    connection.execute(f"SET file_search_path = '{folder}'")
    query: Any = (JOURNEYS / "ravenstack" / "table.sql").read_text(encoding="utf-8")
    return connection.execute(query).df()
