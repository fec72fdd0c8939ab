"""Ids of persons are kept as HMACs under a key of the home, and features stay the same numbers."""

import hmac
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from features.build import feature_table
from features.catalog import available
from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check
from features.spine import account_states
from features.tombstones import read_tombstones, with_key

Company = Callable[..., CheckedSource]
CANARY = "canary@example.com"
TABLES = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id  account_id  product  mrr  started_at
        s1               a           base     100  2024-01-01
    """,
    "usage_events": f"""
        account_id  occurred_at  event  user_id
        a           2024-06-01   open   {CANARY}
        a           2024-06-01   open   u2
        a           2024-06-02   open   {CANARY}
        a           never        open   {CANARY}
        a           2024-06-03   open   -
        a           2024-06-03   open   {CANARY}  one  too  many
    """,
    "contacts": f"""
        contact_id  account_id  joined_at
        {CANARY}    a           2024-01-01
        u3          a           never
    """,
    "trainings": f"""
        account_id  completed_at  user_id
        a           2024-06-01    {CANARY}
    """,
}


def holding(home: Home, word: str) -> set[str]:
    """Give the files that hold a word: as bytes, or in a cell of Parquet."""
    found = set()
    for file in (path for path in home.root.rglob("*") if path.is_file()):
        content = [file.read_bytes()]
        if content[0][:4] == b"PAR1":
            content.append(repr(pq.read_table(file).to_pydict()).encode())
        if any(word.encode() in each for each in content):
            found.add(file.relative_to(home.root).as_posix())
    return found


def test_no_file_holds_the_id_of_a_person(company: Company, home: Home) -> None:
    source = company(TABLES, limit=1.0)
    assert holding(home, CANARY) == set()
    assert source.counts["usage_events"].quarantined == 2
    key = read_tombstones(home).persons_key
    called = hmac.digest(key, CANARY.encode(), "sha256").hex()[:32]
    assert list(source.read("trainings")["user_id"]) == [called]
    users = source.read("usage_events")["user_id"]
    assert (users == called).sum() == 2
    assert users.isna().sum() == 1
    assert users.nunique() == 2


def test_the_scan_would_find_one_in_another_column(company: Company, home: Home) -> None:
    company({**TABLES, "accounts": f"account_id name created_at\na {CANARY} 2024-01-01"}, limit=1)
    assert any("accounts.parquet" in name for name in holding(home, CANARY))


def test_the_numbers_are_those_of_the_ids(company: Company) -> None:
    source = company(TABLES, limit=1.0)
    declared = {feature.column: feature for feature in available(source)}
    states = account_states(source, [date(2024, 6, 10)])
    column = "usage__active_users__28d"
    table = feature_table(source, states, features=[declared[column]])
    assert table[column].tolist() == [2]


def test_another_home_calls_a_person_otherwise_unless_it_has_the_key(
    source_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = str(source_folder(TABLES, extracted_at="2026-01-01"))
    here, there, copy = (Home(tmp_path / name) for name in ("here", "there", "copy"))
    one, other = (check(folder, home=home, limit=1.0) for home in (here, there))
    assert one.fingerprint != other.fingerprint
    shutil.copytree(here.erasure, copy.erasure)
    assert check(folder, home=copy, limit=1.0).fingerprint == one.fingerprint


def test_the_first_key_of_a_home_stays(home: Home) -> None:
    assert with_key(home).key == with_key(home).key != b""
    assert home.tombstones.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.erasure.iterdir()] == ["tombstones.json"]
