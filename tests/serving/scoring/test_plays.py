"""Which reason a person reads first, and what a play for it is looked up by."""

from datetime import datetime

import pytest

from features.catalog import catalog, catalog_json
from serving.scoring.plays import days_between, leading_family, leading_reason

TERM = {"feature": "lifecycle__days_to_term_end", "value": 20.0, "effect": 1.5, "text": "Ends."}
USE = {"feature": "usage__events__28d", "value": 3.0, "effect": 0.4, "text": "Use fell."}
BILL = {"feature": "support__billing_tickets__90d", "value": 9.0, "effect": 0.7, "text": "Bills."}
CALM = {"feature": "support__open_tickets", "value": 0.0, "effect": -0.9, "text": "No ticket."}
ELSEWHERE = {"feature": "column_from_elsewhere", "value": 1.0, "effect": 1.0, "text": "Is 1."}
ENTRIES = {entry["column"]: entry for entry in catalog_json(catalog())}


def test_the_first_raising_reason_leads() -> None:
    assert leading_reason([USE, BILL, CALM]) == USE
    assert leading_reason([CALM, BILL]) == BILL


def test_nothing_leads_where_nothing_raises() -> None:
    assert leading_reason([CALM]) is None
    assert leading_reason([]) is None
    assert leading_family([CALM], ENTRIES) is None


def test_the_family_is_that_of_what_is_measured_and_not_its_group() -> None:
    families = [leading_family([CALM, each], ENTRIES) for each in (TERM, USE, BILL, ELSEWHERE)]
    assert families == ["contract", "usage", "price", "column_from_elsewhere"]


@pytest.mark.parametrize(
    ("renewal", "days"), [("2026-04-01", 30), ("2026-03-02", 0), ("2026-03-01", -1), (None, None)]
)
def test_days_to_a_renewal_are_counted_from_the_scored_date(
    renewal: str | None, days: int | None
) -> None:
    as_of = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
    assert days_between(as_of, renewal and datetime.fromisoformat(renewal)) == days
