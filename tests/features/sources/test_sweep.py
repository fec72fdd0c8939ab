"""An account that is taken out of checked sources leaves no byte; the rest is as if never read."""

import os
import shutil
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from features.built import built, forget
from features.checked import MANIFEST, CheckedSource, open_checked, verify
from features.home import Home
from features.sources import sweep
from features.sources.check import check
from features.sources.sweep import followed, merged_here, sweep_checked
from features.sources.sweep_quarantine import sweep_quarantine
from features.tombstones import Tombstones, bury, erasing

TODAY = date(2026, 3, 2)
START = datetime(2024, 3, 1)  # noqa: DTZ001 - naive UTC by contract
CANARY = "canary-4711"
ACCOUNTS = f"""account_id,name,parent_account_id,created_at
a,Alpha,,2024-01-01
{CANARY},{CANARY} Ltd,,2024-01-01
kid,Kid,{CANARY},2024-01-02
b,Beta,,2024-01-03
"""
SUBSCRIPTIONS = f"""subscription_id,account_id,product,mrr,started_at
s1,a,base,1,2024-03-10
s2,{CANARY},base,7,2024-03-10
"""
BROKEN = f"""s3,{CANARY},base,not-a-number,2024-03-10
s4,b,base,x,2024-03-10
"""
TICKETS = f"""ticket_id,account_id,opened_at
t1,a,2024-04-01
t2,{CANARY},2024-04-01,one,cell,too,many,{CANARY}
"""


def events(account: str, days: Iterable[int], **columns: object) -> pl.DataFrame:
    times = [START + timedelta(days=day) for day in days]
    rows = len(times)
    cells = {name: [value] * rows for name, value in columns.items()}
    user = {"user_id": [f"{account}-user"] * rows}
    return pl.DataFrame(
        {"account_id": [account] * rows, "occurred_at": times, "event": ["open"] * rows}
        | user
        | cells
    )


