"""What the command line tells of a feature, and the manual that is written from the same."""

import narwhals as nw
import pytest

from features.catalog import catalog
from features.declare import Feature
from features.describe import computed, description, description_text, expression, named
from features.errors import FeatureError
from features.manual import catalogue_markdown, template, window_in_words

CATALOG = catalog()


def feature(column: str) -> Feature:
    (found,) = named(column, CATALOG)
    return found


def test_all_that_is_declared_is_told() -> None:
    told = description(feature("support__tickets_escalated__90d"), CATALOG)
    lines = [line.strip() for line in description_text(told).splitlines()]
    assert lines[:9] == [
        "support__tickets_escalated__90d",
        "is           Tickets escalated in the last 90 days.",
        "a CSM reads  <n> tickets escalated in the last 90 days, <n> in the last 365",
        "about        escalations",
        "unit         tickets",
        "window       90 days",
        "from         support_tickets",
        "computed     the number of rows of support_tickets, each counted from its escalated_at",
        "missing      0",
    ]


def test_what_a_missing_number_means_and_what_it_is_computed_from_are_told() -> None:
    told = description(feature("usage__events_change__28d"), CATALOG)
    text = description_text(told)
    assert 'null, told as "There were no events in the 28 days before the last 28"' in text
    assert told["related"][:2] == ["usage__events__28d", "usage__events_before__28d"]
    assert told["computed"].endswith("from usage__events__28d, usage__events_before__28d")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("usage__events__28d", "the sum of quantity over rows of usage_events"),
        ("usage__active_users__7d", "the number of different values of user_id over rows of"),
        ("support__csat__90d", "the mean of csat over rows of support_tickets"),
        ("usage__days_since_last_event", "the days since the largest at_day over rows of"),
        ("lifecycle__days_to_term_end", "the days until the smallest term_end_day over rows of"),
        ("billing__overdue_amount", "where amount > 0, each counted from its due_at until paid_at"),
        ("usage__active_days__7d", "the view days_of_use of usage_events (one row for each"),
    ],
)
def test_each_recipe_is_put_into_words(column: str, said: str) -> None:
    assert said in computed(feature(column))


@pytest.mark.parametrize("column", [feature.column for feature in CATALOG])
def test_every_feature_is_described_in_words_and_leads_to_features(column: str) -> None:
    told = description(feature(column), CATALOG)
    assert "__eq__" not in told["computed"]
    assert "<lambda>" not in told["computed"]
    assert set(told["related"]) <= {each.column for each in CATALOG} - {column}
    assert told["sources"]


def test_an_expression_reads_as_on_paper() -> None:
    late = (nw.col("amount") > 0) & (nw.col("paid_at") > nw.col("due_at"))
    assert expression(late) == "amount > 0 and (paid_at > due_at)"


def test_the_beginning_of_a_name_gives_all_that_begin_so() -> None:
    found = [each.column for each in named("usage__events__", CATALOG)]
    assert found == [f"usage__events__{days}d" for days in (7, 28, 90, 365)]


def test_a_whole_name_gives_that_one_though_others_begin_so() -> None:
    assert [each.column for each in named("lifecycle__mrr", CATALOG)] == ["lifecycle__mrr"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("usage__activ_users__28d", "usage__active_users__28d"), ("csat__90d", "support__csat__90d")],
)
def test_a_wrong_name_is_told_the_nearest_ones(name: str, near: str) -> None:
    with pytest.raises(FeatureError, match=f"Near it are .*{near}"):
        named(name, CATALOG)


def test_a_name_near_nothing_is_sent_to_the_list() -> None:
    with pytest.raises(FeatureError, match="--list"):
        named("zzz", CATALOG)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("usage__events__28d", "28 days"),
        ("usage__events_before__28d", "28 days, up to 28 days before"),
        ("lifecycle__mrr", "as it stands"),
        ("lifecycle__mrr_before__90d", "as it stood 90 days before"),
        ("usage__days_since_last_event", "all time"),
        ("usage__events_change__28d", "28 days"),
        ("usage__stickiness", "that of its inputs"),
    ],
)
def test_a_window_is_put_into_words(column: str, words: str) -> None:
    assert window_in_words(feature(column)) == words


def test_a_template_is_what_a_csm_reads_with_letters_for_numbers() -> None:
    assert template(feature("billing__overdue_invoices")) == (
        "*n* invoices are overdue, the oldest for *n* days"
    )


def test_the_manual_has_an_index_and_a_row_for_each_feature() -> None:
    manual = catalogue_markdown(CATALOG)
    rows = [line for line in manual.splitlines() if line.startswith("|")]
    groups = dict.fromkeys(feature.group for feature in CATALOG)
    for group in groups:
        count = sum(feature.group == group for feature in CATALOG)
        assert any(row.startswith(f"| [{group}](#{group}) | {count} | ") for row in rows)
    assert len(rows) == len(CATALOG) + len(groups) + 2 + 2 * len(groups)
    assert {row.count(" | ") for row in rows} == {2, 7}


def test_the_manual_tells_the_risky_direction() -> None:
    (row,) = [
        row
        for row in catalogue_markdown(CATALOG).splitlines()
        if "`billing__overdue_invoices`" in row
    ]
    assert row.split(" | ")[1:] == [
        "`billing__overdue_invoices`",
        "*n* invoices are overdue, the oldest for *n* days",
        "invoices",
        "as it stands",
        "invoices",
        "higher",
        "0 |",
    ]
