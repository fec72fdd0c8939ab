"""A ready feature table's file: CSV as people export it, or Parquet."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import SourceError

TEXTS = frozenset({".csv", ".tsv", ".txt"})
SEPARATORS = ",;\t|"
_NESTED = (list, tuple, dict, set, np.ndarray)


def read_table(path: Path) -> pd.DataFrame:
    """Read a ready feature table, Parquet or text by its suffix.

    Of text the separator is that of its first line: comma, semicolon, tab or bar; with semicolons
    a comma is a decimal point. An empty cell is empty; words such as NA stay words, since one may
    be a region: `ready.numbers_in` reads them as missing among numbers.

    Raises
    ------
    SourceError
        If the file is missing, of another kind, or empty, if two columns bear one name, or if a
        cell holds a list.
    """
    kind = path.suffix.lower()
    if kind not in {".parquet", *TEXTS} or not path.is_file():
        raise SourceError(
            f"Expected a feature table as .parquet or .csv, got {path}. Name such a file."
        )
    try:
        frame = _text(path) if kind in TEXTS else pd.read_parquet(path)
    except UnicodeDecodeError as error:
        raise SourceError(f"Expected text in UTF-8 in {path}, got: {error}. Save it so.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"Expected a readable table in {path}, got: {error}.") from error
    _demand_flat(frame, path)
    return frame


def _text(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
    separator = max(SEPARATORS, key=first.count)
    names = next(csv.reader([first], delimiter=separator), [])
    _demand_names(names, path)  # pandas would call the second of a name `name.1`
    return pd.read_csv(
        path,
        sep=separator,
        decimal="," if separator == ";" else ".",
        encoding="utf-8-sig",
        keep_default_na=False,
        na_values=[""],
        low_memory=False,  # or a column's type would hang on where its first chunk ends
    )


def _demand_names(names: list[str], path: Path) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise SourceError(
            f"Expected columns of different names in {path}, got {twice[0]!r} more than once. "
            "Rename one of them, or leave it out."
        )


def _demand_flat(frame: pd.DataFrame, path: Path) -> None:
    _demand_names(list(map(str, frame.columns)), path)
    if frame.empty:
        raise SourceError(
            f"Expected rows and columns in {path}, got {len(frame)} rows and "
            f"{len(frame.columns)} columns. Write the table again."
        )
    for name in (name for name, kind in frame.dtypes.items() if pd.api.types.is_object_dtype(kind)):
        nested = [cell for cell in frame[name] if isinstance(cell, _NESTED)]
        if nested:
            raise SourceError(
                f"Expected one value in each cell of {path}, got {type(nested[0]).__name__}s in "
                f"the column {name!r}. Make columns of them, or leave it out."
            )
