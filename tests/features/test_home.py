"""Customers' data lies in folders that only their owner can look into."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from features.built import built
from features.checked import CheckedSource
from features.home import Home, private

ACCOUNTS = """
account_id  created_at
a           2024-01-01
broken      -
"""
SUBSCRIPTIONS = """
subscription_id  account_id  product  mrr  started_at
s                a           base     100  2024-01-01
"""


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_checked_tables_broken_rows_and_snapshots_are_their_owners_alone(
    company: Callable[..., CheckedSource], home: Home
) -> None:
    home.root.mkdir(mode=0o755, exist_ok=True)
    source = company({"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}, limit=0.5)
    built(source, (date(2025, 1, 1),), home=home)
    for folder in (home.checked, home.quarantine, home.snapshots):
        assert mode(folder) == 0o700


@pytest.mark.parametrize("depth", [1, 3])
def test_a_private_folder_is_made_with_those_above_it(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*"abc"[:depth])
    assert mode(private(folder)) == 0o700
    assert private(folder) == folder
