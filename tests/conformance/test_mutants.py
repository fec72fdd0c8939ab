"""The battery catches each leak that somebody may plant, in a feature or in the machinery."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from features import grid, groups, rows, terms, versions
from features.battery.drawn import START, Draw, Tables
from features.battery.smallest import smallest_leak
from features.battery.trial import Difference, differences
from features.battery.written import write_checked
from features.catalog import catalog
from features.checked import CheckedSource
from features.declare import Beside, Extreme, Facts, Feature, Text, Total, Unit, View
from features.engine import Engine
from features.fold import one_pass
from features.merges import Identity
from features.rows import known_together
from features.windows import AS_OF_DAY, DAY, NEVER, Rows, Window, day_of, first_from

DRAWS = [Draw(seed, day) for seed, day in enumerate((100, 260, 380, 400, 470, 520, 600, 700))]
PLAIN = [replace(draw, is_versioned=False) for draw in DRAWS]
WATCHED = (
    "billing__days_overdue",
    "hierarchy__sisters",
    "lifecycle__days_to_term_end",
    "lifecycle__mrr",
    "lifecycle__products_owned_before__365d",
    "support__csat__90d",
    "support__first_response_hours__90d",
    "support__open_tickets",
    "support__tickets_opened__7d",
    "support__tickets_opened_before__28d",
    "support__ticket_categories__90d",
    "usage__active_users__28d",
    "usage__events__28d",
)
LEAK = nw.col("leak")
ONE = nw.lit(1, nw.Int64)


def caught(
    folder: Path,
    features: list[Feature],
    write: Callable[[Path, Tables], CheckedSource] = write_checked,
    draws: Sequence[Draw] = DRAWS,
    *,
    fold: bool | None = None,
) -> tuple[Difference, ...]:
    return differences(
        draws, folder / "drawn", features=features, engine=Engine.POLARS, fold=fold, write=write
    )


def watched() -> list[Feature]:
    return [feature for feature in catalog() if feature.column in WATCHED]


def planted(
    table: str,
    make: Callable[..., Rows],
    uses: tuple[str, ...],
    at: str,
    until: str | None = None,
    beside: tuple[Beside, ...] = (),
) -> Feature:
    view = View("planted", table, uses, make, beside=beside)
    recipe = Total(Facts(view, at=at, until=until, uses=("leak",)), LEAK, per=1)
    return Feature("test", "planted", recipe, Unit.ITEMS, "leak", "A leak.", Text("{value}"))


def is_known(time: str) -> nw.Expr:
    return (~nw.col(time).is_null()).cast(nw.Int64)


def sisters_tickets(tickets: Rows, accounts: Rows) -> Rows:
    """Tickets of the parent that an account has in any version, at any time."""
    parents = accounts.select(child="account_id", account_id="parent_account_id").unique()
    return tickets.join(parents, on="account_id").select(
        "opened_at", "enters", "leaves", account_id="child", leak=ONE
    )


def contacts_gone(events: Rows, contacts: Rows) -> Rows:
    """Events, with how many contacts left at any time."""
    both = known_together(events, contacts)
    return both.with_columns(leak=is_known("left_at"))


def todays_parent(source: CheckedSource) -> pa.Table:
    newest = source.newest("accounts")
    parents = newest[["account_id"]].assign(
        leak=newest["parent_account_id"].notna().astype("int64")
    )
    return pa.Table.from_pandas(parents, preserve_index=False)


LEAKS = {
    "a fact that was filled in later": planted(
        "support_tickets",
        lambda rows: rows.with_columns(leak=is_known("resolved_at")),
        ("opened_at", "resolved_at"),
        "opened_at",
    ),
    "a value before its own time": planted(
        "support_tickets",
        lambda rows: rows.with_columns(leak=nw.col("csat").fill_null(0)),
        ("opened_at", "csat"),
        "opened_at",
    ),
    "a payment before it was made": planted(
        "invoices",
        lambda rows: rows.with_columns(leak=is_known("paid_at")),
        ("issued_at", "paid_at"),
        "issued_at",
    ),
    "an end before it passed": planted(
        "subscriptions",
        lambda rows: rows.with_columns(leak=is_known("ended_at")),
        ("started_at", "ended_at"),
        "started_at",
    ),
    "why it ended": planted(
        "subscriptions",
        lambda rows: rows.with_columns(leak=is_known("end_reason")),
        ("started_at", "end_reason"),
        "started_at",
    ),
    "a cancel request before it came": planted(
        "subscriptions",
        lambda rows: rows.with_columns(leak=is_known("cancel_requested_at")),
        ("started_at", "ended_at", "cancel_requested_at"),
        "started_at",
        "ended_at",
    ),
    "a statistic over the whole table": planted(
        "support_tickets",
        lambda rows: rows.with_columns(leak=nw.col("opened_at").max() // DAY),
        ("opened_at",),
        "opened_at",
    ),
    "a count over the whole table": planted(
        "surveys",
        lambda rows: rows.with_columns(leak=nw.len().over("account_id").cast(nw.Int64)),
        ("responded_at",),
        "responded_at",
    ),
    "a fact put at a time before it": planted(
        "support_tickets",
        lambda rows: rows.filter(~nw.col("escalated_at").is_null()).with_columns(leak=ONE),
        ("opened_at", "escalated_at"),
        "opened_at",
    ),
    "a row shown before it was known": planted(
        "reviews",
        lambda rows: rows.with_columns(
            leak=ONE, enters=nw.col("enters") - 50, early=nw.col("held_at") - 50 * DAY
        ),
        ("held_at",),
        "early",
    ),
    "a row shown at its own time, though recorded later": planted(
        "engagement",
        lambda rows: rows.with_columns(leak=ONE, enters=day_of("occurred_at") + 1),
        ("occurred_at",),
        "occurred_at",
    ),
    "a version that was replaced, beside its successor": planted(
        "outcomes",
        lambda rows: rows.with_columns(leak=ONE, leaves=nw.lit(NEVER, nw.Int64)),
        ("agreed_at",),
        "agreed_at",
    ),
    "the newest version at all times": planted(
        "projects",
        lambda rows: rows.filter(nw.col("leaves") == NEVER).with_columns(leak=ONE),
        ("started_at",),
        "started_at",
    ),
    "a later fact of a table beside": planted(
        "trainings",
        contacts_gone,
        ("completed_at",),
        "completed_at",
        beside=(Beside("contacts", ("joined_at", "left_at")),),
    ),
    "a parent of any time": planted(
        "support_tickets",
        sisters_tickets,
        ("opened_at",),
        "opened_at",
        beside=(Beside("accounts", ("parent_account_id",)),),
    ),
    "today's parent": planted(
        "touches",
        lambda touches, parents: touches.join(parents, on="account_id"),
        ("occurred_at",),
        "occurred_at",
        beside=(Beside("accounts", ("parent_account_id",), made=todays_parent),),
    ),
}

RESOLVED = replace(
    LEAKS["a fact that was filled in later"],
    recipe=Total(
        Facts("support_tickets", at="opened_at", uses=("resolved_at",)), is_known("resolved_at")
    ),
)
"""The same, declared as it should be: what the ticket's opening did not know is null."""


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_in_a_feature_is_caught(leak: str, tmp_path: Path) -> None:
    found = caught(tmp_path, [LEAKS[leak]])
    assert {each.column for each in found} == {"test__planted"}


