"""What the catalogue holds, and what a source can bear of it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import narwhals as nw
import pytest

from features.catalog import (
    available,
    catalog,
    features_fingerprint,
    sources_of,
)
from features.checked import CheckedSource
from features.declare import facts_of
from features.manual import catalogue_markdown

Company = Callable[..., CheckedSource]
THREE_TABLES = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-02-01
    """,
    "usage_events": """
        account_id occurred_at event
        a          2024-03-01  open
    """,
}
TICKETS = """
    ticket_id account_id opened_at  resolved_at priority
    t1        a          2024-03-01 2024-03-05  urgent
"""


def columns(source: CheckedSource) -> set[str]:
    return {feature.column for feature in available(source)}


def test_columns_are_named_once() -> None:
    names = [feature.column for feature in catalog()]
    assert len(names) == len(set(names)) >= 60


def test_a_missing_table_leaves_its_group_out(company: Company) -> None:
    groups = {feature.group for feature in available(company(THREE_TABLES))}
    assert {"usage", "lifecycle"} <= groups
    assert groups.isdisjoint({"support", "billing", "satisfaction", "people", "reliability"})


def test_a_missing_column_leaves_its_features_out(company: Company) -> None:
    borne = columns(company(THREE_TABLES))
    assert "usage__events__28d" in borne
    assert "usage__active_users__28d" not in borne
    assert "usage__active_users_change__28d" not in borne
    assert "usage__seats_used" not in borne


def test_the_end_of_the_term_is_there_whatever_the_source_says_of_terms(company: Company) -> None:
    borne = columns(company(THREE_TABLES))
    pinned = {"lifecycle__mrr", "lifecycle__days_to_term_end", "lifecycle__term_months"}
    assert pinned <= borne


def test_an_overwritten_column_bears_no_feature(company: Company) -> None:
    source = company({**THREE_TABLES, "support_tickets": TICKETS})
    assert "support__open_tickets" in columns(source)
    assert "support__open_urgent_tickets" not in columns(source)
    constant = replace(source, stable_columns=frozenset({("support_tickets", "priority")}))
    assert "support__open_urgent_tickets" in columns(constant)


def test_a_formula_names_the_tables_below_it() -> None:
    (used,) = [feature for feature in catalog() if feature.column == "usage__seats_used"]
    assert sources_of(used) == ("usage_events", "subscriptions")


def test_the_fingerprint_changes_with_what_is_computed() -> None:
    first, *others = [feature for feature in catalog() if feature.column.startswith("billing__")]
    moved = replace(first, recipe=replace(first.recipe, facts=replace(facts_of(first), where=None)))
    assert features_fingerprint([first, *others]) == features_fingerprint([first, *others])
    assert features_fingerprint([moved, *others]) != features_fingerprint([first, *others])


def of_page(group: str) -> str:
    return features_fingerprint([each for each in catalog() if each.group == group])


@pytest.mark.parametrize(
    ("group", "called"),
    [
        ("hierarchy", "features.families.hierarchy.day_of"),
        ("lifecycle", "features.terms.is_inside"),
    ],
)
def test_the_fingerprint_changes_with_a_function_that_a_view_calls(
    group: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of_page(group), of_page("billing")
    monkeypatch.setattr(called, lambda *_: nw.lit(1))
    assert of_page(group) != before[0]
    assert of_page("billing") == before[1]


def test_the_fingerprint_changes_with_a_number_that_a_function_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = of_page("rhythm")
    monkeypatch.setattr("features.work_weeks.FEWEST_EVENTS", 7)
    assert of_page("rhythm") != before


def test_the_fingerprint_is_the_same_in_every_run() -> None:
    ask = "from features.catalog import *; print(features_fingerprint(catalog()))"
    prints = {
        subprocess.run(
            [sys.executable, "-c", ask],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(prints) == 1


def test_the_manual_is_the_catalogue(request: pytest.FixtureRequest) -> None:
    manual = Path(request.config.rootpath) / "docs" / "features.md"
    assert manual.read_text(encoding="utf-8") == catalogue_markdown(catalog())
