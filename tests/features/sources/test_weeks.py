"""A log in weekly parts: which rows lie where, and bytes that hang on the rows alone."""

import json
from datetime import datetime, timedelta

import pandas as pd
import polars as pl
import pytest

from features.checked import open_checked
from features.engine import Engine, session
from features.errors import SourceError
from features.sources.check import check

BASE = {
    "accounts": "account_id created_at\na 2024-01-01\nb 2024-01-01",
    "subscriptions": "subscription_id account_id product mrr started_at\ns a base 1 2024-01-01",
}
EVENTS = """
    account_id  occurred_at          event
    b           2024-03-10T23:59:59  login
    a           2024-03-11           login
    a           2024-03-04           login
    a           2024-03-11T08:00     export
    a           2024-03-11T08:00     export
"""


@pytest.fixture
def in_parts(source_folder, home):
    """A factory: a source whose log lies in Parquet files of these names and frames."""

    def make(**parts):
        folder = source_folder(BASE, extracted_at="2024-12-31")
        (folder / "usage_events").mkdir()
        for name, frame in parts.items():
            frame.write_parquet(folder / "usage_events" / f"{name}.parquet")
        return check(str(folder), home=home, limit=1.0)

    return make


def events(rows=400, first=0):
    """Events of ten weeks, each different, always two at a time."""
    begin = datetime(2024, 3, 1)  # noqa: DTZ001 - naive UTC by contract
    return pl.DataFrame(
        {
            "account_id": ["a" if n % 3 else "b" for n in range(first, first + rows)],
            "user_id": [f"u{n % 7}" for n in range(first, first + rows)],
            "occurred_at": [
                begin + timedelta(hours=8 * (n // 2)) for n in range(first, first + rows)
            ],
            "event": [f"e{n % 5}" for n in range(first, first + rows)],
        }
    )


def parts_of(source):
    return {part.name: part.read_bytes() for part in source.parts("usage_events")}


def test_a_log_lies_in_one_part_for_each_iso_week(company):
    parts = company(BASE | {"usage_events": EVENTS}).parts("usage_events")
    assert [part.name for part in parts] == ["2024-03-04.parquet", "2024-03-11.parquet"]
    days = [pd.read_parquet(part)["occurred_at"].dt.date.astype(str).tolist() for part in parts]
    assert days == [["2024-03-04", "2024-03-10"], ["2024-03-11", "2024-03-11"]]


def test_the_parts_are_in_the_manifest_with_what_they_hold(company):
    source = company(BASE | {"usage_events": EVENTS})
    manifest = json.loads((source.folder / "manifest.json").read_text())
    first, _ = manifest["ledgers"]["usage_events"]["parts"]
    assert first == {
        "file": "2024-03-04.parquet",
        "rows": 2,
        "sha256": manifest["files"]["usage_events/2024-03-04.parquet"]["sha256"],
        "first_day": "2024-03-04",
        "last_day": "2024-03-10",
        "last_known_day": "2024-03-10",
        "early": 1,
    }
    assert open_checked(source.folder) == source


def test_a_log_without_rows_has_a_part_with_its_columns(company):
    source = company(BASE | {"usage_events": "account_id occurred_at event"})
    (part,) = source.parts("usage_events")
    assert list(pd.read_parquet(part)) == [*source.columns["usage_events"], "known_at"]
    assert source.read("usage_events").empty


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_every_engine_reads_the_folder_of_parts(company, engine):
    source = company(BASE | {"usage_events": EVENTS})
    with session(engine) as opened:
        rows = opened.collect(opened.scan(source.path("usage_events")))
    assert sorted(rows["event"]) == ["export", "login", "login", "login"]


def test_an_ordinary_table_has_its_file_as_its_one_part(company):
    source = company(BASE)
    assert source.parts("accounts") == (source.folder / "accounts.parquet",)


def test_shuffled_split_copied_and_renamed_rows_give_the_same_store(in_parts):
    whole = events()
    first = in_parts(all=whole)
    forms = (
        {"all": whole.sample(fraction=1, shuffle=True, seed=1)},
        {"z": whole[:150], "b": whole[150:151], "a": whole[151:]},
        {"one": whole, "two": whole},
        {"one": whole[:300], "two": whole[100:].reverse()},
    )
    for form in forms:
        source = in_parts(**form)
        assert parts_of(source) == parts_of(first)
        assert source.fingerprint == first.fingerprint


def test_copies_in_different_parts_collapse_and_are_counted(in_parts):
    counts = in_parts(one=events(10), two=events(10, first=5)).counts["usage_events"]
    assert (counts.read, counts.accepted, counts.collapsed) == (20, 15, 5)


def test_a_row_set_aside_is_numbered_over_all_parts(in_parts):
    unknown = events(1).with_columns(account_id=pl.lit("z"))
    source = in_parts(a=events(3), b=pl.concat([events(1), unknown]))
    aside = pl.read_csv(source.quarantine)
    assert aside["row"].to_list() == [5]
    assert [part.quarantined for part in source.ledgers["usage_events"].sources] == [0, 1]


def test_a_column_that_only_some_parts_have_is_empty_in_the_others(in_parts):
    source = in_parts(a=events(2).drop("user_id"), b=events(2, first=2))
    in_time = source.read("usage_events").sort_values("occurred_at")
    assert in_time["user_id"].isna().tolist() == [True, True, False, False]
    assert in_time["user_id"].nunique() == 2


def test_a_further_column_tells_events_apart_across_parts(in_parts):
    one, two = (events(1).with_columns(id=pl.lit(n)) for n in (1, 2))
    assert in_parts(a=one, b=two, c=two).counts["usage_events"].accepted == 2


def test_a_lost_part_is_missed_when_the_source_is_opened(company):
    source = company(BASE | {"usage_events": EVENTS})
    source.parts("usage_events")[0].unlink()
    with pytest.raises(
        SourceError, match=r"Expected usage_events/2024-03-04.parquet of .* no such"
    ):
        open_checked(source.folder)
