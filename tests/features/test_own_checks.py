"""The battery on features of one's own: each planted fault is named, sound ones pass."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import narwhals as nw
import pytest

from features.battery.drawn import Draw, draw_company
from features.battery.written import write_checked
from features.checked import CheckedSource
from features.declare import (
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Recipe,
    Text,
    Total,
    Unit,
    View,
    ratio,
)
from features.errors import FeatureError
from features.own.checks import Tried, try_out
from features.own.harvest import Own
from features.windows import Rows

OPENED = Facts("support_tickets", at="opened_at")


def feature(name: str, recipe: Recipe, missing: Missing = Missing.ZERO) -> Feature:
    return Feature("ours", name, recipe, Unit.ITEMS, name, "Some.", Text("{value} of it"), missing)


def shown(name: str, at: str, uses: Sequence[str], value: nw.Expr) -> Feature:
    def make(rows: Rows) -> Rows:
        return rows.with_columns(value=value)

    view = View(name, "support_tickets", tuple(uses), make)
    return feature(name, Total(Facts(view, at=at, uses=("value",)), nw.col("value"), per=1))


COUNT = feature("count", Total(OPENED))
LAST = feature("last", Extreme(OPENED, nw.col("at_day"), "max", since=True), Missing.UNKNOWN)
SHARE = feature("share", Formula(("ours__count", "usage__events__28d"), ratio), Missing.UNKNOWN)
LEAKY = shown(
    "leaky",
    "opened_at",
    ("opened_at", "resolved_at"),
    (~nw.col("resolved_at").is_null()).cast(nw.Int64),
)
FAULTY = {
    "It looks ahead: a drawn company's number at a date is another one": LEAKY,
    "It looks ahead: a drawn company's number at a date is": shown(
        "whole", "opened_at", ("opened_at",), nw.col("opened_at").max() // 86_400_000_000
    ),
    "It does not run, .*nowhere": shown("broken", "opened_at", ("opened_at",), nw.col("nowhere")),
    "An account without any row gets 5, not 0": feature(
        "missing", Formula(("usage__events__28d",), lambda events: events + 5.0)
    ),
    "It is 0 for all accounts at all dates of your source": feature(
        "fax", Total(Facts("support_tickets", "opened_at", where=nw.col("opened_at") < 0))
    ),
    "It has no subject": replace(COUNT, subject=" "),
    "Its description is no sentence": replace(COUNT, description="Some"),
    "a CSM would read": replace(COUNT, text=Text("{value} in <days> days")),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> CheckedSource:
    folder = tmp_path_factory.mktemp("own") / "source"
    return write_checked(folder, draw_company(Draw(seed=9, day=600, rows=120)))


def tried(source: CheckedSource, *features: Feature) -> Tried:
    return try_out(Own(features, "digest"), source)


def test_sound_features_pass(source: CheckedSource) -> None:
    found = tried(source, SHARE, COUNT, LAST)
    assert found.text() == "ours__share: passed\nours__count: passed\nours__last: passed"
    found.demand()


@pytest.mark.parametrize("fault", FAULTY)
def test_a_planted_fault_is_named_and_fails(source: CheckedSource, fault: str) -> None:
    planted = FAULTY[fault]
    found = tried(source, planted)
    (said,) = found.faults[planted.column]
    assert re.search(fault, said), said
    with pytest.raises(FeatureError, match=planted.column):
        found.demand()


def test_a_leak_that_only_the_companys_own_rows_show_is_caught(tmp_path: Path) -> None:
    """Drawn companies know no fax: there the feature is 0 whatever follows."""
    tables = draw_company(Draw(seed=9, day=600, rows=120))
    for ticket in tables["support_tickets"]:
        ticket["channel"] = "fax"

    def resolved_fax(rows: Rows) -> Rows:
        is_fax = nw.col("channel") == "fax"
        return rows.with_columns(value=nw.when(is_fax).then(nw.col("resolved_at") // 10**12))

    view = View("fax", "support_tickets", ("opened_at", "resolved_at", "channel"), resolved_fax)
    facts = Facts(view, at="opened_at", uses=("value",))
    planted = feature("fax", Total(facts, nw.col("value"), per=1), Missing.UNKNOWN)
    found = tried(write_checked(tmp_path / "source", tables), planted)
    (said,) = found.faults["ours__fax"]
    assert re.search(r"It looks ahead: as of 20\d\d-\d\d-01, account \w+ has", said), said


def test_what_reads_a_feature_that_failed_fails_with_it(source: CheckedSource) -> None:
    reads = feature("reads", Formula(("ours__leaky",), lambda leaky: leaky * 2.0))
    found = tried(source, LEAKY, reads, COUNT)
    assert found.failed == ("ours__leaky", "ours__reads")
    assert found.faults["ours__reads"] == (
        "It reads a feature that failed: correct that one first.",
    )


def test_a_feature_that_the_source_cannot_bear_is_told(source: CheckedSource) -> None:
    bare = replace(source, columns={k: v for k, v in source.columns.items() if k != "trainings"})
    courses = feature("courses", Total(Facts("trainings", at="completed_at")))
    (said,) = tried(bare, courses).faults["ours__courses"]
    assert said.startswith("Your source lacks what it reads of trainings")


def test_an_order_of_rows_that_matters_is_told(source: CheckedSource) -> None:
    def first_of_each(rows: Rows) -> Rows:
        native = nw.to_native(rows)
        return nw.from_native(native.unique("account_id", keep="first", maintain_order=True))

    view = View("first", "support_tickets", ("opened_at", "csat"), first_of_each)
    facts = Facts(view, at="opened_at", uses=("csat",))
    (said,) = tried(source, feature("first", Total(facts, nw.col("csat")))).faults["ours__first"]
    assert said.startswith("The order of rows changes it")


def test_an_engine_that_gives_other_numbers_is_told(source: CheckedSource) -> None:
    def by_engine(rows: Rows) -> Rows:
        is_polars = rows.implementation.is_polars()
        return rows.with_columns(value=nw.lit(1 if is_polars else 2, nw.Int64))

    view = View("by_engine", "support_tickets", ("opened_at",), by_engine)
    planted = feature("uneven", Total(Facts(view, "opened_at", uses=("value",)), nw.col("value")))
    (said,) = tried(source, planted).faults["ours__uneven"]
    assert said.startswith("duckdb gives other numbers than polars")