def test_a_leak_is_caught_where_another_engine_computes_what_really_followed(
    tmp_path: Path,
) -> None:
    features = [*watched(), LEAKS["a payment before it was made"]]
    found = differences(
        DRAWS, tmp_path, features=features, engine=Engine.POLARS, true_engine=Engine.DUCKDB
    )
    assert {each.column for each in found} == {"test__planted"}


def test_a_stored_end_that_counts_at_all_times_is_caught(tmp_path: Path) -> None:
    view = View("planted", "subscriptions", ("started_at", "ended_at", "renews_at"), lambda r: r)
    facts = Facts(view, "started_at", "ended_at", uses=("renews_at",))
    today = Extreme(facts, nw.col("renews_at") // DAY, "min", ahead=True)
    feature = replace(LEAKS["why it ended"], recipe=today)
    assert caught(tmp_path, [feature], draws=PLAIN)


def enters_a_day_early(window: Window, row_enters: str, at_day: str) -> nw.Expr:
    return nw.max_horizontal(nw.col(row_enters), nw.col(at_day) + window.lag_days)


def enters_by_its_fact_alone(window: Window, row_enters: str, at_day: str) -> nw.Expr:
    return nw.col(at_day) + window.lag_days + 1 + 0 * nw.col(row_enters)


def lags_forward(window: Window, row_enters: str, at_day: str) -> nw.Expr:
    return nw.max_horizontal(nw.col(row_enters) - 60, nw.col(at_day) - window.lag_days + 1)


def starts_too_early(on: grid.Grid, facts: Rows, day: str, name: str = "bucket") -> Rows:
    earlier = on.calendar.select((nw.col("day") + 40).alias(day), **{name: "bucket"})
    return facts.join(earlier, on=day)


def reaches_on(window: Window, as_of_day: int, first_day: int) -> tuple[int, int]:
    end = as_of_day - window.lag_days + 7
    return (first_day if window.days is None else end - window.days), end


def as_if_always_known(versions: pd.DataFrame) -> pd.DataFrame:
    return versions.assign(known_at=START)


def merged_from_the_start(source: CheckedSource) -> tuple[Identity, ...]:
    merges = source.newest("account_merges")
    pairs = zip(merges["from_account_id"], merges["into_account_id"], strict=True)
    return tuple(Identity(vanished, into, 0, NEVER) for vanished, into in pairs)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a window that takes in the snapshot's own day": lambda patch: patch.setattr(
        Window, "enters", enters_a_day_early
    ),
    "a row known on the day it is recorded": lambda patch: patch.setattr(
        versions, "first_day_after", day_of
    ),
    "a fact seen before its row was known": lambda patch: patch.setattr(
        Window, "enters", enters_by_its_fact_alone
    ),
    "a lagged window that looks ahead": lambda patch: patch.setattr(Window, "enters", lags_forward),
    "columns shown as they stand today": lambda patch: patch.setattr(
        rows, "known_by", lambda *_times: nw.lit(value=True)
    ),
    "facts that start at a snapshot before them": lambda patch: patch.setattr(
        grid.Grid, "starting", starts_too_early
    ),
    "a pass over the log that takes in the snapshot's own day": lambda patch: patch.setattr(
        one_pass, "first_to_see", first_from
    ),
    "a pass over the log whose windows reach a week on": lambda patch: patch.setattr(
        Window, "span", reaches_on
    ),
    "parents that stand as today": lambda patch: patch.setattr(
        groups, "in_order_of_versions", as_if_always_known
    ),
    "merges that hold before they came": lambda patch: patch.setattr(
        rows, "identities", merged_from_the_start
    ),
    "a stored end that counts before its term": lambda patch: patch.setattr(
        terms, "is_inside", lambda _after, last: nw.col(last) >= AS_OF_DAY
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_machinery_is_caught(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FAULTS[fault](monkeypatch)
    features = [*watched(), RESOLVED]
    assert (
        caught(tmp_path, features)
        or caught(tmp_path / "plain", features, draws=PLAIN)
        or caught(tmp_path / "fold", features, fold=True)
    )


def without_recorded_at(folder: Path, tables: Tables) -> CheckedSource:
    """Write a source whose check forgot that rows were recorded late."""
    plain = {
        name: [{c: v for c, v in row.items() if c != "recorded_at"} for row in rows]
        for name, rows in tables.items()
    }
    return write_checked(folder, plain)


def test_a_check_that_forgets_when_rows_were_recorded_is_caught(tmp_path: Path) -> None:
    assert caught(tmp_path, watched(), write=without_recorded_at)


def test_accounts_and_parents_that_stand_as_today_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "in_order_of_versions", as_if_always_known)
    found = caught(tmp_path, [])
    assert {each.column for each in found} >= {"state: status", "state: customer_group"}


@pytest.mark.parametrize("draws", [DRAWS, PLAIN], ids=["versions", "no versions"])
def test_without_a_fault_nothing_is_caught(draws: list[Draw], tmp_path: Path) -> None:
    assert caught(tmp_path, [*watched(), RESOLVED], draws=draws) == ()
    assert caught(tmp_path / "fold", watched(), draws=draws, fold=True) == ()
    assert caught(tmp_path / "states", [], draws=draws) == ()


def test_a_leak_is_shown_with_the_fewest_rows() -> None:
    draw = DRAWS[4]
    leak = LEAKS["a payment before it was made"]
    (invoice,) = smallest_leak(draw, "all that followed deleted", leak)["invoices"]
    assert invoice["issued_at"] < draw.as_of <= invoice["paid_at"]


def test_no_rows_are_shown_of_what_does_not_leak() -> None:
    with pytest.raises(ValueError, match="Expected a leak"):
        smallest_leak(DRAWS[0], "another future", watched()[0])
