"""A log that a cluster's workers check is the log that one machine checks, to the byte."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.checked import CheckedSource
from features.engine import cluster
from features.errors import SourceError
from features.home import Home
from features.sources.check import check

pytestmark = pytest.mark.usefixtures("spark")
TABLES = {
    "accounts": """
        account_id created_at
        a          2024-01-01
        b          2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-03-05
        s2              b          base    100 2024-01-15
    """,
}
DAY = datetime(2024, 3, 1, 12)  # noqa: DTZ001 - naive UTC by contract
BAD = [
    ("nobody", "u1", DAY, "open", 1.0),
    ("a", "u1", DAY, None, 1.0),
    ("a", "u1", None, "open", 1.0),
    ("a", "u1", DAY, "open", float("nan")),
    ("b", "u1", datetime(2031, 1, 1), "open", 1.0),  # noqa: DTZ001 - naive UTC by contract
]
GOOD = [
    (account, user, DAY + timedelta(days=days, microseconds=days), event, quantity)
    for account in "ab"
    for user, event, quantity in (("u1", "open", 1.0), ("u2", "save", -2.5), (None, "öffnen", None))
    for days in (0, 1, 7, 20)
]


@pytest.fixture
def folder(source_folder: Callable[..., Path]) -> Path:
    folder = source_folder(TABLES, extracted_at="2024-06-01")
    write(folder, "1", GOOD[::2] + BAD[:3])
    write(folder, "2", BAD[3:] + GOOD[1::2] + GOOD[:5])
    return folder


def write(folder: Path, name: str, rows: list[tuple[object, ...]]) -> None:
    log = folder / "usage_events"
    log.mkdir(exist_ok=True)
    names = ["account_id", "user_id", "occurred_at", "event", "quantity"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(log / f"{name}.parquet")


def on_spark(folder: Path, home: Home) -> CheckedSource:
    with cluster() as workers:
        return check(str(folder), home=home, limit=1.0, on=workers)


def told(source: CheckedSource) -> tuple[object, ...]:
    ledger = source.ledgers["usage_events"]
    assert source.quarantine
    return (
        source.fingerprint,
        dict(source.files),
        dict(source.counts),
        source.findings,
        ledger.parts,
        source.quarantine.read_text(encoding="utf-8"),
    )


def test_rows_reasons_weeks_and_roll_ups_are_the_same_to_the_byte(
    folder: Path, tmp_path: Path
) -> None:
    there, here = Home(tmp_path / "spark"), Home(tmp_path / "here")
    found = on_spark(folder, there)
    shutil.copytree(there.erasure, here.erasure)  # the key under which persons are kept
    assert told(found) == told(check(str(folder), home=here, limit=1.0))
    counts = found.counts["usage_events"]
    assert (counts.accepted, counts.quarantined, counts.collapsed) == (24, 5, 5)
    assert len(found.parts("usage_events")) == 3


def test_a_new_part_is_added_to_the_weeks_that_one_machine_wrote(
    folder: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    check(str(folder), home=home, limit=1.0)
    write(folder, "3", [("a", "u9", DAY + timedelta(days=20), "open", 1.0), BAD[0]])
    found = on_spark(folder, home)
    anew = Home(tmp_path / "anew")
    shutil.copytree(home.erasure, anew.erasure)
    assert told(found) == told(check(str(folder), home=anew, limit=1.0))


def test_what_a_worker_cannot_read_is_said_as_one_machine_says_it(folder: Path) -> None:
    with (folder / "source.toml").open("a", encoding="utf-8") as toml:
        toml.write('\n[tables.usage_events.columns]\nquantity = { sql = "CAST(event AS INT)" }\n')
    with pytest.raises(SourceError) as here:
        check(str(folder), home=Home(folder / "here"))
    with pytest.raises(SourceError, match="usage_events") as there:
        on_spark(folder, Home(folder / "there"))
    assert str(there.value) == str(here.value)
