"""What `tenure validate` says: for people as text, for scripts as JSON."""

import json
from dataclasses import asdict

from features.checked import CheckedSource, Finding
from features.contracts import TABLES

_HEADINGS = (
    ("error", "Set aside (the row breaks the contract)"),
    ("warning", "Kept, but implausible"),
    ("note", "Notes"),
)


def report_text(source: CheckedSource) -> str:
    """Give the validation report for a terminal, in lines of plain text."""
    guess = " (a guess)" if source.extracted_at_is_guess else ""
    extracted = f"{source.extracted_at:%Y-%m-%d %H:%M} UTC{guess}"
    lines = [
        f"Source extracted at {extracted}, fingerprint {source.fingerprint[:12]}",
        "",
        *_table_lines(source),
    ]
    for level, heading in _HEADINGS:
        findings = [finding for finding in source.findings if finding.level == level]
        if findings:
            lines += ["", f"{heading}:", *(_finding_line(finding) for finding in findings)]
    if source.quarantine:
        lines += ["", f"Each row set aside, with its reason: {source.quarantine}"]
    absent = [name for name in TABLES if not source.has(name)]
    if absent:
        lines += ["", f"Tables that the source does not have: {', '.join(absent)}"]
    return "\n".join(lines)


def report_json(source: CheckedSource) -> str:
    """Give the validation report as one JSON document.

    Its fields: `fingerprint`, `checked` (the folder with the checked Parquet), `extracted_at`,
    `extracted_at_is_guess`, `currency`, `quarantine` (the file, or null), `tables` (by name:
    `read`, `accepted`, `quarantined`, `collapsed`, `erased`, `columns`) and `findings` (`level`,
    `table`, `column`, `message`, `rows`, `share`).
    """
    tables = {
        name: {**asdict(source.counts[name]), "columns": list(columns)}
        for name, columns in source.columns.items()
    }
    return json.dumps(
        {
            "fingerprint": source.fingerprint,
            "checked": str(source.folder),
            "extracted_at": source.extracted_at.isoformat(),
            "extracted_at_is_guess": source.extracted_at_is_guess,
            "currency": source.currency,
            "quarantine": str(source.quarantine) if source.quarantine else None,
            "tables": tables,
            "findings": [asdict(finding) for finding in source.findings],
        },
        indent=2,
    )


def _table_lines(source: CheckedSource) -> list[str]:
    has_erased = any(counts.erased for counts in source.counts.values())
    heading = f"{'table':<16}{'read':>12}{'accepted':>12}{'set aside':>12}{'copies':>12}"
    heading += f"{'erased':>12}" * has_erased
    lines = [heading]
    for name, counts in source.counts.items():
        figures = [counts.read, counts.accepted, counts.quarantined, counts.collapsed]
        figures += [counts.erased] * has_erased
        lines.append(f"{name:<16}" + "".join(f"{figure:>12,}" for figure in figures))
    return lines


def _finding_line(finding: Finding) -> str:
    where = f"{finding.table}: " if finding.table else ""
    rows = f", {finding.rows:,} rows ({finding.share:.1%})" if finding.rows else ""
    return f"  {where}{finding.message}{rows}"
