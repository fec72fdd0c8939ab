"""Features that change when rows known later are added: the poison test, as findings."""

from collections.abc import Iterable

from features.built import Built
from features.poison import STATES, Changed, Poisoned, poison
from models.audit_checks import LATER_ROWS
from training.audit.finding import Finding, not_computed

Checked = tuple[str, tuple[Finding, ...]]


def later_rows(built: Built, asked: Iterable[str], poisoned: Poisoned | None = None) -> Checked:
    """Compare features with those of the source cut at past dates.

    Parameters
    ----------
    built
        What the model learns from.
    asked
        Its features; of others, nothing is said.
    poisoned
        `features.poison.poison` of the same `built`, where it was made before.

    Returns
    -------
    What was looked at, and a blocking finding for each column that changes.
    """
    names = (*STATES, *asked)
    found = poisoned or poison(built)
    untold = [name for name in names if name not in found.columns]
    if not found.rows:
        why = "no feature is declared, or no date of the table lies before the extract's."
        return f"Nothing was compared: {why}", (not_computed(LATER_ROWS, why),)
    said = (
        f"{len(names) - len(untold)} columns of {found.rows:,} accounts at {found.dates} past "
        "dates are the same to the bit from the source cut at the date"
    )
    changed = [each for each in found.changed if each.column in names]
    findings = [_finding(each, found.rows) for each in changed]
    if untold:
        why = f"{', '.join(untold[:3])} of the table is not declared, nor a state."
        findings.append(not_computed(LATER_ROWS, why))
    but = f", but for {len(changed)}" if changed else ""
    return f"{said}{but}.", tuple(findings)


def _finding(changed: Changed, rows: int) -> Finding:
    message = (
        f"{changed.column} changes with rows known later, in {changed.rows:,} of {rows:,} rows "
        f"compared: as of {changed.as_of:%Y-%m-%d}, one account has "
        f"{changed.standing}, but {changed.known} by what was known then."
    )
    return Finding("changes with later rows", changed.column, message, blocking=True)
