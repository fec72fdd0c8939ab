"""The accounts of a view as a file for a spreadsheet: CSV, and XLSX."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

Row = Mapping[str, Any]
Cell = str | float | None

COLUMNS = (
    *("account_id", "name", "csm", "tier", "segment", "region", "status", "arr"),
    *("renewal_date", "notice_deadline", "probability", "band", "change", "change_text"),
    *("expected_loss", "renewal_probability", "expansion_probability", "expected_added_mrr"),
    *("reason", "family", "play", "signal", "signal_text", "why_not"),
    *("state", "state_since", "snoozed_until", "touched_at"),
)
DAYS = frozenset({"renewal_date", "notice_deadline", "state_since", "snoozed_until", "touched_at"})
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for a formula when a text begins with it; the last four are wide."""
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def harmless(text: str) -> str:
    """Give a text that no spreadsheet computes: one that begins like a formula gets a mark."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def as_csv(rows: Iterable[Row]) -> bytes:
    """Write rows as CSV in UTF-8, with the mark by which Excel knows it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row, name) for name in COLUMNS] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Iterable[Row]) -> bytes:
    """Write rows as a sheet of XLSX; texts are kept as texts, whatever they begin with."""
    out = io.BytesIO()
    # Texts lie in the cells: nothing is written beside the memory.
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("accounts")
        _write(sheet.write_string, sheet.write_number, 0, COLUMNS)
        for place, row in enumerate(rows, 1):
            cells = [_cell(row, name) for name in COLUMNS]
            _write(sheet.write_string, sheet.write_number, place, cells)
    return out.getvalue()


def _write(
    text: Callable[[int, int, str], object],
    number: Callable[[int, int, float], object],
    row: int,
    cells: Sequence[Cell],
) -> None:
    for column, cell in enumerate(cells):
        if isinstance(cell, str):
            text(row, column, cell)
        elif cell is not None:
            number(row, column, cell)


def _cell(row: Row, name: str) -> Cell:
    value = row.get(name)
    if isinstance(value, datetime):
        return value.date().isoformat() if name in DAYS else value.isoformat()
    return harmless(value) if isinstance(value, str) else value
