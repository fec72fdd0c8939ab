"""What is rolled up of a log says the same as the log, and hangs on nothing but its rows."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.battery.written import write_checked
from features.build import feature_table
from features.catalog import available
from features.checked import CheckedSource
from features.daily import EVENT_DAYS, PRODUCT_DAYS, ROLLED_UP, SHARED_DAYS, USERS_BY_DAY
from features.declare import Facts, Feature, Formula, Missing, Text, Total, Unit, View, facts_of
from features.engine import Engine, session
from features.rollups import edge_groups, edition, rolled_up, rollup, rollups_of
from features.rows import Reader, reader
from features.sources.rolling import roll_up
from features.versions import versions

START = datetime(2024, 1, 1)  # noqa: DTZ001 - times in checked tables are naive UTC
ACCOUNTS = ("a", "b", "c", "d", "e")
SPAN = 40
PRESENT = ("account_id", "user_id", "occurred_at", "event", "product", "quantity", "recorded_at")


def drawn(seed: int) -> dict[str, list[dict[str, Any]]]:
    """A log with late rows and nulls; c may become d, d e, a b, and b a, and leave again."""
    dice = random.Random(seed)  # noqa: S311 - a drawn log, not a secret

    def event() -> dict[str, Any]:
        at = START + timedelta(days=dice.randrange(SPAN), seconds=dice.randrange(86_400))
        late = timedelta(days=dice.choice((0, 0, 0, 1, 9)))
        return {
            "account_id": dice.choice(ACCOUNTS),
            "user_id": dice.choice(("u1", "u2", "u3", None)),
            "occurred_at": dice.choice((at, at.replace(hour=0, minute=0, second=0))),
            "event": dice.choice(("save", "open", "share", "send")),
            "product": dice.choice(("base", "more", None)),
            "quantity": dice.choice((1.0, 2.5, -7.0, 0.00005, None)),
            "recorded_at": at + late if late else None,
        }

    def merge(vanished: str, into: str) -> dict[str, Any]:
        at = START + timedelta(days=dice.randrange(SPAN))
        return {"from_account_id": vanished, "into_account_id": into, "merged_at": at}

    def subscription(account: str, product: str) -> dict[str, Any]:
        at = START + timedelta(days=dice.randrange(SPAN))
        named = {"subscription_id": account + product, "account_id": account, "product": product}
        return named | {"mrr": 1, "started_at": at}

    merges = [merge("c", "d"), merge("d", "e"), merge("a", "b"), merge("b", "a")]
    return {
        "accounts": [{"account_id": name, "created_at": START} for name in ACCOUNTS],
        "account_merges": dice.sample(merges, dice.randrange(len(merges) + 1)),
        "subscriptions": [subscription(a, p) for a in ACCOUNTS for p in ("base", "more")],
        "usage_events": [event() for _ in range(300)],
    }


@pytest.fixture
def checked(tmp_path: Path) -> Callable[..., CheckedSource]:
    numbers = count()
    return lambda tables: write_checked(tmp_path / str(next(numbers)), tables)


def roll_all(source: CheckedSource) -> None:
    for part in source.parts("usage_events"):
        roll_up(part, source.columns["usage_events"])


def rows_of(view: View, path: Path, engine: Engine) -> list[tuple[Any, ...]]:
    """Make a view of the events in a part, or in a folder of parts, sorted."""
    with session(engine) as running:
        events = versions(path, "usage_events", PRESENT, view.chain[0].uses, running)
        made = running.collect(Reader(running, {"usage_events": events}).of(view))
    return sorted(made[sorted(made)].itertuples(index=False, name=None))


def is_by_day(view: View, source: CheckedSource) -> bool:
    """Tell whether a view over a log is what it is over its parts, taken together."""
    whole = rows_of(view, source.path("usage_events"), Engine.POLARS)
    parts = source.parts("usage_events")
    return whole == sorted(row for part in parts for row in rows_of(view, part, Engine.POLARS))


def first_days(days: nw.LazyFrame) -> nw.LazyFrame:
    """A view that looks beyond the day: the first day of each account."""
    return days.group_by("account_id").agg(nw.col("used_at", "enters", "leaves").min())


def stretches(events: nw.LazyFrame) -> nw.LazyFrame:
    """A view whose day begins at 17 o'clock: that of a Sunday ends on Monday, in the next part."""
    day = (nw.col("occurred_at") + 7 * 3_600_000_000) // 86_400_000_000
    days = events.with_columns(used_at=day).group_by("account_id", "used_at", "leaves")
    return days.agg(nw.col("enters").min())


BEYOND = (
    View("first_days", EVENT_DAYS, ("used_at",), first_days),
    View("stretches", "usage_events", ("occurred_at",), stretches),
)


@pytest.mark.parametrize("view", ROLLED_UP, ids=lambda view: view.name)
def test_what_is_rolled_up_hangs_on_one_day_alone(view: View, checked: Any) -> None:
    assert not any(step.beside for step in view.chain)
    assert all(is_by_day(view, checked(drawn(seed))) for seed in range(5))


@pytest.mark.parametrize("view", BEYOND, ids=lambda view: view.name)
def test_a_view_that_looks_beyond_the_day_is_told_apart(view: View, checked: Any) -> None:
    assert not all(is_by_day(view, checked(drawn(seed))) for seed in range(5))


def is_of_rollups(feature: Feature) -> bool:
    """Tell whether a feature is computed from a view that is rolled up, or from one above it."""
    view = None if isinstance(feature.recipe, Formula) else facts_of(feature).table
    return isinstance(view, View) and any(step in ROLLED_UP for step in view.chain)


