"""An account that is erased leaves no byte in a home and its store, and does not come back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from features.errors import ErasureError
from features.home import Home
from features.sources.check import check as source_check
from features.tombstones import read_tombstones
from models.bundle import Bundle
from serving.api.feedback import Feedback, record
from serving.audit_log.account_keys import Pseudonyms, key_of, pseudonym
from serving.audit_log.check import check, reads_of
from serving.audit_log.heads import heads, keep_head
from serving.audit_log.rows import Read
from serving.audit_log.trail import Trail
from serving.backup.made import note_backup
from serving.backup.write import back_up
from serving.erasure import erase as erasure
from serving.erasure.erase import Erased, demand_ids, erase, let_back
from serving.erasure.rows import OF_ACCOUNTS, erased_of
from serving.publishing.publish import Scored, publish
from serving.store import tables
from serving.store.database import Store

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere
CANARY = "canary-4711"


def with_canary(scored: Scored) -> Scored:
    """Call one account by a word that is nowhere else, and let it be the parent of another."""

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.replace({"account_id": {"acme": CANARY}})

    listed = renamed(scored.listed)
    of_canary = listed["account_id"] == CANARY
    listed = listed.assign(
        name=listed["name"].mask(of_canary, f"{CANARY} Ltd"),
        customer_group=listed["customer_group"].mask(listed["account_id"] == "bolt", CANARY),
    )
    shown = scored.rows
    assert shown is not None
    return replace(
        scored,
        scores=renamed(scored.scores),
        listed=listed,
        signals=renamed(scored.signals),
        renewals=renamed(scored.renewals),
        next_products=renamed(scored.next_products),
        triggers=renamed(scored.triggers),
        pages=renamed(scored.pages).replace({"parent_account_id": {"acme": CANARY}}),
        rows=renamed(shown).assign(name=listed["name"].to_numpy()),
        products=renamed(scored.products),
    )


def told(account_id: str, key: str) -> Feedback:
    return Feedback(account_id, "contacted", f"spoke with {account_id}", f"{account_id}-{key}")


@pytest.fixture
def full(
    store: Store, home: Home, bundles: dict[str, Bundle], scored_company: Callable[..., Scored]
) -> Store:
    """Give a store with two publications, feedback and keys of the audit log."""
    scored = with_canary(scored_company(bundles))
    for _ in range(2):
        publish(store, home, scored, NOW)
    for account_id in (CANARY, "bolt"):
        record(store, told(account_id, "1"), "a token", NOW)
    Pseudonyms(store).of([CANARY, "bolt"])
    return store


def run(store: Store, home: Home, *accounts: str) -> Erased:
    return erase(accounts, store, home, NOW, print)


def bytes_of(store: Store) -> Iterator[bytes]:
    """Give the bytes of the database's files, as far as this machine holds them."""
    if store.engine.dialect.name == "sqlite":
        file = Path(str(store.engine.url.database))
        for part in (file, *file.parent.glob(f"{file.name}-*")):
            yield part.read_bytes()
        return
    with store.reading() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("CHECKPOINT")
        folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
        for table in OF_ACCOUNTS:
            names = [table.name, *(index.name for index in table.indexes), f"{table.name}_pkey"]
            for name in names:
                place = f"SELECT pg_relation_filepath('{name}')"
                yield (folder / connection.exec_driver_sql(place).scalar_one()).read_bytes()
        for seen in ("pg_stats", *(table.name for table in tables.METADATA.sorted_tables)):
            rows = connection.exec_driver_sql(f"SELECT * FROM {seen}").all()
            yield repr(rows).encode()


def holding(home: Home, word: str) -> set[str]:
    """Give the files that hold a word: as bytes, or in a cell of Parquet."""
    found = set()
    for file in (path for path in home.root.rglob("*") if path.is_file()):
        name = file.relative_to(home.root).as_posix()
        content = [name.encode(), file.read_bytes()]
        if content[1][:4] == b"PAR1":
            content.append(repr(pq.read_table(file).to_pydict()).encode())
        if any(word.encode() in each for each in content):
            found.add(name)
    return found


def in_store(store: Store, word: str) -> bool:
    return any(word.encode() in each for each in bytes_of(store))


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in tables.METADATA.sorted_tables
        }


def test_a_canary_is_found_before_and_nowhere_after(full: Store, home: Home) -> None:
    assert in_store(full, CANARY)
    assert any(name.startswith("served/") for name in holding(home, CANARY))
    erased = run(full, home, CANARY)
    assert not in_store(full, CANARY)
    assert holding(home, CANARY) == set()
    assert erased.swept.found_any
    assert erased.swept.rows["scores"] == 2 * 2 * 2
    assert erased.swept.rows["published_triggers"] == 2


def test_all_else_stays(full: Store, home: Home) -> None:
    before = rows_of(full)
    run(full, home, CANARY)
    after = rows_of(full)
    for name in ("scores", "published_accounts", "published_renewals", "feedback", "account_keys"):
        others = [row for row in before[name] if CANARY not in row]
        whole = [row for row in after[name] if "bolt" not in row]
        assert whole == [row for row in others if "bolt" not in row]
    assert len(after["published_accounts"]) == len(before["published_accounts"]) - 2
    assert after["publications"] == before["publications"]


def test_erasing_again_finds_nothing_and_changes_nothing(full: Store, home: Home) -> None:
    run(full, home, CANARY)
    before = rows_of(full)
    again = run(full, home, CANARY)
    assert not again.swept.found_any
    assert "nothing of them was found" in again.text()
    after = rows_of(full)
    assert {name: rows for name, rows in after.items() if name != "audit"} == {
        name: rows for name, rows in before.items() if name != "audit"
    }


