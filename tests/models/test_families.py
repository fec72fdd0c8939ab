"""Which family a reason is of."""

from collections import defaultdict

import pytest

from features.catalog import catalog, catalog_json
from models.families import _OF_GROUP, _OF_SUBJECT, CONTEXT, FAMILIES, family_of

ENTRIES = tuple(catalog_json(catalog()))


def test_every_subject_of_the_catalogue_has_one_family() -> None:
    found = defaultdict(set)
    for entry in ENTRIES:
        found[entry["subject"]].add(family_of(entry))
    assert {subject: families for subject, families in found.items() if len(families) > 1} == {}
    assert set().union(*found.values()) == FAMILIES.keys()


def test_no_rule_is_about_a_group_or_a_subject_that_there_is_not() -> None:
    assert {entry["group"] for entry in ENTRIES} >= _OF_GROUP.keys()
    assert {entry["subject"] for entry in ENTRIES} >= _OF_SUBJECT.keys()


@pytest.mark.parametrize(
    ("column", "family"),
    [
        ("usage__events__28d", "usage"),
        ("rhythm__pace_change__7d", "usage"),
        ("adoption__seats_used__90d", "usage"),
        ("usage__event_kinds__28d", "adoption"),
        ("people__champions_left__28d", "people"),
        ("people__contacts_left__90d", "team"),
        ("lifecycle__days_to_term_end", "contract"),
        ("lifecycle__seats_change__90d", "size"),
        ("adoption__days_since_first_broad_use", "contract"),
    ],
)
def test_a_feature_is_of_the_family_that_a_talk_would_be_about(column: str, family: str) -> None:
    (entry,) = (entry for entry in ENTRIES if entry["column"] == column)
    assert family_of(entry) == family


def test_only_families_that_there_are_say_no_more_than_where_an_account_stands() -> None:
    assert FAMILIES.keys() > CONTEXT


def test_a_companys_own_group_is_a_family() -> None:
    own = {"column": "ours__took_reports", "group": "ours", "subject": "course", "text": {}}
    assert family_of(own) == "ours"


def test_a_column_of_a_ready_table_is_its_own_family() -> None:
    entry = {"column": "TotalCharges", "group": "table", "subject": "TotalCharges"}
    assert family_of(entry) == "TotalCharges"
