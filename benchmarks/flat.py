"""The flat public sets: `tenure train --table` against the floor, on the same folds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import between, difference_cells, table
from benchmarks.floors import by_folds
from models.churn import CHURN
from models.made_from import TableRoles
from training.heldout import HeldOut
from training.ready import numbers_in, outcomes
from training.table import TableTrained, train_table
from training.table_file import read_table

Say = Callable[[str], None]


HEAD = (
    "set",
    "rows (events)",
    "README's floor",
    "model",
    "AUC",
    "AP",
    "Tenure above it (AUC)",
    "reached",
)


@dataclass(frozen=True)
class Flat:
    """One flat set, the columns kept from both, and what the README's floor reached."""

    name: str
    file: str
    label: str
    dropped: tuple[str, ...]
    accept: tuple[str, ...]
    readme: str


FLAT = (
    Flat("telco", "telco/Telco_customer_churn.csv", "Churn Value", (), (), ".859, AP .678"),
    Flat(
        "telco with `Churn Score` taken on against the audit",
        "telco/Telco_customer_churn.csv",
        "Churn Value",
        (),
        ("Churn Score",),
        ".983, a leak",
    ),
    Flat(
        "pysurvival without months_active",
        "pysurvival/churn.csv",
        "churned",
        ("months_active",),
        (),
        ".917, AP .862",
    ),
    Flat("pysurvival", "pysurvival/churn.csv", "churned", (), (), ".927"),
)


def section(data: Path, say: Say) -> str:
    """Measure each flat set."""
    rows, audits = [], []
    for flat in FLAT:
        say(f"{flat.name}: five folds, five times")
        trained, floor = _measure(data, flat)
        metrics = trained.metrics
        size = f"{len(trained.rows):,} ({int(trained.held_out.outcome.sum()):,})"
        rows.append(
            [
                flat.name,
                size,
                flat.readme,
                "Tenure",
                between(metrics["auc"]),
                between(metrics["average_precision"]),
                "",
                "",
            ]
        )
        rows.append(["", "", "", "floor, LightGBM", *difference_cells(trained.held_out, floor)])
        audits += [
            f"- {flat.name}: {finding.message}" + ("" if finding.blocking else " (only told)")
            for finding in trained.audit.findings
            if not flat.accept
        ]
    about = (
        "`tenure train churn --table`, five folds by five seeds, a figure being the mean over the "
        "seeds; the floor takes the same folds. Columns that the leak audit blocks are left out of "
        "both, unless somebody takes one on.\n"
    )
    said = "\nWhat the audit says by itself:\n"
    return "\n".join(["## Flat tables\n", about, table(HEAD, rows), said, *audits, ""])


def _measure(data: Path, flat: Flat) -> tuple[TableTrained, HeldOut]:
    frame = read_table(data / flat.file).drop(columns=list(flat.dropped))
    roles = TableRoles(label=flat.label, accept=flat.accept)
    trained = train_table(frame, CHURN, roles)
    offered = frame[list(trained.bundle.features)]
    ready = {
        name: numbers for name in offered if (numbers := numbers_in(offered[name])) is not None
    }
    hit = outcomes(frame[flat.label]) == 1
    floor = by_folds(offered.assign(**ready), hit)
    return trained, HeldOut(hit, floor, trained.held_out.groups)