@pytest.mark.parametrize(
    "at", ["sweep_checked", "erase_rows", "sweep_served", "erase_accounts", "purge"]
)
def test_an_erasure_that_is_cut_short_is_finished_by_any_later_one(
    full: Store, home: Home, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def killed(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasure, at, killed)
        with pytest.raises(KeyboardInterrupt):
            run(full, home, CANARY)
    assert read_tombstones(home).has(CANARY)
    run(full, home, "another")
    assert not in_store(full, CANARY)
    assert holding(home, CANARY) == set()


def test_the_audit_log_holds_and_its_rows_cannot_be_traced(full: Store, home: Home) -> None:
    key = key_of(full, CANARY)
    trail = Trail(home.audit_log, lambda: NOW, lambda head: keep_head(full, head))
    for account_id in (CANARY, "bolt"):
        names = Pseudonyms(full).of([account_id])
        trail.append(Read("5e0c", "GET /v1/accounts/{account_id}", "10.0.0.7", "6f0c", names))
    trail.close()
    files = {file: file.read_bytes() for file in home.audit_log.iterdir()}
    assert len(reads_of(home.audit_log, pseudonym(CANARY, key))) == 1
    run(full, home, CANARY)
    assert key_of(full, CANARY) is None
    assert key_of(full, "bolt") is not None
    assert {file: file.read_bytes() for file in home.audit_log.iterdir()} == files
    check(home.audit_log, heads(full)).demand()


def test_a_publication_is_sealed_anew_and_says_how_many_it_lost(full: Store, home: Home) -> None:
    run(full, home, CANARY, "gone")
    assert [erased_of(full, number) for number in (1, 2, 3)] == [2, 2, 0]
    run(full, home, "bolt")
    assert erased_of(full, 1) == 3


def test_it_says_what_remains_and_until_when(full: Store, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "b.tenure"
    back_up(full, home, file, NOW)
    half = tmp_path / ".killed.tenure.4711"
    half.touch()
    note_backup(home, tmp_path / "killed.tenure", NOW)
    erased = run(full, home, CANARY)
    said = erased.text()
    assert "churn 1, expansion 1" in said
    assert f"{file} of 2026-03-03 12:00 UTC" in said
    assert CANARY not in said
    assert erased.to_json()["remains"]["backups"] == [
        {"file": str(each), "made_at": NOW.isoformat()} for each in (file, half)
    ]
    file.unlink()
    half.unlink()
    assert "until they are deleted" in run(full, home, CANARY).text()


def test_the_trail_of_changes_tells_of_it_without_a_name(full: Store, home: Home) -> None:
    run(full, home, CANARY)
    entries = [row for row in rows_of(full)["audit"] if "erase" in row]
    assert [row[4] for row in entries] == [read_tombstones(home).mac(CANARY)]


def test_a_tombstone_can_be_lifted(full: Store, home: Home) -> None:
    run(full, home, CANARY)
    assert let_back([CANARY, "never"], full, home, NOW) == 1
    assert not read_tombstones(home).has(CANARY)


def test_no_table_with_accounts_is_forgotten() -> None:
    named = {each for each in tables.METADATA.sorted_tables if "account_id" in each.columns}
    assert named == {*OF_ACCOUNTS}


@pytest.mark.parametrize("ids", [[], ["  "], ["\udcff"]])
def test_what_is_no_id_is_refused(ids: list[str]) -> None:
    with pytest.raises(ErasureError, match="Expected"):
        demand_ids(ids)


def test_an_id_is_taken_as_a_source_has_it() -> None:
    assert demand_ids([" a-17 ", "a-17", "b"]) == ("a-17", "b")


ODD = ("tab\t", "\tx", "\xa0nb", "z\u200bw", "a\nb", "a\x85b", "q" * 500, " sp ", "\u3000i")


def test_whatever_a_check_takes_for_an_id_can_be_erased(
    store: Store, home: Home, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    ids = pl.DataFrame({"account_id": ODD, "created_at": "2024-01-01"})
    ids.write_parquet(source / "accounts.parquet")
    rest = ids.drop("created_at").with_columns(
        subscription_id=pl.col("account_id"),
        product=pl.lit("a"),
        mrr=pl.lit(1.0),
        started_at=pl.lit("2024-01-01"),
    )
    rest.write_parquet(source / "subscriptions.parquet")
    (source / "source.toml").write_text('extracted_at = "2025-12-31"\n')
    kept = source_check(str(source), home=home)
    assert pq.read_metadata(kept.folder / "accounts.parquet").num_rows == len(ODD)
    run(store, home, *ODD)
    (folder,) = home.checked.iterdir()
    assert pq.read_metadata(folder / "accounts.parquet").num_rows == 0
    assert pq.read_metadata(folder / "subscriptions.parquet").num_rows == 0


def test_the_day_of_the_erasure_is_kept(full: Store, home: Home) -> None:
    run(full, home, CANARY)
    assert set(read_tombstones(home).erased_on.values()) == {date(2026, 3, 3)}


def test_a_damaged_snapshot_that_nobody_serves_is_removed_as_a_whole(
    full: Store, home: Home
) -> None:
    older = min(path for path in home.served.iterdir() if path.is_dir())
    (older / "index.bin").write_bytes(b"")
    run(full, home, CANARY)
    assert not older.exists()
    assert holding(home, CANARY) == set()
