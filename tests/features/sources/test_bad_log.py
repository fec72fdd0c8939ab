"""Logs as they should not be: each gives a right answer, or a row set aside with its reason."""

import hmac
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.build import feature_table
from features.catalog import available
from features.errors import SourceError
from features.home import Home
from features.sources.check import check
from features.spine import account_states
from features.tombstones import read_tombstones

START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC by contract
BASE = {
    "accounts": "account_id created_at\na 2023-01-01\nb 2023-01-01\nsilent 2023-01-01",
    "subscriptions": """
        subscription_id  account_id  product  mrr  started_at
        s1               a           base     10   2023-01-01
        s2               b           base     10   2023-01-01
        s3               silent      base     10   2023-01-01
    """,
}
ROWS_OF_ONE = int(os.environ.get("LARGE_ACCOUNT", "300000"))
MEGABYTE = 1 << 20


@pytest.fixture
def logged(source_folder, home):
    """A factory: frames in, one for each part of the log, a checked source out."""

    def make(*parts, extracted_at="2025-01-01", limit=1.0):
        folder = source_folder(BASE, **({"extracted_at": extracted_at} if extracted_at else {}))
        (folder / "usage_events").mkdir()
        for number, part in enumerate(parts):
            part.write_parquet(folder / "usage_events" / f"{number}.parquet")
        return check(str(folder), home=home, limit=limit)

    return make


def events(days, account="a", **columns):
    rows = len(days)
    return pl.DataFrame(
        {
            "account_id": [account] * rows,
            "occurred_at": [START + timedelta(days=day) for day in days],
            "event": ["open"] * rows,
            **{
                name: value if isinstance(value, list) else [value] * rows
                for name, value in columns.items()
            },
        }
    )


def reasons(source):
    aside = pl.read_csv(source.quarantine)
    return aside.select("row", "column", "reason").rows()


def features_of(source, day, *names):
    chosen = [feature for feature in available(source) if feature.column in names]
    frame = feature_table(source, account_states(source, [day]), features=chosen)
    return {row["account_id"]: [row[name] for name in names] for _, row in frame.iterrows()}


def test_events_of_an_account_with_no_row_anywhere_are_set_aside(logged):
    source = logged(events([1]), events([2, 3], account="nobody"))
    assert reasons(source) == [
        (2, "account_id", "names an unknown account"),
        (3, "account_id", "names an unknown account"),
    ]


def test_too_many_unknown_accounts_stop_the_run_with_what_to_do(logged):
    with pytest.raises(SourceError, match=r"50\.0% in usage_events .*unknown account.*mend the"):
        logged(events([1, 2]), events([3, 4], account="nobody"), limit=0.05)


def test_events_out_of_order_count_as_in_order(logged):
    orders = ([1, 9, 30, 3], [30, 1, 3, 9])
    sources = [logged(events(days)) for days in orders]
    assert sources[0].fingerprint == sources[1].fingerprint


def test_events_that_came_twice_count_once(logged):
    once, twice = logged(events([1, 2])), logged(events([1, 2]), events([2, 1]), events([2]))
    assert once.fingerprint == twice.fingerprint
    assert twice.counts["usage_events"].collapsed == 3


def test_a_clock_years_ahead_is_set_aside_and_one_years_behind_warned_about(logged):
    source = logged(events([1, 366 * 40, -366 * 50]))
    assert reasons(source) == [(2, "occurred_at", "lies after the time of the extract")]
    (early,) = [f for f in source.findings if f.level == "warning" and f.rows]
    assert (early.column, early.rows) == ("occurred_at", 1)
    assert source.parts("usage_events")[0].stem == "1973-11-19"


def test_a_clock_years_ahead_does_not_move_the_guess_of_the_extract(logged):
    assert logged(events([1, 366 * 40]), extracted_at=None).extracted_at == START + timedelta(
        days=2
    )


def test_a_negative_quantity_is_taken_off(logged):
    source = logged(events([1, 2], quantity=[5.0, -2.0]))
    assert features_of(source, date(2024, 1, 10), "usage__events__28d")["a"] == [3]


@pytest.mark.parametrize("quantity", [float("nan"), float("inf")])
def test_a_quantity_that_is_no_finite_number_is_set_aside(logged, quantity):
    source = logged(events([1, 2], quantity=[1.0, quantity]))
    assert reasons(source) == [(2, "quantity", "is not a finite number")]


@pytest.mark.parametrize("quantity", [1e9 + 1, 2e14, 1e15, 1e300])
def test_a_quantity_that_no_sum_can_hold_is_set_aside(logged, quantity):
    source = logged(events([1, 2, 3], quantity=[1.0, quantity, -quantity]))
    assert reasons(source) == [
        (2, "quantity", "is above 1,000,000,000"),
        (3, "quantity", "is below -1,000,000,000"),
    ]


