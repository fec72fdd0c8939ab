"""The poison test on a source's own rows: planted leaks are named, and nothing else is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import narwhals as nw
import pandas as pd
import pytest

from features.battery.drawn import Draw, draw_company
from features.battery.written import write_checked
from features.build import feature_table
from features.built import Built
from features.catalog import available
from features.checked import CheckedSource
from features.declare import Facts, Feature, Missing, Recipe, Text, Total, Unit, View
from features.engine import Engine
from features.poison import Poisoned, poison
from features.spine import account_states
from features.windows import Rows

KNOWN = ("usage__events__28d", "support__open_tickets", "lifecycle__mrr", "lifecycle__notice_days")


def feature(name: str, recipe: Recipe, missing: Missing = Missing.UNKNOWN) -> Feature:
    return Feature("ours", name, recipe, Unit.ITEMS, name, "Some.", Text("{value} of it"), missing)


def shown(name: str, uses: Sequence[str], value: nw.Expr) -> Feature:
    def make(rows: Rows) -> Rows:
        return rows.with_columns(value=value)

    view = View(name, "support_tickets", tuple(uses), make)
    facts = Facts(view, at="opened_at", uses=("value",))
    return feature(name, Total(facts, nw.col("value"), per=1))


RESOLVED = (~nw.col("resolved_at").is_null()).cast(nw.Int64)
LEAKS = (
    shown("resolved_some_day", ("opened_at", "resolved_at"), RESOLVED),
    shown("answered_well", ("opened_at", "csat"), nw.col("csat")),
    shown("newest_of_all", ("opened_at",), nw.col("opened_at").max() // 86_400_000_000),
)
SOUND = (
    feature("opened", Total(Facts("support_tickets", at="opened_at")), Missing.ZERO),
    feature("ended", Total(Facts("subscriptions", at="ended_at")), Missing.ZERO),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> CheckedSource:
    folder = tmp_path_factory.mktemp("poison") / "source"
    return write_checked(folder, draw_company(Draw(seed=9, day=600, rows=300)))


@pytest.fixture(scope="module")
def history(source: CheckedSource) -> Built:
    """Every month, from the first row on record to the extract, as the source stands."""
    features = (*(f for f in available(source) if f.column in KNOWN), *LEAKS, *SOUND)
    rows = source.read("subscriptions")
    days = pd.date_range(rows["started_at"].min(), source.extracted_at, freq="60D").normalize()
    states = account_states(source, [day.to_pydatetime() for day in days], engine=Engine.POLARS)
    table = feature_table(source, states, features=features, engine=Engine.POLARS)
    return Built(source, features, states, table)


@pytest.fixture(scope="module")
def found(history: Built) -> Poisoned:
    return poison(history)


def test_each_planted_leak_is_named_and_no_sound_feature(found: Poisoned) -> None:
    assert {each.column for each in found.changed} == {leak.column for leak in LEAKS}


def test_a_leak_is_shown_with_an_account_a_date_and_both_values(
    found: Poisoned, history: Built
) -> None:
    for each in found.changed:
        at = (history.table["account_id"] == each.account_id) & (
            history.table["as_of"] == each.as_of
        )
        (value,) = history.table.loc[at, each.column]
        assert each.standing == ("nothing" if pd.isna(value) else f"{value:.10g}")
        assert each.known != each.standing
        assert 1 <= each.rows <= found.rows


def test_each_account_is_tried_at_one_date_before_the_extract(
    found: Poisoned, history: Built
) -> None:
    assert 1 < found.dates <= 6
    assert 0 < found.rows <= history.states["account_id"].nunique()


def test_states_of_accounts_are_held_against_the_cut_too(history: Built) -> None:
    """The end of a term as today's value tells it: it says who renewed."""
    late = history.states.assign(term_ends_at=pd.Timestamp("2030-01-01"))
    changed = poison(replace(history, states=late, features=SOUND)).changed
    assert [each.column for each in changed] == ["term_ends_at"]


def test_rows_that_only_later_knowledge_makes_are_found(history: Built) -> None:
    gone = history.states.assign(status="active")
    assert "status" in {
        each.column for each in poison(replace(history, states=gone, features=SOUND)).changed
    }


def test_a_difference_that_no_later_row_makes_is_not_blamed_on_one(history: Built) -> None:
    """A share of all accounts' tickets is another one in a sample of accounts: no leak."""
    table = history.table.assign(ours__opened=history.table["ours__opened"] + 1.0)
    assert poison(replace(history, table=table, features=SOUND)).changed == ()


def test_without_a_date_before_the_extract_nothing_was_compared(history: Built) -> None:
    last = datetime.combine(history.source.extracted_at.date(), datetime.min.time())
    young = history.table.assign(as_of=pd.Timestamp(last))
    assert poison(replace(history, table=young)).rows == 0


def test_accounts_of_one_customer_are_cut_at_one_date(tmp_path: Path) -> None:
    """Were a parent cut elsewhere than its child, the child's customer would look like a leak."""
    tables = draw_company(Draw(seed=3, day=600, rows=300))
    for row in tables["accounts"]:
        row["parent_account_id"] = tables["accounts"][0]["account_id"]
    source = write_checked(tmp_path / "source", tables)
    days = [datetime(2023, 9, 1), datetime(2024, 3, 1)]  # noqa: DTZ001 - naive UTC
    states = account_states(source, days, engine=Engine.POLARS)
    table = feature_table(source, states, features=SOUND, engine=Engine.POLARS)
    found = poison(Built(source, SOUND, states, table))
    assert found.rows > 1
    assert found.changed == ()
