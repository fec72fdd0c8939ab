"""One new day of a large log, and the features at one date, against doing everything anew."""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.ours import declared
from benchmarks.usage import FIRST_DAY, account_names, as_of_times
from features.build import feature_table
from features.home import Home
from features.sources.check import check

AS_OF = as_of_times()[-1]
NEW_DAY = AS_OF - timedelta(days=1)


def ready_new_day(folder: Path) -> None:
    """Stand at the evening before: the log up to then was checked, and the new day has come."""
    source, yesterday = folder / "company", folder / "home-yesterday"
    if not yesterday.exists():
        _write_company(folder, source)
        _extract(source, NEW_DAY)
        (source / "usage_events" / "new-day.parquet").unlink(missing_ok=True)
        check(str(source), home=Home(folder / "home-making"))
        (folder / "home-making").replace(yesterday)
    home = folder / "home-today"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(yesterday, home, copy_function=os.link)
    _move_in(source, folder)


def ready_rebuild(folder: Path) -> None:
    """Have the same source, and nothing that was checked before."""
    ready_new_day(folder)
    shutil.rmtree(folder / "home-anew", ignore_errors=True)


def new_day(folder: Path) -> pd.DataFrame:
    """Check what is new, and build the features of the newest date."""
    return _features(folder / "company", Home(folder / "home-today"))


def rebuild(folder: Path) -> pd.DataFrame:
    """Check everything, and build the same features."""
    return _features(folder / "company", Home(folder / "home-anew"))


def _features(company: Path, home: Home) -> pd.DataFrame:
    source = check(str(company), home=home)
    points = pd.DataFrame({"account_id": account_names(), "as_of": AS_OF})
    states = points.astype({"as_of": "datetime64[us]"})
    return feature_table(source, states, features=[feature for _, feature in declared()])


def _write_company(folder: Path, source: Path) -> None:
    """Write three tables; the last month's part ends before the new day, which lies aside."""
    log = source / "usage_events"
    shutil.rmtree(source, ignore_errors=True)
    write_customers(folder)
    log.mkdir()
    months = sorted((folder / "usage_events").glob("*.parquet"))
    for month in months[:-1]:
        os.link(month, log / month.name)
    rows = pq.read_table(months[-1])
    is_new = pc.greater_equal(rows["occurred_at"], pa.scalar(NEW_DAY, pa.timestamp("us")))
    pq.write_table(rows.filter(pc.invert(is_new)), log / months[-1].name)
    pq.write_table(rows.filter(is_new), folder / "new-day.parquet")


def write_customers(folder: Path) -> None:
    """Write the accounts, and the contracts that they keep all along, into `<folder>/company`."""
    source = folder / "company"
    source.mkdir(parents=True)
    _extract(source, AS_OF)
    names = account_names()
    began = pa.array([datetime.combine(FIRST_DAY, datetime.min.time())] * len(names))
    accounts = pa.table({"account_id": names, "created_at": began})
    pq.write_table(accounts, source / "accounts.parquet")
    paid = {"product": ["base"] * len(names), "mrr": [100.0] * len(names), "started_at": began}
    contracts = pa.table({"subscription_id": names, "account_id": names, **paid})
    pq.write_table(contracts, source / "subscriptions.parquet")


def _move_in(source: Path, folder: Path) -> None:
    new = source / "usage_events" / "new-day.parquet"
    if not new.exists():
        os.link(folder / "new-day.parquet", new)
    _extract(source, AS_OF)


def _extract(source: Path, moment: datetime) -> None:
    text = f'extracted_at = "{moment:%Y-%m-%dT%H:%M:%S}"\n'
    (source / "source.toml").write_text(text, encoding="utf-8")