def test_such_a_quantity_is_set_aside_from_csv_too(company):
    log = "account_id occurred_at event quantity\na 2024-01-02 open 1e300\na 2024-01-03 open 1"
    source = company(BASE | {"usage_events": log}, limit=1.0)
    assert reasons(source) == [(1, "quantity", "is above 1,000,000,000")]


def test_the_largest_quantities_are_added_up(logged):
    log = events([2] * 3000, quantity=1e9, user_id=[str(user) for user in range(3000)])
    assert features_of(logged(log), date(2024, 1, 10), "usage__events__28d")["a"] == [3e12]


def test_an_account_without_a_row_of_its_own_has_no_use(logged):
    names = ("usage__events__28d", "usage__days_since_last_event")
    (total, since) = features_of(logged(events([1])), date(2024, 1, 10), *names)["silent"]
    assert total == 0
    assert np.isnan(since)


@pytest.mark.parametrize("parts", [(), ([],), ([], [])])
def test_a_log_that_is_only_a_heading_is_a_log_without_use(logged, parts):
    frames = [events(days, user_id="u").head(0) for days in parts] or [events([0]).head(0)]
    source = logged(*frames)
    assert source.counts["usage_events"].read == 0
    assert features_of(source, date(2024, 1, 10), "usage__events__28d")["a"] == [0]


def test_a_csv_that_is_only_a_heading_is_a_table_without_rows(company):
    tables = BASE | {
        "usage_events": "account_id occurred_at event",
        "surveys": "account_id responded_at kind score",
    }
    source = company(tables)
    assert source.read("usage_events").empty
    assert source.read("surveys").empty


def test_a_file_without_any_byte_is_named(source_folder, home):
    folder = source_folder(BASE)
    (folder / "usage_events").mkdir()
    (folder / "usage_events" / "1.parquet").touch()
    with pytest.raises(SourceError, match=r"usage_events/1.parquet.*Replace the file"):
        check(str(folder), home=home)


def test_of_many_parts_the_one_that_cannot_be_read_is_named(logged):
    with pytest.raises(SourceError) as refused:
        logged(events([0]), events([1]), Junk())
    assert "usage_events/2.parquet, got" in str(refused.value)
    assert "0.parquet" not in str(refused.value)


class Junk:
    """A part that was not written to its end."""

    def write_parquet(self, file):
        file.write_text("junk")


def test_a_month_missing_in_the_middle_is_a_month_without_use(logged):
    source = logged(events([0, 20]), events([70, 80]))
    names = ("usage__events__28d", "usage__days_since_last_event")
    assert features_of(source, date(2024, 2, 25), *names)["a"] == [0, 35]
    assert features_of(source, date(2024, 3, 25), *names)["a"] == [2, 4]


def test_a_quantity_that_becomes_text_in_the_second_part_is_read_in_both(logged):
    one = events([1, 2], quantity=[2, 3])
    two = events([3, 4], quantity=["2.5", "many"])
    source = logged(one, two)
    assert reasons(source) == [(4, "quantity", "is not a number")]
    assert source.read("usage_events")["quantity"].tolist() == [2.0, 3.0, 2.5]


def test_a_time_that_becomes_text_in_the_second_part_is_read_in_both(logged):
    texts = ["2024-01-03T10:00:00+02:00", "2024-01-04", "tomorrow"]
    two = events([0] * 3).with_columns(occurred_at=pl.Series(texts))
    source = logged(events([0]), two)
    assert reasons(source) == [(4, "occurred_at", "is not an ISO date or time")]
    assert source.read("usage_events")["occurred_at"].astype(str).tolist() == [
        "2024-01-01 00:00:00.000000",
        "2024-01-03 08:00:00.000000",
        "2024-01-04 23:59:59.999999",
    ]


def test_a_date_that_becomes_a_time_in_the_second_part_stays_the_end_of_its_day(logged):
    dates = events([0]).with_columns(pl.col("occurred_at").cast(pl.Date))
    source = logged(dates, events([1]))
    assert source.read("usage_events")["occurred_at"].dt.hour.tolist() == [23, 0]


def test_ids_that_become_text_in_the_second_part_are_the_same_ids(source_folder, home):
    tables = {
        "accounts": "account_id created_at\n7 2023-01-01",
        "subscriptions": BASE["subscriptions"].replace(" a ", " 7 ").rsplit("s2", 1)[0],
    }
    folder = source_folder(tables)
    (folder / "usage_events").mkdir()
    for number, form in enumerate((7, 7.0, "7")):
        part = events([number]).with_columns(account_id=pl.lit(form))
        part.write_parquet(folder / "usage_events" / f"{number}.parquet")
    source = check(str(folder), home=home)
    assert source.read("usage_events")["account_id"].tolist() == ["7", "7", "7"]