def build(source: CheckedSource, engine: Engine = Engine.POLARS) -> pd.DataFrame:
    chosen = [feature for feature in available(source) if is_of_rollups(feature)]
    dates = [START + timedelta(days=day) for day in (5, 17, 18, 30, 60)]
    points = pd.MultiIndex.from_product([ACCOUNTS, dates], names=["account_id", "as_of"])
    spine = points.to_frame(index=False).astype({"as_of": "datetime64[us]"})
    return feature_table(source, spine, engine=engine, features=chosen, fold=False)


@pytest.mark.parametrize("seed", range(6))
def test_features_of_rollups_are_those_of_the_log(seed: int, checked: Any) -> None:
    source = checked(drawn(seed))
    of_log = build(source)
    assert len(of_log.columns) > 12
    roll_all(source)
    assert all(rolled_up(source, view) for view in ROLLED_UP)
    for engine in (Engine.POLARS, Engine.DUCKDB):
        pd.testing.assert_frame_equal(build(source, engine), of_log, check_exact=True)


def declared(view: View) -> Feature:
    recipe = Total(Facts(view, "used_at"))
    return Feature("x", "x", recipe, Unit.ITEMS, "x", "x.", Text("x"), Missing.ZERO, None, 28)


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
@pytest.mark.parametrize("view", ROLLED_UP, ids=lambda view: view.name)
def test_every_engine_reads_the_rows_that_it_would_make(
    view: View, engine: Engine, checked: Any
) -> None:
    source = checked(drawn(3) | {"account_merges": []})
    expected = rows_of(view, source.path("usage_events"), engine)
    roll_all(source)
    with session(engine) as running:
        read = running.collect(reader(source, [declared(view)], running).of(view))
    assert sorted(read[sorted(read)].itertuples(index=False, name=None)) == expected
    assert expected


def test_rows_of_equal_parts_are_equal_bytes(checked: Any) -> None:
    source = checked(drawn(1))
    part = max(source.parts("usage_events"), key=lambda part: part.stat().st_size)
    bytes_of = []
    for order in (1, -1):
        rows = pq.read_table(part)
        pq.write_table(rows.take(pa.array(range(len(rows))[::order])), part, row_group_size=7)
        roll_up(part, PRESENT)
        rollups = [rollup(part.parent, view) / part.name for view in ROLLED_UP]
        bytes_of.append([file.read_bytes() for file in rollups])
    assert bytes_of[0] == bytes_of[1]
    assert all(pq.read_metadata(file).num_rows > 0 for file in rollups)


def test_each_accounts_first_and_last_days_of_a_week_come_in_row_groups_of_their_own(
    checked: Any,
) -> None:
    source = checked(drawn(1))
    roll_all(source)
    between = 0
    for part in rolled_up(source, EVENT_DAYS).iterdir():
        with pq.ParquetFile(part) as file:
            edges = file.read_row_groups(edge_groups(file.schema_arrow)).to_pandas()
            days = file.read().to_pandas()
        span = days.groupby("account_id")["used_at"].agg(["min", "max"])
        found = edges.groupby("account_id")["used_at"].agg(["min", "max"])
        pd.testing.assert_frame_equal(found, span)
        assert edges["used_at"].isin([*span["min"], *span["max"]]).all()
        between += len(days) - len(edges)
    assert between > 0


def test_a_day_counts_as_shared_from_when_the_second_user_was_known(tmp_path: Path) -> None:
    at = START.replace(hour=9)
    known = {"u1": at, "u2": at + timedelta(days=4), "u3": at + timedelta(days=2)}
    event = {"account_id": "a", "occurred_at": at, "event": "save"}
    log = [event | {"user_id": user, "recorded_at": time} for user, time in known.items()]
    source = write_checked(tmp_path / "source", {"usage_events": log})
    roll_all(source)
    day = (START - datetime(1970, 1, 1)).days  # noqa: DTZ001 - naive UTC by contract
    expected = {SHARED_DAYS: [day + 3], USERS_BY_DAY: [day + 1, day + 3, day + 5]}
    for view, enters in expected.items():
        assert sorted(pd.read_parquet(rolled_up(source, view))["enters"]) == enters


def test_a_view_of_columns_that_a_source_lacks_is_not_rolled_up() -> None:
    lacking = {"product", "user_id", "quantity"}
    left = rollups_of("usage_events", [name for name in PRESENT if name not in lacking])
    assert {view.name for view in left} == {"event_days", "broad_days"}


def rounded_down(number: nw.Expr) -> nw.Expr:
    return number.floor()


@pytest.mark.parametrize(
    ("below", "other"),
    [
        ("features.daily.USERS_OF_A_TEAM", 3),
        ("features.versions._rounded", rounded_down),
        ("features.windows.DAY", 1),
    ],
)
def test_what_other_code_rolled_up_is_not_read(
    below: str, other: object, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checked(drawn(2))
    roll_all(source)
    there = rolled_up(source, EVENT_DAYS)
    assert there is not None
    with monkeypatch.context() as changed:
        changed.setattr(below, other)
        edition.cache_clear()  # as a new process begins
        assert rolled_up(source, EVENT_DAYS) is None
    edition.cache_clear()
    assert rolled_up(source, EVENT_DAYS) == there


def test_rollups_that_miss_a_part_are_not_read(checked: Any) -> None:
    source = checked(drawn(2))
    expected = build(source)
    roll_all(source)
    next(rolled_up(source, PRODUCT_DAYS).iterdir()).unlink()
    assert rolled_up(source, PRODUCT_DAYS) is None
    pd.testing.assert_frame_equal(build(source), expected, check_exact=True)
