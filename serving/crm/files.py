"""Files that the importers of Salesforce and HubSpot take, whole or not at all."""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from features.errors import ServiceError
from serving.crm.columns import COLUMNS, KEY, Column, Value, harmless

ROWS_OF_A_FILE = 100_000  # far below what Salesforce's Bulk API 2.0 and HubSpot's import take
CLEARED_AT_ONCE = 100  # companies that HubSpot updates by one request
NULL_OF_SALESFORCE = "#N/A"  # an empty cell would leave the old value
COMPANIES = "0-2"  # HubSpot's type of them

Row = Mapping[str, Value]
T = TypeVar("T")


def write_files(crm: str, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the files of `salesforce` or `hubspot` to a new folder.

    Raises
    ------
    ServiceError
        If the folder is there already.
    """
    if folder.exists():
        raise ServiceError(f"Expected {folder} not to be there yet, got a folder or a file.")
    half = folder.with_name(f".{folder.name}.{os.getpid()}")
    half.mkdir(mode=0o700, parents=True)
    try:
        made = (_salesforce if crm == "salesforce" else _hubspot)(rows, half)
        half.rename(folder)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    return [folder / path.name for path in made]


def _salesforce(rows: Sequence[Row], folder: Path) -> list[Path]:
    return [
        _csv(folder / f"salesforce-{number:03}.csv", of_file, "salesforce", NULL_OF_SALESFORCE)
        for number, of_file in enumerate(_parts(rows, ROWS_OF_A_FILE), start=1)
    ]


def _hubspot(rows: Sequence[Row], folder: Path) -> list[Path]:
    made = []
    for number, of_file in enumerate(_parts(rows, ROWS_OF_A_FILE), start=1):
        table = folder / f"hubspot-{number:03}.csv"
        request = folder / f"hubspot-{number:03}.json"
        made += [_csv(table, of_file, "hubspot", ""), request]
        request.write_text(json.dumps(import_request(table.name), indent=1), encoding="utf-8")
    bodies = [json.dumps(body) for body in clearing(rows)]
    if bodies:
        made.append(folder / "hubspot-clear.jsonl")
        made[-1].write_text("".join(f"{body}\n" for body in bodies), encoding="utf-8")
    return made


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _csv(path: Path, rows: Iterable[Row], crm: str, null: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(getattr(column, crm) for column in COLUMNS)
        for row in rows:
            writer.writerow(_cell(column, row[column.name], null) for column in COLUMNS)
    return path


def _cell(column: Column, value: Value, null: str) -> str:
    if value is None:
        return null
    if isinstance(value, str):
        return value if column is KEY else harmless(value)
    return f"{value:.6f}"


def import_request(file_name: str) -> dict[str, Any]:
    """Give what HubSpot's import API is asked for with a file: companies are updated, none made."""
    mappings = [
        {
            "columnObjectTypeId": COMPANIES,
            "columnName": column.hubspot,
            "propertyName": column.hubspot,
            **({"columnType": "HUBSPOT_ALTERNATE_ID"} if column is KEY else {}),
        }
        for column in COLUMNS
    ]
    page = {"hasHeader": True, "columnMappings": mappings}
    return {
        "name": f"Tenure {file_name}",
        "importOperations": {COMPANIES: "UPDATE"},
        "dateFormat": "YEAR_MONTH_DAY",
        "files": [{"fileName": file_name, "fileFormat": "CSV", "fileImportPage": page}],
    }


def clearing(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Give what empties properties in HubSpot, whose import leaves them as they were."""
    inputs = [
        {
            "idProperty": KEY.hubspot,
            "id": row[KEY.name],
            "properties": {column.hubspot: "" for column in COLUMNS if row[column.name] is None},
        }
        for row in rows
        if None in row.values()
    ]
    return [{"inputs": part} for part in _parts(inputs, CLEARED_AT_ONCE)]
