"""The fold over the log against the readable definition: equal to the last digit."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.battery.written import write_checked
from features.build import feature_table
from features.catalog import catalog
from features.checked import CheckedSource
from features.daily import EVENT_DAYS
from features.declare import (
    FIXED,
    Distinct,
    Extreme,
    Facts,
    Feature,
    Missing,
    Ranked,
    Text,
    Total,
    Unit,
    View,
)
from features.engine import Engine
from features.families.usage import DAYS, EVENTS, KINDS, USERS
from features.fold import ranks
from features.fold.folded import is_folded
from features.fold.one_pass import fold
from features.rollups import edge_groups, rolled_up
from features.sources.rolling import roll_up
from features.windows import day_number

START = datetime(2024, 1, 1)  # noqa: DTZ001 - times in checked tables are naive UTC
ACCOUNTS = ("a", "b", "c", "d", "e")
SPAN = 400
Log = dict[str, list[dict[str, Any]]]


def declared(name: str, recipe: Any, days: int | None, missing: Missing = Missing.ZERO) -> Feature:
    return Feature("x", name, recipe, Unit.ITEMS, name, "x.", Text("x"), missing, None, days)


SAVED = nw.col("event") == "save"
SAVES = Facts("usage_events", at="occurred_at", uses=("event", "quantity"), where=SAVED)
NO_PRODUCT = Facts(
    "usage_events", at="occurred_at", uses=("product",), where=nw.col("product").is_null()
)
QUANTITY = nw.col("quantity")
OWN = (
    declared("saves", Total(SAVES), 28),
    declared("saves_ever", Total(SAVES), None),
    declared("saved", Total(SAVES, QUANTITY, back=2), 30),
    declared("saved_mean", Total(SAVES, QUANTITY, mean=True), 90, Missing.UNKNOWN),
    declared("saved_or_null", Total(SAVES, QUANTITY), 20, Missing.UNKNOWN),
    declared("without_product", Total(NO_PRODUCT), 45),
    declared("savers", Distinct(SAVES, "user_id"), 28),
    declared("savers_ever", Distinct(SAVES, "user_id"), None),
    declared("last_save", Extreme(SAVES, nw.col("at_day"), "max", since=True), 60),
    declared("first_save", Extreme(SAVES, nw.col("at_day"), "min", ahead=True), None),
    declared("kinds_before", Distinct(KINDS, "event", back=1), 14),
    declared("days_of_use", Total(DAYS, back=3), 10),
    declared("top", Ranked(EVENTS, "user_id", QUANTITY), 28, Missing.UNKNOWN),
    declared("least", Ranked(EVENTS, "user_id", QUANTITY, "min"), 60, Missing.UNKNOWN),
    declared("quiet", Ranked(EVENTS, "user_id", since=True, lag_days=50), 20, Missing.UNKNOWN),
    declared("quiet_least", Ranked(EVENTS, "user_id", QUANTITY, "min", since=True), 30),
    declared("top_saver_ever", Ranked(SAVES, "user_id", QUANTITY), None, Missing.UNKNOWN),
    declared("saver_seen", Ranked(SAVES, "user_id", since=True), None, Missing.UNKNOWN),
    declared("top_kind", Ranked(KINDS, "event"), 45, Missing.UNKNOWN),
    declared("quiet_product", Ranked(SAVES, "product", QUANTITY, since=True), 365),
)
FEATURES = (*(feature for feature in catalog() if is_folded(feature)), *OWN)


def draw(seed: int, rows: int = 120, *, is_recorded: bool = True) -> Log:
    """A log with late rows, nulls and fractions; c may become d, d e, a b, b a, others later."""
    dice = random.Random(seed)  # noqa: S311 - a drawn log, not a secret
    first = START + timedelta(days=dice.randrange(SPAN))

    def event() -> dict[str, Any]:
        at = START + timedelta(seconds=dice.randrange(SPAN * 86_400))
        at = first + timedelta(days=dice.randrange(3)) if dice.random() < 0.3 else at
        late = timedelta(days=dice.choice((0, 0, 0, 1, 9, 40, 300)))
        return {
            "account_id": dice.choice(ACCOUNTS),
            "user_id": dice.choice(("u1", "u2", "a user with a long name", "ü4", None)),
            "occurred_at": dice.choice((at, at.replace(hour=0, minute=0, second=0))),
            "event": dice.choice(("save", "open", "share")),
            "product": dice.choice(("base", "", None)),
            "quantity": dice.choice((1.0, 2.5, -7.0, 7.0, 0.0, 0.0001, None)),
            **({"recorded_at": at + late if late else None} if is_recorded else {}),
        }

    def merge(vanished: str, into: str) -> dict[str, Any]:
        at = START + timedelta(days=dice.randrange(SPAN))
        return {"from_account_id": vanished, "into_account_id": into, "merged_at": at}

    def corrected(row: dict[str, Any]) -> dict[str, Any]:
        recorded = row["merged_at"] + timedelta(days=dice.randrange(1, SPAN))
        return {**row, "into_account_id": dice.choice(ACCOUNTS), "recorded_at": recorded}

    merges = [merge("c", "d"), merge("d", "e"), merge("a", "b"), merge("b", "a")]
    merges = dice.sample(merges, dice.randrange(len(merges) + 1))
    merges += [corrected(row) for row in merges if is_recorded and dice.random() < 0.7]
    return {
        "accounts": [{"account_id": name, "created_at": START} for name in ACCOUNTS],
        "account_merges": merges,
        "usage_events": [event() for _ in range(rows)],
    }


def build(
    source: CheckedSource,
    days: Sequence[int],
    *,
    fold: bool,
    engine: Engine = Engine.POLARS,
    features: Sequence[Feature] = FEATURES,
    accounts: Sequence[str] = ACCOUNTS,
) -> pd.DataFrame:
    dates = [START + timedelta(days=day) for day in days]
    points = pd.MultiIndex.from_product([accounts, dates], names=["account_id", "as_of"])
    spine = points.to_frame(index=False).astype({"as_of": "datetime64[us]"})
    return feature_table(source, spine, engine=engine, features=features, fold=fold)


@pytest.fixture
def checked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Log], CheckedSource]:
    folder, numbers = tmp_path_factory.mktemp("logs"), count()
    return lambda log: write_checked(folder / str(next(numbers)), log)


def test_the_features_of_the_catalogue_that_hang_on_a_log_alone_are_folded() -> None:
    assert {feature.name for feature in FEATURES} >= {
        "events",
        "events_before",
        "active_users",
        "active_days",
        "event_kinds",
        "products_used",
        "days_since_last_event",
        "days_since_first_event",
    }


AS_IT_IS = View("as_it_is", "usage_events", ("occurred_at",), lambda rows: rows)
TWO_COLUMNS = (nw.col("event") == "save") & (nw.col("product") == "base")


@pytest.mark.parametrize(
    "recipe",
    [
        Total(Facts("support_tickets", at="opened_at")),
        Total(Facts("usage_events", at="occurred_at", until="occurred_at")),
        Total(EVENTS, QUANTITY * 2),
        Total(Facts("usage_events", "occurred_at", uses=("quantity",), where=QUANTITY > 0)),
        Total(Facts("usage_events", "occurred_at", None, ("event", "product"), TWO_COLUMNS)),
        Total(
            Facts(View("own", "usage_events", ("occurred_at",), lambda rows: rows), "occurred_at")
        ),
        Extreme(EVENTS, QUANTITY, "max"),
        Extreme(USERS, nw.col("at_day"), "min"),
        Ranked(EVENTS, "user_id", QUANTITY, mean=True),
        Ranked(EVENTS, "user_id", QUANTITY * 2),
        Ranked(EVENTS, "quantity"),
    ],
    ids=lambda recipe: type(recipe).__name__,
)
def test_what_needs_more_than_the_log_by_days_is_not_folded(recipe: Any) -> None:
    assert not is_folded(declared("other", recipe, 28))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 10_000),
    days=st.lists(st.integers(1, SPAN + 300), min_size=1, max_size=12),
    is_recorded=st.booleans(),
)
def test_a_fold_gives_what_the_definition_gives(
    seed: int,
    days: list[int],
    is_recorded: bool,  # noqa: FBT001 - drawn, and named by Hypothesis
    checked: Callable[[Log], CheckedSource],
) -> None:
    source = checked(draw(seed, is_recorded=is_recorded))
    by_definition = build(source, days, fold=False)
    pd.testing.assert_frame_equal(build(source, days, fold=True), by_definition, check_exact=True)


def test_it_gives_sixty_snapshots_at_once_as_duckdb_does(
    checked: Callable[[Log], CheckedSource],
) -> None:
    source, days = checked(draw(7, rows=600)), range(30, 630, 10)
    by_definition = build(source, days, fold=False, engine=Engine.DUCKDB)
    folded = build(source, days, fold=True, engine=Engine.DUCKDB)
    pd.testing.assert_frame_equal(folded, by_definition, check_exact=True)


@pytest.mark.parametrize("seed", range(8))
def test_the_days_of_a_part_tell_as_much_as_the_part(
    seed: int, checked: Callable[[Log], CheckedSource]
) -> None:
    log = draw(seed, rows=(120, 6000)[seed == 1], is_recorded=seed % 2 == 0)
    source, days = checked(log), [60, 300, 380, 700]
    expected = build(source, days, fold=True)
    for part in source.parts("usage_events"):
        roll_up(part, source.columns["usage_events"])
    pd.testing.assert_frame_equal(build(source, days, fold=True), expected, check_exact=True)
    last = [feature for feature in FEATURES if feature.name == "days_since_last_event"]
    for part in rolled_up(source, EVENT_DAYS).iterdir():
        pq.write_table(pq.read_table(part).slice(0, 0), part)
    misled = build(source, [700], fold=True, features=last)
    assert misled["usage__days_since_last_event"].isna().all()


def test_the_first_and_last_days_of_a_week_tell_when_an_account_was_last_seen(
    checked: Callable[[Log], CheckedSource],
) -> None:
    source = checked(draw(1, rows=6000))
    last = [feature for feature in FEATURES if feature.name == "days_since_last_event"]
    expected = build(source, [700], fold=True, features=last)
    lost = 0
    for part in source.parts("usage_events"):
        roll_up(part, source.columns["usage_events"])
    for days in rolled_up(source, EVENT_DAYS).iterdir():
        with pq.ParquetFile(days) as file:
            edges = file.read_row_groups(edge_groups(file.schema_arrow))
            lost += file.metadata.num_rows - len(edges)
        pq.write_table(edges, days)
    assert lost > 0
    pd.testing.assert_frame_equal(build(source, [700], fold=True, features=last), expected)


def test_a_ranking_of_more_keys_than_there_is_room_for_is_left_to_its_definition(
    checked: Callable[[Log], CheckedSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checked(log_of(*(event(10, user_id=f"u{n % 9}") for n in range(20))))
    day = day_number(START) + 12
    monkeypatch.setattr(ranks, "MOST_SUMS", 8)
    top = [feature for feature in FEATURES if feature.name == "top"]
    assert "x__top__28d" not in fold(source, top, ACCOUNTS, [day]).column_names
    assert one(source, "x__top__28d", 12) == 3 * FIXED
    monkeypatch.setattr(ranks, "MOST_SUMS", 9)
    assert "x__top__28d" in fold(source, top, ACCOUNTS, [day]).column_names


def test_accounts_that_are_not_asked_for_change_nothing(
    checked: Callable[[Log], CheckedSource],
) -> None:
    log = draw(3)
    log["account_merges"] = []
    everyone = build(checked(log), [200, 300], fold=True)
    asked = build(checked(log), [200, 300], fold=True, accounts=("b",))
    of_b = everyone[everyone["account_id"] == "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(asked, of_b, check_exact=True)


def one(source: CheckedSource, column: str, day: int, account: str = "a") -> float:
    chosen = [feature for feature in FEATURES if feature.column == column]
    (value,) = build(source, [day], fold=True, features=chosen, accounts=(account,))[column]
    return float(value)


def event(day: float, account: str = "a", **cells: Any) -> dict[str, Any]:
    at = START + timedelta(days=day)
    return {"account_id": account, "occurred_at": at, "event": "save", "user_id": "u", **cells}


def log_of(*events: dict[str, Any], merged_on: int | None = None) -> Log:
    merges = {"from_account_id": "a", "into_account_id": "b"}
    at = START + timedelta(days=merged_on or 0)
    return {
        "accounts": [{"account_id": name, "created_at": START} for name in ACCOUNTS],
        "account_merges": [] if merged_on is None else [{**merges, "merged_at": at}],
        "usage_events": list(events),
    }


def test_the_days_of_a_part_count_from_when_each_was_known(
    checked: Callable[[Log], CheckedSource],
) -> None:
    monday = (7 - START.weekday()) % 7
    late = event(monday + 3, recorded_at=START + timedelta(days=monday + 30))
    source = checked(log_of(event(monday, recorded_at=None), late))
    for part in source.parts("usage_events"):
        roll_up(part, source.columns["usage_events"])
    since = [one(source, "usage__days_since_last_event", monday + day) for day in (10, 30, 31)]
    assert since == [10, 30, 28]


@pytest.mark.parametrize(("day", "expected"), [(10, 0), (11, 1), (17, 1), (18, 0)])
def test_a_day_counts_from_the_next_midnight_for_as_long_as_the_window(
    day: int, expected: int, checked: Callable[[Log], CheckedSource]
) -> None:
    assert one(checked(log_of(event(10.0))), "usage__events__7d", day) == expected


@pytest.mark.parametrize(("day", "expected"), [(13, 0), (15, 0), (16, 1), (18, 0)])
def test_a_row_recorded_late_counts_from_then_on_only(
    day: int, expected: int, checked: Callable[[Log], CheckedSource]
) -> None:
    late = event(10.5, recorded_at=START + timedelta(days=15.5))
    source = checked(log_of(late))
    assert one(source, "usage__active_users__7d", day) == expected
    assert one(source, "usage__active_days__7d", day) == expected
    assert one(source, "usage__events__7d", day) == expected


def test_a_user_of_two_accounts_that_merged_is_one(checked: Callable[[Log], CheckedSource]) -> None:
    source = checked(log_of(event(10), event(10, "b"), event(11, "b", user_id="v"), merged_on=20))
    assert one(source, "usage__active_users__28d", 20, "b") == 2
    assert one(source, "usage__active_users__28d", 21, "b") == 2
    assert one(source, "usage__active_days__28d", 21, "b") == 2
    assert one(source, "usage__events__28d", 21, "b") == 3
    assert one(source, "usage__events__28d", 21, "a") == 0


def test_what_it_keeps_does_not_hang_on_how_the_log_is_stored(
    checked: Callable[[Log], CheckedSource],
) -> None:
    """Texts as dictionaries or not, in many row groups, in parts, without statistics, as large."""
    source, days = checked(draw(11, rows=900)), [120, 200, 390]
    expected = build(source, days, fold=True)
    rows = pa.concat_tables(pq.read_table(part) for part in source.parts("usage_events"))
    large = {name: pa.large_string() for name in ("user_id", "event", "product")}
    fields = [field.with_type(large.get(field.name, field.type)) for field in rows.schema]
    for options in (
        {"use_dictionary": False, "row_group_size": 50},
        {"use_dictionary": True, "row_group_size": 70},
        {"write_statistics": False},
    ):
        for part in source.parts("usage_events"):
            part.unlink()
        for half in (rows.slice(500), rows.slice(0, 500)):
            out = source.path("usage_events") / f"{len(half)}.parquet"
            pq.write_table(half.cast(pa.schema(fields)), out, **options)
        again = build(source, days, fold=True)
        pd.testing.assert_frame_equal(again, expected, check_exact=True, obj=str(options))


def test_three_hundred_kinds_of_event_and_many_users_are_told_apart(
    checked: Callable[[Log], CheckedSource],
) -> None:
    events = [event(10, event=f"kind {n % 300}", user_id=f"user {n}" * 3) for n in range(9000)]
    source = checked(log_of(*events))
    assert one(source, "usage__event_kinds__28d", 12) == 300
    assert one(source, "usage__active_users__28d", 12) == 9000


def test_an_empty_log_gives_what_nothing_means(checked: Callable[[Log], CheckedSource]) -> None:
    source = checked(log_of(event(10)))
    for part in source.parts("usage_events"):
        pq.write_table(pq.read_table(part).slice(0, 0), part)
    rows = build(source, [50], fold=True)
    pd.testing.assert_frame_equal(rows, build(source, [50], fold=False), check_exact=True)
    assert one(source, "usage__events__28d", 50) == 0
    assert np.isnan(one(source, "usage__days_since_last_event", 50))
