"""Taking erased accounts out of the files of rows that were set aside."""

import json
import os
from pathlib import Path

import polars as pl

from features.contracts import TABLES
from features.home import Home
from features.sources.left_out import PARENT, WITHHELD, owners
from features.sources.quarantine import FILE, MALFORMED
from features.tombstones import OWNER_ONLY, Tombstones


def sweep_quarantine(home: Home, erased: Tombstones) -> int:
    """Take the rows of erased accounts out of each file, and give how many files had any.

    Lines that are no rows stay without their text: it does not tell whose they are.
    """
    for half in home.quarantine.glob("*/*.part"):
        half.unlink()
    return sum(_swept(file, erased) for file in sorted(home.quarantine.glob(f"*/{FILE}")))


def _swept(file: Path, erased: Tombstones) -> bool:
    before = pl.read_csv(file, infer_schema=False)
    is_line = pl.col("reason").str.starts_with(MALFORMED)
    told = before.with_columns(
        value=pl.when(is_line).then(pl.lit(WITHHELD)).otherwise(pl.col("value"))
    )
    kept = [
        _left(table, record, erased) for table, record in told.select("table", "record").iter_rows()
    ]
    after = told.with_columns(
        record=pl.Series("record", [text for text, _ in kept], dtype=pl.String)
    ).filter(pl.Series([is_there for _, is_there in kept], dtype=pl.Boolean))
    if after.equals(before):
        return False
    aside = file.with_name(f"{file.name}.{os.getpid()}.part")
    aside.touch(mode=OWNER_ONLY)
    after.write_csv(aside)
    aside.replace(file)
    return True


def _left(table: str, record: str | None, erased: Tombstones) -> tuple[str | None, bool]:
    """Give a row's record as it may stay, and whether it may."""
    if record is None:
        return None, True
    cells = json.loads(record)
    if erased.among(cells.get(name) for name in owners(TABLES[table])):
        return None, False
    if erased.among([cells.get(PARENT)]):
        return json.dumps({**cells, PARENT: None}, ensure_ascii=False), True
    return record, True
