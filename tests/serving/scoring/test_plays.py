"""Which reason a person reads first, and what is suggested for it."""

from features.catalog import catalog
from serving.scoring.plays import PLAYS, WITHOUT_REASON, leading_reason, suggested_play

TERM = {"feature": "lifecycle__days_to_term_end", "value": 20.0, "effect": 1.5, "text": "Ends."}
USE = {"feature": "usage__events__28d", "value": 3.0, "effect": 0.4, "text": "Use fell."}
BILL = {"feature": "billing__days_overdue", "value": 9.0, "effect": 0.7, "text": "Overdue."}
CALM = {"feature": "support__open_tickets", "value": 0.0, "effect": -0.9, "text": "No ticket."}


def test_the_first_raising_reason_leads() -> None:
    assert leading_reason([USE, BILL, CALM]) == USE
    assert leading_reason([CALM, BILL]) == BILL


def test_every_group_of_features_has_a_play() -> None:
    assert {feature.group for feature in catalog()} <= PLAYS.keys()


def test_nothing_leads_where_nothing_raises() -> None:
    assert leading_reason([CALM]) is None
    assert suggested_play([CALM]) == WITHOUT_REASON


def test_the_play_answers_the_leading_reason() -> None:
    assert suggested_play([BILL, TERM]) == PLAYS["billing"]
    assert suggested_play([TERM]) == PLAYS["lifecycle"]
