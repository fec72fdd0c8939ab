"""Sentences with an account's own numbers."""

import pytest

from features.catalog import catalog, catalog_json, sentence

ENTRIES = {entry["column"]: entry for entry in catalog_json(catalog())}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {
                "usage__active_users_change__28d": -0.7,
                "usage__active_users__28d": 12.0,
                "usage__active_users_before__28d": 41.0,
            },
            "Active users fell from 41 to 12 in 28 days",
        ),
        (
            {
                "lifecycle__mrr_change__90d": 0.25,
                "lifecycle__mrr": 12_500.0,
                "lifecycle__mrr_before__90d": 10_000.0,
            },
            "MRR rose from 10,000 to 12,500 in 90 days",
        ),
        ({"support__open_tickets": 1.0}, "1 ticket is open"),
        ({"support__open_tickets": 3.0}, "3 tickets are open"),
        ({"billing__days_overdue": 21.0}, "An invoice is 21 days overdue"),
        ({"billing__credited_share": 0.125}, "12% of the year's invoices was credited back"),
        ({"support__csat__90d": 3.25}, "Support was rated 3.2 of 5 in the last 90 days"),
        ({"lifecycle__days_to_notice_deadline": -3.0}, "The notice deadline passed 3 days ago"),
        ({"usage__days_since_last_event": float("nan")}, "Never used so far"),
        ({"usage__days_since_last_event": None}, "Never used so far"),
    ],
)
def test_a_sentence_says(row: dict[str, float], said: str) -> None:
    assert sentence(ENTRIES[next(iter(row))], row) == said


def test_a_sentence_whose_other_numbers_are_missing_falls_back_on_the_value() -> None:
    entry = ENTRIES["usage__active_users_change__28d"]
    said = sentence(entry, {"usage__active_users_change__28d": -0.7})
    assert said.endswith(": -70%")