class Company:
    """A source whose log comes in parts, two of them with the canary."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "source", Home(folder / "home")
        (self.folder / "usage_events").mkdir(parents=True)
        for name, text in (
            ("accounts.csv", ACCOUNTS),
            ("subscriptions.csv", SUBSCRIPTIONS),
            ("support_tickets.csv", TICKETS),
            ("source.toml", 'extracted_at = "2024-06-01"\n'),
        ):
            (self.folder / name).write_text(text)
        own = events(CANARY, [0, 5, 20], more=CANARY)
        lacking = events(CANARY, [200], more="late")  # after the extract: set aside
        self.part("1", events("a", [0, 1, 30], more="x"), own, lacking)
        self.part("2", events("b", [0, 40], more="y"), events(CANARY, [50], more="z"))

    def broken(self) -> None:
        (self.folder / "subscriptions.csv").write_text(SUBSCRIPTIONS + BROKEN)

    def part(self, name: str, *frames: pl.DataFrame) -> None:
        file = self.folder / "usage_events" / f"{name}.parquet"
        pl.concat(frames).write_parquet(file)
        settled = file.stat().st_mtime_ns - 10**10
        os.utime(file, ns=(settled, settled))

    def check(self, home: Home | None = None) -> CheckedSource:
        return check(str(self.folder), home=home or self.home, limit=1.0)

    def erase(self, *accounts: str) -> int:
        with erasing(self.home):
            kept = bury(self.home, accounts, TODAY).with_merged(merged_here(self.home))
            changed = swept(self.home, kept)
            sweep_quarantine(self.home, kept)
            forget(self.home, kept)
        return changed

    def elsewhere(self) -> CheckedSource:
        """Check the source in a home that never held the account, and knows that it is erased."""
        other = Home(self.folder.parent / "other")
        shutil.rmtree(other.root, ignore_errors=True)
        shutil.copytree(self.home.erasure, other.erasure)
        return self.check(other)


def swept(home: Home, erased: Tombstones) -> int:
    return sweep_checked(home, erased, print)


def holding(folder: Path, word: str) -> set[str]:
    """Give the files that hold a word: as bytes, or in a cell of Parquet."""
    found = set()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = [str(file.relative_to(folder)).encode(), file.read_bytes()]
        if file.suffix == ".parquet" or file.read_bytes()[:4] == b"PAR1":
            content.append(str(pq.read_table(file).to_pydict()).encode())
        if any(word.encode() in each for each in content):
            found.add(file.relative_to(folder).as_posix())
    return found


@pytest.fixture
def of(tmp_path: Path) -> Company:
    return Company(tmp_path)


def test_a_canary_is_in_many_files_before_and_in_none_after(of: Company) -> None:
    of.broken()
    source = of.check()
    built(source, (date(2024, 5, 1),), home=of.home)
    before = holding(of.home.root, CANARY)
    kinds = {name.split("/")[0] for name in before}
    assert kinds == {"checked", "quarantine", "snapshots"}
    assert len([name for name in before if "usage_events" in name]) > 5
    assert of.erase(CANARY) == 1
    assert holding(of.home.root, CANARY) == set()


def test_what_is_left_is_what_a_check_without_the_account_gives(of: Company) -> None:
    of.check()
    of.erase(CANARY)
    (folder,) = of.home.checked.iterdir()
    left, whole = open_checked(folder), of.elsewhere()
    verify(left, left.files)
    assert left.fingerprint == whole.fingerprint
    assert {name: file.sha256 for name, file in left.files.items() if "aside" not in name} == {
        name: file.sha256 for name, file in whole.files.items() if "aside" not in name
    }
    assert left.ledgers["usage_events"].parts == whole.ledgers["usage_events"].parts
    tables = ("accounts", "usage_events")  # of others, broken rows of it cannot be told any more
    assert [left.counts[name] for name in tables] == [whole.counts[name] for name in tables]


def test_the_next_check_reads_on_from_what_is_left(of: Company) -> None:
    before = of.check()
    of.erase(CANARY)
    (folder,) = of.home.checked.iterdir()
    swept_part = folder / "usage_events" / "2024-02-26.parquet"
    inode = swept_part.stat().st_ino
    of.part("3", events("a", [60], more="x"), events(CANARY, [60], more="x"))
    after, whole = of.check(), of.elsewhere()
    assert after.fingerprint == whole.fingerprint
    assert (after.folder / "usage_events" / swept_part.name).stat().st_ino == inode
    assert after.counts["usage_events"] == whole.counts["usage_events"]
    assert followed(of.home, before.fingerprint) == folder.name
    assert holding(of.home.root, CANARY) == set()


def test_erasing_again_changes_nothing(of: Company) -> None:
    of.check()
    of.erase(CANARY)
    before = {path: path.read_bytes() for path in of.home.checked.rglob("*") if path.is_file()}
    assert of.erase(CANARY) == 0
    assert before == {
        path: path.read_bytes() for path in of.home.checked.rglob("*") if path.is_file()
    }


def test_a_log_of_one_account_alone_keeps_its_columns(tmp_path: Path) -> None:
    of = Company(tmp_path)
    of.part("1", events(CANARY, [0, 5]))
    of.part("2", events(CANARY, [50]))
    of.check()
    of.erase(CANARY)
    (folder,) = of.home.checked.iterdir()
    assert open_checked(folder).fingerprint == of.elsewhere().fingerprint
    assert len(open_checked(folder).parts("usage_events")) == 1


@pytest.mark.parametrize("at", ["publish", "put_private", "rmtree"])
def test_a_sweep_that_is_cut_short_is_finished_by_the_next(
    of: Company, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    of.check()
    of.part("3", events("b", [70]))
    of.check()

    def killed(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        where = sweep.shutil if at == "rmtree" else sweep
        patched.setattr(where, at, killed)
        with pytest.raises(KeyboardInterrupt):
            of.erase(CANARY)
    of.erase(CANARY)
    assert holding(of.home.root, CANARY) == set()
    assert of.check().fingerprint == of.elsewhere().fingerprint


def test_a_check_that_comes_between_does_not_bring_it_back(of: Company) -> None:
    of.check()
    with erasing(of.home):
        bury(of.home, [CANARY], TODAY)  # and killed
    of.part("3", events("b", [70]))
    assert of.check().fingerprint == of.elsewhere().fingerprint


def test_rows_of_others_that_were_set_aside_stay(of: Company) -> None:
    of.broken()
    of.check()
    of.erase(CANARY)
    (file,) = of.home.quarantine.glob("*/quarantine.csv")
    told = file.read_text()
    assert "s4" in told
    assert "s3" not in told
    assert file.stat().st_mode & 0o777 == 0o600


def test_two_sources_of_the_same_content_both_read_on(of: Company, tmp_path: Path) -> None:
    of.check()
    other = tmp_path / "copy"
    shutil.copytree(of.folder, other)
    check(str(other), home=of.home, limit=1.0)
    (folder,) = of.home.checked.iterdir()
    assert len(list(folder.glob("manifest*.json"))) == 2
    of.erase(CANARY)
    (folder,) = of.home.checked.iterdir()
    assert len(list(folder.glob("manifest*.json"))) == 2
    assert (folder / MANIFEST).exists()
    assert of.check().fingerprint == folder.name
