"""Small companies, written as text, checked as any source is."""

import csv
import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check

Company = Callable[..., CheckedSource]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def company(tmp_path: Path, home: Home) -> Company:
    """A factory: text tables in, a checked source out.

    A table is a heading and rows, aligned by white space. `-` is an empty cell, `2024-05-01T10:00`
    a time of day, `two_words` has no space. Other keywords go into `source.toml` as they are
    (`currency="EUR"`, `tables={"accounts": {"columns": {"tier": {"constant": True}}}}`).

        source = company(
            {
                "accounts": '''
                    account_id  created_at
                    a           2024-01-01
                ''',
                "subscriptions": '''
                    subscription_id  account_id  product  mrr  started_at  ended_at
                    s1               a           base     100  2024-01-01  -
                ''',
            },
            extracted_at="2024-12-31",
        )

    A broken row raises SourceError, unless `limit` (a share) allows it; `extracted_at=None` leaves
    the guess to the check.
    """
    numbers = count()

    def make(
        tables: Mapping[str, str],
        *,
        extracted_at: str | None = "2026-01-01",
        limit: float = 0.0,
        **toml: Any,
    ) -> CheckedSource:
        folder = tmp_path / f"company{next(numbers)}"
        said = {"extracted_at": extracted_at} if extracted_at else {}
        write_source(folder, tables, {**said, **toml})
        return check(str(folder), home=home, limit=limit)

    return make


def write_source(folder: Path, tables: Mapping[str, str], toml: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    for name, text in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                ["" if cell == "-" else cell for cell in line.split()]
                for line in text.strip().splitlines()
                if line.strip()
            )
    lines = [f"{key} = {_toml(value)}" for key, value in toml.items()]
    (folder / "source.toml").write_text("\n".join(lines), encoding="utf-8")


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)
