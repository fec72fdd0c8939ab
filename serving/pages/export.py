"""The accounts of a view as a file for a spreadsheet: CSV, and XLSX."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

Row = Mapping[str, Any]
Value = str | float | datetime | None
WIDTH = 16  # of a column, in letters

COLUMNS = (
    *("account_id", "name", "csm", "tier", "segment", "region", "status", "arr"),
    *("renewal_date", "notice_deadline", "probability", "band", "change", "change_text"),
    *("expected_loss", "renewal_probability", "expansion_probability", "expected_added_mrr"),
    *("reason", "family", "play", "signal", "signal_text", "why_not"),
    *("state", "state_since", "snoozed_until", "touched_at"),
)
DAYS = frozenset({"renewal_date", "notice_deadline", "state_since", "snoozed_until", "touched_at"})
PERCENT, MONEY, DAY = "0.0%", "#,##0.00", "yyyy-mm-dd"
FORMATS: Mapping[str, str] = {
    **dict.fromkeys(("probability", "change", "renewal_probability"), PERCENT),
    **dict.fromkeys(("expansion_probability",), PERCENT),
    **dict.fromkeys(("arr", "expected_loss", "expected_added_mrr"), MONEY),
    **dict.fromkeys(DAYS, DAY),
}
"""How a sheet shows what is no text."""
PLACES: Mapping[str, int] = {PERCENT: 4, MONEY: 2}
"""Decimal places that are written of a number, by how it is shown."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for a formula when a text begins with it; the last four are wide."""
WITHIN = re.compile(r"([;\t\r\n|] *)(?=[=+@\-\uff1d\uff0b\uff0d\uff20])")
"""Where a formula begins within a text, for a spreadsheet that splits cells at another sign."""
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def harmless(text: str) -> str:
    """Give a text that no spreadsheet computes: what begins like a formula gets a mark.

    Also after signs at which some spreadsheets part cells, whatever stands around the text.
    """
    marked = WITHIN.sub(r"\1'", text)
    return f"'{marked}" if text.lstrip(" ").startswith(FORMULA) else marked


def as_csv(rows: Iterable[Row]) -> bytes:
    """Write rows as CSV in UTF-8, with the mark by which Excel knows it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_text(_value(row, name)) for name in COLUMNS] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Iterable[Row]) -> bytes:
    """Write rows as a sheet of XLSX; texts are kept as texts, whatever they begin with."""
    out = io.BytesIO()
    # Texts lie in the cells: nothing is written beside the memory.
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        shown = {text: book.add_format({"num_format": text}) for text in {*FORMATS.values()}}
        sheet = book.add_worksheet("accounts")
        sheet.freeze_panes(1, 2)
        sheet.set_column(0, len(COLUMNS) - 1, WIDTH)
        for column, name in enumerate(COLUMNS):
            sheet.write_string(0, column, name)
        for place, row in enumerate(rows, 1):
            for column, name in enumerate(COLUMNS):
                _write(sheet, place, column, _value(row, name), shown.get(FORMATS.get(name, "")))
    return out.getvalue()


def _write(sheet: Worksheet, row: int, column: int, value: Value, shown: Format | None) -> None:
    if isinstance(value, datetime):
        sheet.write_datetime(row, column, value, shown)
    elif isinstance(value, str):
        sheet.write_string(row, column, value)
    elif value is not None:
        sheet.write_number(row, column, value, shown)


def _value(row: Row, name: str) -> Value:
    """Give what a cell holds: a harmless text, a day, or a number of a few places."""
    value = row.get(name)
    if isinstance(value, str):
        return harmless(value)
    places = PLACES.get(FORMATS.get(name, ""))
    return value if value is None or places is None else round(float(value), places)


def _text(value: Value) -> str | float | None:
    return value.date().isoformat() if isinstance(value, datetime) else value