NAMES = (
    "Ünïté & Söhne",
    "株式会社テスト",
    "شركة",
    "Ж «Щука»",
    "कंपनी",
    "🦊",
    "a'b\"c;--",
    "ab\u200dc",
)


def test_names_may_be_in_any_script(source_folder, home):
    folder = source_folder({})
    pl.DataFrame({"account_id": NAMES, "created_at": [START] * len(NAMES)}).write_parquet(
        folder / "accounts.parquet"
    )
    pl.DataFrame(
        {
            "subscription_id": NAMES,
            "account_id": NAMES,
            "product": NAMES,
            "mrr": [1.0] * len(NAMES),
            "started_at": [START] * len(NAMES),
        }
    ).write_parquet(folder / "subscriptions.parquet")
    (folder / "usage_events").mkdir()
    log = pl.concat([events([day], account=name, user_id=name) for day, name in enumerate(NAMES)])
    log.with_columns(event=pl.col("account_id")).write_parquet(
        folder / "usage_events/テスト.parquet"
    )
    source = check(str(folder), home=home)
    rows = source.read("usage_events").sort_values("occurred_at")
    for column in ("account_id", "event"):
        assert rows[column].tolist() == list(NAMES)
    key = read_tombstones(home).persons_key
    persons = [hmac.digest(key, name.encode(), "sha256").hex()[:32] for name in NAMES]
    assert rows["user_id"].tolist() == persons


def test_a_week_holds_its_rows_by_account_and_each_accounts_by_time(logged):
    source = logged(events([3, 1, 2], account="b"), events([4, 2], account="a"))
    (part,) = source.parts("usage_events")
    accounts, times = pl.read_parquet(part).select("account_id", "occurred_at").get_columns()
    assert accounts.to_list() == ["a", "a", "b", "b", "b"]
    assert times.dt.day().to_list() == [START.day + day for day in (2, 4, 1, 2, 3)]


def test_three_hundred_kinds_of_event_are_told_apart(logged):
    kinds = [f"kind {number % 300}" for number in range(600)]
    log = events([1] * 600).with_columns(
        event=pl.Series(kinds), user_id=pl.Series(map(str, range(600)))
    )
    source = logged(log)
    assert features_of(source, date(2024, 1, 10), "usage__event_kinds__28d")["a"] == [300]


PEAK = """
import resource, subprocess, sys
print(subprocess.check_output([sys.executable, "-c", *sys.argv[1:]], text=True).strip())
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs code from a small process: what is told of a child's memory begins at its parent's."""

CHECK = """
import sys
from pathlib import Path
from features.home import Home
from features.sources.check import check
from features.spine import account_states
source = check(sys.argv[1], home=Home(Path(sys.argv[2])), limit=1.0)
print(source.counts["usage_events"].accepted)
"""


def test_one_account_with_very_many_events_in_one_week_fits_into_memory(source_folder, home):
    folder = source_folder(BASE, extracted_at="2025-01-01")
    (folder / "usage_events").mkdir()
    dice = np.random.default_rng(1)
    week = 7 * 86_400_000_000
    at = START.replace(tzinfo=UTC).timestamp() * 1_000_000
    times = np.sort(dice.choice(week, ROWS_OF_ONE, replace=False)) + int(at)
    pq.write_table(
        pa.table(
            {
                "account_id": pa.repeat("a", ROWS_OF_ONE),
                "occurred_at": pa.array(times, pa.timestamp("us")),
                "event": pa.repeat("open", ROWS_OF_ONE),
            }
        ),
        folder / "usage_events" / "week.parquet",
    )
    command = [sys.executable, "-c", PEAK, CHECK, str(folder), str(home.root)]
    accepted, kilobytes = subprocess.check_output(command, text=True).split()
    assert int(accepted) == ROWS_OF_ONE
    assert int(kilobytes) * 1024 < 1_500 * MEGABYTE


def test_a_part_that_changes_its_content_between_checks_is_seen(source_folder, tmp_path):
    home = Home(tmp_path / "other")
    folder = source_folder(BASE, extracted_at="2025-01-01")
    (folder / "usage_events").mkdir()
    file = folder / "usage_events" / "1.parquet"
    sizes, newest = set(), []
    for days in ([1, 2, 3], [1, 2, 4]):
        events(days).write_parquet(file)
        sizes.add(file.stat().st_size)
        source = check(str(folder), home=home)
        newest.append(source.read("usage_events")["occurred_at"].max())
    assert len(sizes) == 1  # so that the size alone does not tell
    assert newest == [START + timedelta(days=3), START + timedelta(days=4)]
