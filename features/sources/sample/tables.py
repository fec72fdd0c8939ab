"""The source folder: every table of the contract, with the faults that real extracts have."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.sources.sample import care, faults, money, people, success
from features.sources.sample.history import History, stream
from features.sources.sample.subscriptions import as_times, day_of, subscription_rows
from features.sources.sample.truth import account_ids
from features.sources.sample.usage import usage_batches
from features.sources.sample.world import TIERS, moment

REGIONS = ("emea", "emea", "amer", "apac")
COUNTRIES = ("DE", "GB", "US", "AU")
ZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "Australia/Sydney")
FIRST_NAMES = ("Amber", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Grove", "Harbor", "Iris")
LAST_NAMES = ("Foods", "Freight", "Health", "Labs", "Media", "Metals", "Retail", "Systems")
MERGED, ROWS_TO_MERGE = 6, 3
CHILD_SHARE = 0.08
CONSTANT = (
    ("accounts", ("tier", "segment", "parent_account_id")),
    ("contacts", ("role",)),
    ("support_tickets", ("priority", "category")),
)


def write_tables(history: History, out: Path, seed: int, progress: Callable[[str], None]) -> None:
    """Write every table as Parquet, and source.toml; each table has a stream of its own."""
    extracted_at = moment(float(history.calendar.starts[history.calendar.months]))
    for number, (name, table) in enumerate(_small_tables(history, seed)):
        progress(f"writing {name}")
        spoiled = faults.spoil(name, table, extracted_at, stream(seed, "faults", number))
        _write(spoiled, out / f"{name}.parquet")
    progress("writing usage_events")
    _write_usage(history, out / "usage_events.parquet", seed)
    (out / "source.toml").write_text(_source_toml(extracted_at))


def _small_tables(history: History, seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    def draws(number: int) -> np.random.Generator:
        return stream(seed, "observation", number)

    subscriptions = subscription_rows(history)
    merges = _merges(subscriptions)
    yield "subscriptions", _with_vanished(subscriptions, merges)
    yield "account_merges", merges
    yield "accounts", _accounts(history, merges, draws(1))
    invoices, payments = money.money_tables(history, draws(2))
    yield "invoices", invoices
    yield "payments", payments
    yield "incidents", care.incident_table(history, draws(3))
    yield "support_tickets", care.ticket_table(history, draws(4))
    yield "surveys", care.survey_table(history, draws(5))
    yield "contacts", people.contact_table(history, draws(6))
    yield "engagement", success.engagement_table(history, draws(7))
    yield "trainings", success.training_table(history, draws(8))
    yield "projects", success.project_table(history, draws(9))
    outcomes, reviews = success.outcome_tables(history, draws(10))
    yield "outcomes", outcomes
    yield "reviews", reviews
    yield "touches", success.touch_table(history, draws(11))


def _accounts(history: History, merges: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    accounts, ids = history.accounts, account_ids(len(history.accounts))
    n = len(ids)
    signed = np.array(
        [day_of(int(m), int(d)) for m, d in zip(accounts.joins, accounts.billing_day, strict=True)]
    )
    parent = pd.Series(ids[np.arange(n) // 25 * 25]).where(rng.random(n) < CHILD_SHARE)
    table = pd.DataFrame(
        {
            "account_id": ids,
            "name": _company_names(n, rng),
            "parent_account_id": parent.where(parent != ids),
            "tier": np.array(TIERS)[accounts.tier],
            "segment": np.array(["enterprise", "midmarket", "small"])[accounts.tier],
            "industry": rng.choice(["software", "retail", "health", "logistics"], n),
            "region": np.array(REGIONS)[accounts.region],
            "country": np.array(COUNTRIES)[accounts.region],
            "time_zone": np.array(ZONES)[accounts.region],
            "employees": np.round(accounts.seats_at_start * rng.lognormal(1.5, 0.6, n)).astype(int),
            "csm": [success.csm_of(i) for i in range(n)],
            "created_at": as_times(signed - rng.integers(5, 60, n).astype(float)),
        }
    )
    vanished = table.set_index("account_id").loc[merges["into_account_id"]].reset_index()
    vanished["account_id"] = merges["from_account_id"].to_numpy()
    extracted = np.datetime64(moment(float(history.calendar.starts[history.calendar.months])))
    table = pd.concat([table, vanished], ignore_index=True)
    return table[table["created_at"] < extracted].reset_index(drop=True)


def _company_names(count: int, rng: np.random.Generator) -> list[str]:
    first = rng.choice(FIRST_NAMES, count)
    last = rng.choice(LAST_NAMES, count)
    return [f"{a} {b} {k}" for k, (a, b) in enumerate(zip(first, last, strict=True), start=1)]


def _merges(subscriptions: pd.DataFrame) -> pd.DataFrame:
    """Choose accounts that had two records: the older one's rows end with its last renewal."""
    core = subscriptions[(subscriptions["product"] == "core") & (subscriptions["term_months"] > 1)]
    counts = core.groupby("account_id")["started_at"].agg(["size", "max"])
    chosen = counts[counts["size"] >= ROWS_TO_MERGE].head(MERGED)
    return pd.DataFrame(
        {
            "from_account_id": [f"dup-{k:03d}" for k in range(1, len(chosen) + 1)],
            "into_account_id": chosen.index.to_numpy(),
            "merged_at": (chosen["max"] - pd.Timedelta(days=3)).to_numpy(),
        }
    )


def _with_vanished(subscriptions: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Give the rows from before each merge to the record that vanished."""
    into = merges.set_index("into_account_id")
    table = subscriptions.copy()
    merged_at = table["account_id"].map(into["merged_at"])
    before = (table["started_at"] < merged_at).to_numpy()
    vanished = table["account_id"].map(into["from_account_id"])
    table["account_id"] = table["account_id"].where(~before, vanished)
    return table


def _write(table: pd.DataFrame, path: Path) -> None:
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, compression="zstd")


def _write_usage(history: History, path: Path, seed: int) -> None:
    writer = None
    rng, spoiler = stream(seed, "observation", 0), stream(seed, "faults", 100)
    for batch in usage_batches(history, rng):
        table = faults.spoil_usage(pa.Table.from_batches([batch]), spoiler)
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _source_toml(extracted_at: datetime) -> str:
    lines = [
        "# A sample company, made by `tenure simulate`. Nothing in it is about anyone.",
        "",
        f"extracted_at = {extracted_at.isoformat()}",
        'currency = "EUR"',
        "",
    ]
    for table, columns in CONSTANT:
        lines += [f"[tables.{table}.columns]"]
        lines += [f'{name} = {{ column = "{name}", constant = true }}' for name in columns]
        lines += [""]
    return "\n".join(lines)
